package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// bar shows on a terminal how far a transfer is; elsewhere it shows nothing.
type bar struct {
	out   io.Writer
	name  string
	mu    sync.Mutex
	begin time.Time
	first int64 // what was there already
	shown time.Time
	wide  int
}

// Widths of the bar, in characters.
const (
	barWidth = 24
	barName  = 28
)

func newBar(out io.Writer, name string) *bar {
	f, ok := out.(*os.File)
	if !ok {
		return &bar{}
	}
	if st, err := f.Stat(); err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return &bar{}
	}
	return &bar{out: out, name: name}
}

// show draws the bar anew, at most ten times a second.
func (b *bar) show(through, total int64) {
	if b.out == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.begin.IsZero() {
		b.begin, b.first = now, through
	}
	if now.Sub(b.shown) < 100*time.Millisecond && through < total {
		return
	}
	b.shown = now
	line := barLine(b.name, through, total, float64(through-b.first)/max(now.Sub(b.begin).Seconds(), 0.001))
	pad := max(0, b.wide-len([]rune(line)))
	b.wide = len([]rune(line))
	fmt.Fprint(b.out, "\r"+line+strings.Repeat(" ", pad))
}

// barLine is a line such as "model.csv  [######......]  50%  512.0 MB  98.1 MB/s".
func barLine(name string, through, total int64, perSecond float64) string {
	part := 1.0
	if total > 0 {
		part = min(1, float64(through)/float64(total))
	}
	full := int(part * barWidth)
	short := []rune(printable(name))
	if len(short) > barName {
		short = append(short[:barName-1], '…')
	}
	return fmt.Sprintf("%s  [%s%s] %3.0f%%  %s  %s/s", string(short), strings.Repeat("#", full), strings.Repeat(".", barWidth-full), part*100,
		byteText(float64(through)), byteText(perSecond))
}

func byteText(n float64) string {
	for _, unit := range []string{"B", "kB", "MB"} {
		if n < 1000 {
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.1f GB", n)
}

// end leaves the bar's line.
func (b *bar) end() {
	if b.out != nil && !b.begin.IsZero() {
		fmt.Fprintln(b.out)
	}
}
