package pages

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/console/form"
	"github.com/digital-spine/spine/gateway"
)

// Channels is the list of channels.
type Channels struct {
	components.Frame
	List  []ChannelLine
	Err   error
	Edges error // why rates are not known
}

// ChannelLine is a channel in the list, with what went over it lately.
type ChannelLine struct {
	gateway.Channel
	In, Out float64 // messages a minute
	Last    int64   // the latest, ms since 1970
}

// Channel is the page of one channel.
type Channel struct {
	components.Frame
	Channel  gateway.Channel
	Err      error
	Topic    *client.TopicRecord
	TopicErr error

	Members    []gateway.Member
	Total      int
	MembersErr error

	Recent    []Row
	RecentErr error

	Send     *SendBox
	Snippets []components.Snippet
}

// SendBox is the form that a message is sent with.
type SendBox struct {
	Audience  // whom it goes to, on which channel
	CSRF      string
	Re        string      // id of the message that is answered
	Key       string      // makes sending twice one message
	Mode      string      // form or json
	Form      *form.Field // nil: the topic is not one that a form can show
	Raw       string      // the document as JSON text
	Examples  int         // how many examples the schema has
	Problem   error       // why it was not sent
	Sent      *gateway.Accepted
	Snippets  []components.Snippet // of what was sent, or is about to be
	NotJSON   bool                 // the topic takes files
	SchemaErr error                // why there is no form
}

// fileOn is where a file is sent to whom the box is for.
func fileOn(s *SendBox) templ.SafeURL {
	q := url.Values{"channel": {s.Channel}}
	if !s.Everybody {
		q["to"] = s.To
	}
	return templ.SafeURL("/files?" + q.Encode())
}

// roleName returns the first part of a role's name; the rest says where it is.
func roleName(role string) string {
	name, _, _ := strings.Cut(role, ".roles.")
	return name
}

// topicName returns the first part of a topic's name.
func topicName(topic string) string {
	name, _, _ := strings.Cut(topic, ".")
	return name
}

// pretty returns a schema for people.
func pretty(doc json.RawMessage) string {
	v, err := form.ParseJSON(doc)
	if err != nil {
		return string(doc)
	}
	return form.Indent(v)
}

// inputID names an input for its label.
func inputID(pointer string) string { return "f" + pointer }

// choice returns what a JSON text of a choice is called.
func choice(option string) string {
	v, err := form.ParseJSON([]byte(option))
	if s, ok := v.(string); ok && err == nil {
		return s
	}
	return option
}

// label returns what a field is called.
func label(f *form.Field) string {
	if f.Title != "" {
		return f.Title
	}
	return f.Name
}

// flat reports whether a group has only plain inputs, which stand side by side.
func flat(f *form.Field) bool {
	for _, c := range f.Fields {
		switch c.Kind {
		case form.KindObject, form.KindArray, form.KindJSON, form.KindLong:
			return false
		}
	}
	return len(f.Fields) > 0
}
