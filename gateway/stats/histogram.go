package stats

import "math/bits"

// A histogram counts times in ms: exactly below 16, then in eight steps for
// each doubling, so that a quantile is off by 6 % at most; what is longer than
// 17 minutes counts as that.
type histogram struct {
	n      uint32
	bucket [buckets]uint32
}

const (
	exact   = 16
	top     = 20 // 2^20 ms
	buckets = exact + (top-4)*8
)

func (h *histogram) add(ms int64) {
	h.n++
	h.bucket[bucketOf(ms)]++
}

func (h *histogram) merge(o *histogram) {
	if o == nil || o.n == 0 {
		return
	}
	h.n += o.n
	for i, c := range o.bucket {
		h.bucket[i] += c
	}
}

func bucketOf(ms int64) int {
	switch {
	case ms < 0:
		return 0
	case ms < exact:
		return int(ms)
	case ms >= 1<<top:
		return buckets - 1
	}
	octave := bits.Len64(uint64(ms)) - 1 // 4 to 19
	return exact + (octave-4)*8 + int(ms>>(octave-3))&7
}

// middle is the time that a bucket stands for.
func middle(b int) int64 {
	if b < exact {
		return int64(b)
	}
	b -= exact
	octave := b/8 + 4
	width := int64(1) << (octave - 3)
	return int64(8+b%8)*width + width/2
}

// quantile returns the time that a share q of all do not exceed, nil when
// nothing was counted.
func (h *histogram) quantile(q float64) *int64 {
	if h.n == 0 {
		return nil
	}
	want := uint64(q*float64(h.n) + 0.999999)
	want = max(want, 1)
	var sum uint64
	for b, c := range h.bucket {
		if sum += uint64(c); sum >= want {
			ms := middle(b)
			return &ms
		}
	}
	ms := middle(buckets - 1)
	return &ms
}
