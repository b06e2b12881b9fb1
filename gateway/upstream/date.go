package upstream

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dated remembers the Date of the newest answer and when it came, for the check
// of the own clock.
type dated struct {
	next http.RoundTripper
	last atomic.Pointer[heard]
}

type heard struct{ date, at time.Time }

func (d *dated) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err == nil {
		if t, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
			d.last.Store(&heard{date: t, at: time.Now()})
		}
	}
	return resp, err
}

// time adds what has passed since, by the monotonic clock, which nobody sets.
func (d *dated) time() time.Time {
	h := d.last.Load()
	if h == nil {
		return time.Time{}
	}
	return h.date.Add(time.Since(h.at))
}
