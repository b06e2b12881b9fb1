package httpapi

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/internal/problem"
)

// scopeOf is what a caller needs to see a direction of the log.
var scopeOf = map[string]access.Scope{gateway.In: access.Receive, gateway.Out: access.Send}

// logPaths registers the log of sent and received messages.
func (a *api) logPaths() {
	type entries struct {
		Entries []gateway.Entry `json:"entries"`
		Next    string          `json:"next" doc:"pass it as before to go on; empty at the end"`
	}
	list := a.operation("", http.MethodGet, "log", "list-log", "Sent and received messages, newest first")
	list.Description = "Without content. Needs the scope send for sent messages and receive for received ones."
	register(a, list, func(ctx context.Context, in *struct {
		Direction string `query:"direction" enum:"in,out" doc:"only received (in) or sent (out) messages; default both"`
		Channel   string `query:"channel" maxLength:"64" doc:"only this channel"`
		Partner   string `query:"partner" maxLength:"256" doc:"only messages from or to this DID"`
		Before    string `query:"before" maxLength:"1024" doc:"the next of an earlier answer"`
		Max       int    `query:"max" minimum:"0" maximum:"200" doc:"at most this many, default 50"`
	}) (*body[entries], error) {
		directions := []string{gateway.Out, gateway.In}
		if in.Direction != "" {
			directions = []string{in.Direction}
		}
		for _, d := range directions {
			if !callerOf(ctx).may(scopeOf[d]) {
				return nil, access.ErrScope.With("scope", scopeOf[d])
			}
		}
		f := gateway.EntryFilter{Channel: in.Channel, Partner: in.Partner, Max: in.Max}
		if f.Max == 0 {
			f.Max = 50
		}
		l, next, err := a.mergeLog(ctx, directions, f, in.Before)
		if err != nil {
			return nil, err
		}
		return &body[entries]{entries{l, next}}, nil
	})

	trace := a.operation("", http.MethodGet, "log/{direction}/{id}", "trace", "All that is known of one message")
	trace.Description = "What happened to it, every check that was made with its evidence, and its content where this gateway still holds it. " +
		"Needs the scope send for sent messages and receive for received ones."
	register(a, trace, func(ctx context.Context, in *struct {
		Direction string `path:"direction" enum:"in,out"`
		ID        string `path:"id" maxLength:"64"`
	}) (*body[gateway.Trace], error) {
		if !callerOf(ctx).may(scopeOf[in.Direction]) {
			return nil, access.ErrScope.With("scope", scopeOf[in.Direction])
		}
		book, id := a.logbook(in.Direction), strings.ToLower(in.ID)
		if book == nil || !gateway.ValidID(id) {
			return nil, gateway.MessageUnknown(id)
		}
		t, err := book.Trace(ctx, id)
		return answer(t, err)
	})
}

func (a *api) logbook(direction string) gateway.Logbook {
	if direction == gateway.Out {
		return a.LogOut
	}
	return a.LogIn
}

// place is where a page of one direction begins.
type place struct {
	before string
	over   bool // nothing is left
}

// mergeLog lists entries of the given directions as one, the newest first.
func (a *api) mergeLog(ctx context.Context, directions []string, f gateway.EntryFilter, before string) ([]gateway.Entry, string, error) {
	places, ok := parsePlaces(before)
	if !ok {
		return nil, "", problem.New(http.StatusUnprocessableEntity, "query_invalid", "before is the next of an earlier answer").With("member", "before")
	}
	lists := make(map[string][]gateway.Entry, 2)
	for _, d := range directions {
		book := a.logbook(d)
		if book == nil || places[d].over {
			places[d] = place{over: true}
			continue
		}
		f.Before = places[d].before
		l, err := book.Entries(ctx, f)
		if err != nil {
			return nil, "", err
		}
		lists[d] = l
	}
	full := map[string]bool{}
	for d, l := range lists {
		full[d] = len(l) >= f.Max
	}
	out := []gateway.Entry{}
	for len(out) < f.Max {
		best := ""
		for _, d := range directions {
			if l := lists[d]; len(l) > 0 && (best == "" || when(&l[0]) > when(&lists[best][0])) {
				best = d
			}
		}
		if best == "" {
			break
		}
		e := lists[best][0]
		lists[best] = lists[best][1:]
		places[best] = place{before: e.Cursor}
		out = append(out, e)
	}
	left := false
	for _, d := range directions {
		if len(lists[d]) == 0 && !full[d] {
			places[d] = place{over: true}
		}
		left = left || !places[d].over
	}
	if !left {
		return out, "", nil
	}
	return out, formatPlaces(places), nil
}

// when is what entries of both directions are ordered by.
func when(e *gateway.Entry) int64 {
	if e.Direction == gateway.In && e.Here != 0 {
		return e.Here
	}
	return e.At
}

// formatPlaces writes <out>.<in>, each "-" when over, else base64url.
func formatPlaces(p map[string]place) string {
	one := func(d string) string {
		if p[d].over {
			return "-"
		}
		return base64.RawURLEncoding.EncodeToString([]byte(p[d].before))
	}
	return one(gateway.Out) + "." + one(gateway.In)
}

func parsePlaces(s string) (map[string]place, bool) {
	p := map[string]place{}
	if s == "" {
		return p, true
	}
	out, in, ok := strings.Cut(s, ".")
	if !ok {
		return nil, false
	}
	for d, text := range map[string]string{gateway.Out: out, gateway.In: in} {
		if text == "-" {
			p[d] = place{over: true}
			continue
		}
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, false
		}
		p[d] = place{before: string(b)}
	}
	return p, true
}
