package pages

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/console/form"
	"github.com/digital-spine/spine/gateway"
)

// Message is the page of one message.
type Message struct {
	components.Frame
	Direction, ID string
	Trace         *gateway.Trace
	Err           error
	Codes         map[string]gateway.CodeInfo
	Snippets      []components.Snippet
	Answers       *Answers // nil: not asked for
}

// Answers are the messages that answer one.
type Answers struct {
	List []Row // newest first
	More bool  // not all that came since was looked through
	Err  error
	Path string // of the list of messages that goes on looking
}

// Most of a body that is shown; what is longer is downloaded over the API.
const (
	maxShown = 256 << 10 // bytes of raw text
	maxNodes = 3000      // members and items of the tree
)

// document returns the content as JSON, false when it is none.
func (m *Message) document() (any, bool) {
	if len(m.Trace.Body) == 0 || len(m.Trace.Body) > 4*maxShown {
		return nil, false
	}
	v, err := form.ParseJSON(m.Trace.Body)
	return v, err == nil
}

// raw returns the content as it came, as far as it can be shown as text.
func (m *Message) raw() string {
	b := m.Trace.Body
	if len(b) > maxShown {
		b = b[:maxShown]
	}
	if !utf8.Valid(b) {
		b = []byte(strings.ToValidUTF8(string(b), "\ufffd"))
	}
	return string(b)
}

// passed counts the checks that were passed.
func (m *Message) passed() (n int) {
	for _, c := range m.Trace.Checks {
		if c.Result == "ok" {
			n++
		}
	}
	return n
}

// names returns the names of a map in order.
func names(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// digestLike reports whether a text is an id to shorten and copy.
func digestLike(s string) bool {
	return len(s) >= 32 && !strings.ContainsAny(s, " \n")
}

func ptr(n int) *int { return &n }
