package intake

import (
	"context"
	"slices"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
)

// Bounds of what is awaited: entries that have their place in the chain and
// whose content is on its way. What does not fit is dropped and asked for
// later, as anything over a budget.
const (
	maxAwaits          = 1024      // of one session, as with holes
	maxAwaitsPerSender = 2048      // of one sender
	maxAwaitsInAll     = 8192      // of all
	maxFilesPerSender  = 16_384    // objects that entries of one sender wait for
	maxFilesInAll      = 65_536    // of all
	maxTakes           = 8         // descriptions given to Objects at the same time
	objectsPerSender   = 32        // objects of one sender that are brought here at once
	objectsInAll       = 256       // objects of all senders
	objectBytes        = 4         // times the longest file: what one sender's objects in progress may claim
	awaitRetry         = 10 * 60e3 // ms; a thing not heard of is asked about again
)

// room is how much may be awaited; tests have less of it.
type room struct {
	perSender, inAll           int // entries
	filesPerSender, filesInAll int
}

// Await is an entry whose content is on its way: the body of a notice, or the
// parts of objects. It is not in custody: receipts stop before it, or list it as
// missing.
type Await struct {
	Seq     uint64        `cbor:"1,keyasint"`
	Before  [32]byte      `cbor:"2,keyasint"`           // D of Seq-1: the head of a receipt that stops here
	Since   int64         `cbor:"3,keyasint"`           // ms
	Len     int           `cbor:"4,keyasint,omitempty"` // of the body to be fetched; 0 once it is here
	Objects []AwaitObject `cbor:"5,keyasint,omitempty"` // of its frames, once the body is here
	Bad     []inbox.Fault `cbor:"6,keyasint,omitempty"` // frames refused so far
	Why     int           `cbor:"7,keyasint,omitempty"` // listed as missing for this reason; 0: receipts stop before it
	Failed  int64         `cbor:"8,keyasint,omitempty"` // when the store was first found not to have it, ms
	Asked   int           `cbor:"9,keyasint,omitempty"`
	NextAsk int64         `cbor:"10,keyasint,omitempty"`
	Passed  bool          `cbor:"11,keyasint,omitempty"` // a gap was reported: later messages no longer wait
	Lazy    bool          `cbor:"12,keyasint,omitempty"` // in custody by its description, and handed over

	notice  *envelope.Notice // of this process; nil after a restart
	lines   []gateway.Entry  // of its messages, told of again when they are here
	counted int              // bytes of its body that its sender's share counts
	files   int              // objects that count as awaited
	next    int64            // when to try again, ms; 0: now
	tries   int
}

// AwaitObject is an object of a frame that is awaited.
type AwaitObject struct {
	Frame int    `cbor:"1,keyasint"`
	Size  int64  `cbor:"2,keyasint"`
	File  string `cbor:"3,keyasint,omitempty"` // its id here, once Objects has the description
	Done  bool   `cbor:"4,keyasint,omitempty"`

	busy  bool  // Objects is at it
	lazy  bool  // may be handed over before its parts are here
	told  bool  // that it waits for room was reported
	next  int64 // when to ask Objects again, ms; 0: now
	tries int
}

// awaited returns what is awaited of a number, nil when nothing is.
func (l *Ledger) awaited(seq uint64) *Await {
	if i, ok := l.findAwait(seq); ok {
		return l.Awaits[i]
	}
	return nil
}

func (l *Ledger) findAwait(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(l.Awaits, seq, func(a *Await, seq uint64) int {
		switch {
		case a.Seq < seq:
			return -1
		case a.Seq > seq:
			return 1
		}
		return 0
	})
}

// await notes that the content of a number is on its way.
func (l *Ledger) await(a *Await) {
	i, _ := l.findAwait(a.Seq)
	l.Awaits = slices.Insert(l.Awaits, i, a)
}

// arrived ends the wait for a number.
func (l *Ledger) arrived(seq uint64) {
	if i, ok := l.findAwait(seq); ok {
		l.Awaits = slices.Delete(l.Awaits, i, i+1)
	}
}

// holdsBack reports whether the entry may not be handed over yet.
func (l *Ledger) holdsBack(seq uint64) bool {
	if len(l.Awaits) == 0 {
		return false
	}
	a := l.awaited(seq)
	return a != nil && !a.Lazy
}

// firstAwait returns the first await at or above from for which later messages
// of a strict lane wait, or nil.
func (l *Ledger) firstAwait(from uint64) *Await {
	for _, a := range l.Awaits {
		if a.Seq >= from && !a.Passed && !a.Lazy {
			return a
		}
	}
	return nil
}

