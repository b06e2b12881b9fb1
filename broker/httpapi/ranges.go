package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/internal/problem"
)

// byteRange is what is served of size bytes: length bytes from offset on.
type byteRange struct{ offset, length, size int64 }

// contentRange is the value of Content-Range (RFC 9110 section 14.4).
func (r byteRange) contentRange() string {
	return fmt.Sprintf("bytes %d-%d/%d", r.offset, r.offset+r.length-1, r.size)
}

// parseRange reads a Range header (RFC 9110 section 14.2) for something of size
// bytes. One range is served; none, several, another unit or something that is
// no range at all ask for the whole, as the standard allows. part is false
// then. A range that lies outside is code range, status 416.
func parseRange(header string, size int64) (r byteRange, part bool, err error) {
	all := byteRange{0, size, size}
	unit, spec, ok := strings.Cut(header, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Contains(spec, ",") {
		return all, false, nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return all, false, nil
	}
	outside := problem.New(http.StatusRequestedRangeNotSatisfiable, "range", "the range lies outside").With("size", size)
	if first == "" {
		n, ok := digits(last)
		switch {
		case !ok:
			return all, false, nil
		case n == 0 || size == 0:
			return byteRange{}, false, outside
		}
		n = min(n, size)
		return byteRange{size - n, n, size}, true, nil
	}
	from, ok := digits(first)
	if !ok {
		return all, false, nil
	}
	to := size - 1
	if last != "" {
		end, ok := digits(last)
		if !ok || end < from {
			return all, false, nil
		}
		to = min(to, end)
	}
	if from >= size {
		return byteRange{}, false, outside
	}
	return byteRange{from, to - from + 1, size}, true, nil
}

// digits reads a decimal number; one too large for an int64 is the largest.
func digits(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1, true
	}
	return n, true
}

// parseUntil reads the query's until, ms since 1970.
func parseUntil(s string) (int64, error) {
	n, ok := digits(s)
	if !ok || len(s) > 16 {
		return 0, broker.ErrUntil
	}
	return n, nil
}
