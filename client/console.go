package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/gateway"
)

// Overview returns what happened in the last minutes (1 to 60; 0: 15).
func (c *Client) Overview(ctx context.Context, minutes int) (*gateway.Overview, error) {
	q := url.Values{}
	if minutes > 0 {
		q.Set("minutes", strconv.Itoa(minutes))
	}
	var o gateway.Overview
	return &o, c.call(ctx, http.MethodGet, "/overview?"+q.Encode(), nil, &o)
}

// LogFilter selects entries of the log; empty members do not filter.
type LogFilter struct {
	Direction string // gateway.In, gateway.Out
	Channel   string
	Partner   string          // DID
	State     []gateway.State // any of these
	Re        string          // id of the message that they answer
	Since     int64           // here since then, ms since 1970
	Before    string          // the next of an earlier answer
	Max       int             // 1 to 200, 50 when 0
}

// Log lists sent and received messages, newest first, and what to pass as
// Before to go on; it is empty at the end. With State or Re there may be something to
// go on with behind an empty list, too.
func (c *Client) Log(ctx context.Context, f LogFilter) ([]gateway.Entry, string, error) {
	q := url.Values{}
	for k, v := range map[string]string{"direction": f.Direction, "channel": f.Channel, "partner": f.Partner, "re": f.Re, "before": f.Before} {
		if v != "" {
			q.Set(k, v)
		}
	}
	states := make([]string, len(f.State))
	for i, s := range f.State {
		states[i] = string(s)
	}
	if len(states) > 0 {
		q.Set("state", strings.Join(states, ","))
	}
	if f.Since > 0 {
		q.Set("since", strconv.FormatInt(f.Since, 10))
	}
	if f.Max > 0 {
		q.Set("max", strconv.Itoa(f.Max))
	}
	var out struct {
		Entries []gateway.Entry `json:"entries"`
		Next    string          `json:"next"`
	}
	err := c.call(ctx, http.MethodGet, "/log?"+q.Encode(), nil, &out)
	return out.Entries, out.Next, err
}

// Trace tells all that the gateway knows of one message; code message_unknown.
func (c *Client) Trace(ctx context.Context, direction, id string) (*gateway.Trace, error) {
	var t gateway.Trace
	return &t, c.call(ctx, http.MethodGet, "/log/"+url.PathEscape(direction)+"/"+url.PathEscape(id), nil, &t)
}

// EventFilter selects events; empty members do not filter.
type EventFilter struct {
	Before int64 // only events below this number; 0: the newest
	Kind   string
	Code   string
	Max    int // 1 to 1000, 100 when 0
}

// RecentEvents lists events, newest first, and what to pass as Before to go on;
// it is 0 at the end.
func (c *Client) RecentEvents(ctx context.Context, f EventFilter) ([]gateway.Event, int64, error) {
	q := url.Values{"order": {"desc"}}
	if f.Before > 0 {
		q.Set("before", strconv.FormatInt(f.Before, 10))
	}
	if f.Kind != "" {
		q.Set("kind", f.Kind)
	}
	if f.Code != "" {
		q.Set("code", f.Code)
	}
	if f.Max > 0 {
		q.Set("max", strconv.Itoa(f.Max))
	}
	var out struct {
		Events []gateway.Event `json:"events"`
		Next   int64           `json:"next"`
	}
	err := c.call(ctx, http.MethodGet, "/events?"+q.Encode(), nil, &out)
	return out.Events, out.Next, err
}

// Codes explains every stable code in plain words.
func (c *Client) Codes(ctx context.Context) ([]gateway.CodeInfo, error) {
	var out struct {
		Codes []gateway.CodeInfo `json:"codes"`
	}
	err := c.call(ctx, http.MethodGet, "/codes", nil, &out)
	return out.Codes, err
}

// Channels lists the channels.
func (c *Client) Channels(ctx context.Context) ([]gateway.Channel, error) {
	var out struct {
		Channels []gateway.Channel `json:"channels"`
	}
	err := c.call(ctx, http.MethodGet, "/channels", nil, &out)
	return out.Channels, err
}

// Channel shows a channel; code channel_unknown.
func (c *Client) Channel(ctx context.Context, name string) (*gateway.Channel, error) {
	var ch gateway.Channel
	return &ch, c.call(ctx, http.MethodGet, "/channels/"+url.PathEscape(name), nil, &ch)
}

// Members tells who may send to and receive from a channel, and why. The number
// is how many there are; at most max are listed (1 to 1000; 0: 200).
func (c *Client) Members(ctx context.Context, channel string, max int) ([]gateway.Member, int, error) {
	q := url.Values{}
	if max > 0 {
		q.Set("max", strconv.Itoa(max))
	}
	var out struct {
		Members []gateway.Member `json:"members"`
		Total   int              `json:"total"`
	}
	err := c.call(ctx, http.MethodGet, "/channels/"+url.PathEscape(channel)+"/members?"+q.Encode(), nil, &out)
	return out.Members, out.Total, err
}

// TopicRecord is a topic with its schema, as the directory serves it.
type TopicRecord struct {
	Name      string          `json:"name"`
	Version   string          `json:"version"`
	Kind      string          `json:"kind"` // json, csv, binary; empty: json
	Revision  uint64          `json:"revision"`
	Owner     string          `json:"owner"` // DID that signed it
	Order     string          `json:"order"` // strict, prompt
	NotBefore int64           `json:"nbf"`   // ms since 1970
	NotAfter  int64           `json:"naf"`
	Record    string          `json:"record"` // digest of the signed record
	Digest    string          `json:"digest"` // digest of the schema
	Schema    json.RawMessage `json:"schema"` // root file of the schema
}

// ShowTopic shows a topic; an empty version means the newest in force.
func (c *Client) ShowTopic(ctx context.Context, name, version string) (*TopicRecord, error) {
	q := url.Values{}
	if version != "" {
		q.Set("version", version)
	}
	var t TopicRecord
	return &t, c.call(ctx, http.MethodGet, "/topics/"+url.PathEscape(name)+"?"+q.Encode(), nil, &t)
}

// Contacts lists the names that people of this gateway gave to DIDs.
func (c *Client) Contacts(ctx context.Context) ([]gateway.Contact, error) {
	var out struct {
		Contacts []gateway.Contact `json:"contacts"`
	}
	err := c.call(ctx, http.MethodGet, "/contacts", nil, &out)
	return out.Contacts, err
}

// PutContact gives a DID a name, known to this gateway only.
func (c *Client) PutContact(ctx context.Context, did, name string) error {
	return c.call(ctx, http.MethodPut, "/contacts/"+url.PathEscape(did), map[string]string{"name": name}, nil)
}

// DeleteContact takes a name away; code contact_unknown.
func (c *Client) DeleteContact(ctx context.Context, did string) error {
	return c.call(ctx, http.MethodDelete, "/contacts/"+url.PathEscape(did), nil, nil)
}