// roomToAwait reports whether one more entry of the session may wait for its
// content.
func (x *Intake) roomToAwait(s *session) bool {
	return len(s.led.Awaits) < maxAwaits && x.awaits[s.row.Sender] < x.room.perSender && x.awaitsN < x.room.inAll && x.roomForFiles(s)
}

// roomForFiles reports whether one more entry may bring objects.
func (x *Intake) roomForFiles(s *session) bool {
	return x.files[s.row.Sender] < x.room.filesPerSender && x.filesN < x.room.filesInAll
}

// countFiles has n objects of an entry count as awaited.
func (x *Intake) countFiles(s *session, a *Await, n int) {
	x.filesN += n - a.files
	x.freed = x.freed || n < a.files
	if x.files[s.row.Sender] += n - a.files; x.files[s.row.Sender] <= 0 {
		delete(x.files, s.row.Sender)
	}
	a.files = n
}

// await notes that the content of an entry is on its way.
func (x *Intake) await(s *session, a *Await) {
	s.led.await(a)
	x.countAwaits(s, 1)
	x.countFiles(s, a, len(a.Objects))
	x.active[s.row.ID] = s
	s.pursue = true
	x.touch(s, false)
}

// arrived ends the wait for an entry.
func (x *Intake) arrived(s *session, a *Await) {
	s.led.arrived(a.Seq)
	x.countAwaits(s, -1)
	x.countFiles(s, a, 0)
	for i := range a.Objects {
		x.atRest(s, &a.Objects[i])
	}
	s.advance = true
	x.active[s.row.ID] = s
	x.touch(s, false)
	x.owe(s, false)
}

// countAwaits keeps the senders' shares.
func (x *Intake) countAwaits(s *session, n int) {
	x.awaitsN += n
	if x.awaits[s.row.Sender] += n; x.awaits[s.row.Sender] <= 0 {
		delete(x.awaits, s.row.Sender)
	}
}

// count has n bytes of a body that is awaited count in its sender's share.
func (x *Intake) count(s *session, a *Await, n int) {
	x.shares[s.row.Sender] += int64(n - a.counted)
	a.counted = n
}

// dropped notes a number that was dropped for want of room: it is asked for
// as what was seen and is not held.
func (x *Intake) dropped(s *session, seq uint64) {
	if int64(seq)+1 > s.led.Highest {
		s.led.Highest = int64(seq) + 1
		x.touch(s, false)
	}
	x.active[s.row.ID] = s
}

// pursueNow looks for the content of an entry at once: its sender says that it
// is there.
func (x *Intake) pursueNow(s *session, a *Await) {
	a.next, a.tries = 0, 0
	for i := range a.Objects {
		a.Objects[i].next, a.Objects[i].tries = 0, 0
	}
	s.pursue = true
	x.active[s.row.ID] = s
}

// pursueAwaits looks for what is awaited and asks for what is not to be had. It
// reports when to look again, 0 for not by itself.
func (x *Intake) pursueAwaits(ctx context.Context, s *session, now int64) (next int64, err error) {
	if len(s.led.Awaits) == 0 || s.row.State != Open || now > s.row.Expires {
		return 0, nil
	}
	if !s.pursue && (s.pursueAt == 0 || now < s.pursueAt) {
		return s.pursueAt, nil
	}
	s.pursue = false
	ask := false
	for _, a := range s.led.Awaits {
		if a.Failed > 0 {
			if now >= a.NextAsk {
				a.NextAsk, ask = nextAsk(a.Failed, a.Asked, now), true
				a.Asked++
			}
			next = sooner(next, a.NextAsk)
		}
		if !s.ready {
			continue // until its secret is at hand, and its topic
		}
		if a.Len > 0 {
			again, err := x.pursueBody(ctx, s, a, now)
			if err != nil {
				return 0, err
			}
			next = sooner(next, again)
			continue
		}
		for i := range a.Objects {
			next = sooner(next, x.pursueObject(s, a, &a.Objects[i], now))
		}
	}
	if ask {
		x.owe(s, true)
		x.touch(s, false)
	}
	s.pursueAt = next
	return next, nil
}

// notThere notes that the store has not what an entry needs, and has it asked
// for.
func (x *Intake) notThere(s *session, a *Await, err error) {
	now := x.now()
	s.pursue = true
	if a.Failed > 0 {
		return
	}
	a.Failed, a.Why, a.NextAsk = now, WhyBody, now
	x.touch(s, false)
	x.failedBody(s, a, err)
}
