package intake

import (
	"fmt"
	"strings"
)

// What may be awaited, for tests that fill it.
const (
	MaxAwaitsPerSender = maxAwaitsPerSender
	MaxAwaitsInAll     = maxAwaitsInAll
	MaxFilesPerSender  = maxFilesPerSender
)

// Shrink divides the room for what is awaited by n, before Run.
func (x *Intake) Shrink(n int) {
	x.room.perSender /= n
	x.room.inAll /= n
	x.room.filesPerSender /= n
	x.room.filesInAll /= n
}

// Left says what is still counted as in progress, to be called after Run; ""
// when that is nothing.
func (x *Intake) Left() string {
	awaits, files, parked := 0, 0, int64(0)
	for _, n := range x.awaits {
		awaits += n
	}
	for _, n := range x.files {
		files += n
	}
	for _, n := range x.parked {
		parked += n
	}
	s := fmt.Sprintf("taking %d, taken %d %d, judging %d, queue %d, fetching %d, awaits %d %d, files %d %d, parked %d %d, due %d",
		x.taking, x.takenN, len(x.taken), x.judging, len(x.queue), len(x.fetching), x.awaitsN, awaits, x.filesN, files, x.parkedN, parked, len(x.due))
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyz, 0") == "" {
		return ""
	}
	return s
}

// Active is how many sessions wait for something, to be called after Run.
func (x *Intake) Active() int { return len(x.active) }
