package components

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// People are the names that this gateway's people gave to DIDs.
type People struct {
	Self  string            // this gateway's own DID
	Names map[string]string // by DID
}

// Name returns what to call a DID: its name, or a short form of it.
func (p People) Name(did string) string {
	if n := p.Names[did]; n != "" {
		return n
	}
	return ShortDID(did)
}

// Known reports whether a DID has a name.
func (p People) Known(did string) bool { return p.Names[did] != "" }

// In puts names in place of the DIDs that stand in a text.
func (p People) In(text string) string {
	if !strings.Contains(text, "did:") {
		return text
	}
	words := strings.Fields(text)
	for i, w := range words {
		did := strings.TrimRight(w, ".,;:")
		if strings.HasPrefix(did, "did:") {
			words[i] = p.Name(did) + w[len(did):]
		}
	}
	return strings.Join(words, " ")
}

// ShortDID shortens a DID to what people can compare at a glance.
func ShortDID(did string) string {
	i := strings.LastIndexByte(did, ':')
	if last := did[i+1:]; len(last) > 16 {
		return last[:6] + "…" + last[len(last)-4:]
	}
	return Clip(did, 40)
}

// Short shortens a digest or id.
func Short(id string) string {
	if len(id) <= 18 {
		return id
	}
	return id[:8] + "…" + id[len(id)-6:]
}

// Clip cuts text behind n characters.
func Clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// ISO returns a time of ms since 1970 in full, in UTC.
func ISO(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// Full returns a time of ms since 1970 for people, in UTC.
func Full(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000 UTC") }

// Clock returns the time of day of ms since 1970, in UTC.
func Clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("15:04:05") }

// Day returns the date of ms since 1970, in UTC.
func Day(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02") }

// Bytes returns a number of bytes for people, in SI units.
func Bytes(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, units := float64(n), "kMGTPE"
	i := -1
	for v >= 999.5 && i < len(units)-1 {
		v /= 1000
		i++
	}
	return fmt.Sprintf("%.3g %cB", v, units[i])
}

// Count returns a number with thin spaces between thousands.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// Plural returns a number with its noun.
func Plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Rate returns messages per minute for people.
func Rate(perMinute float64) string {
	switch {
	case perMinute == 0:
		return "0"
	case perMinute < 10:
		return strconv.FormatFloat(perMinute, 'f', 1, 64)
	}
	return Count(int64(perMinute + .5))
}

// Span returns a time span between two moments of ms since 1970.
func Span(from, to int64) string {
	d := time.Duration(to-from) * time.Millisecond
	switch {
	case d < 0:
		return "−" + Span(to, from)
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " d"
}

// tone is how a state is shown: class, icon and words.
type tone struct{ class, icon, text string }

var tones = map[gateway.State]tone{
	gateway.StateWaiting:     {"", "clock", "waiting"},
	gateway.StateAccepted:    {"info", "up", "accepted"},
	gateway.StateDelivered:   {"ok", "check", "delivered"},
	gateway.StateRefused:     {"bad", "cross", "refused"},
	gateway.StateUnconfirmed: {"warn", "alert", "unconfirmed"},
	gateway.StateUndelivered: {"bad", "cross", "undelivered"},
	"verified":               {"ok", "shield", "verified"},
}

func toneOf(s gateway.State) tone {
	if t, ok := tones[s]; ok {
		return t
	}
	return tone{"", "dot", Clip(string(s), 30)}
}

// stepTone says how a step of a timeline is shown.
func stepTone(name string) tone {
	switch strings.ToLower(name) {
	case "delivered", "verified", "acknowledged", "handed over", "done":
		return tone{"ok", "check", ""}
	case "refused", "undelivered", "failed":
		return tone{"bad", "cross", ""}
	case "unconfirmed", "resent":
		return tone{"warn", "alert", ""}
	}
	return tone{"", "dot", ""}
}

// place is where in a document an error is, as a JSON pointer; empty if it is
// not known, or the document as a whole.
func place(err error) string {
	at, _ := problem.From(err).Details["pointer"].(string)
	return Clip(at, 100)
}

// Severity icons.
func severityIcon(s string) string {
	switch s {
	case gateway.SeverityError:
		return "cross-circle"
	case gateway.SeverityWarning:
		return "alert"
	}
	return "info"
}
