package httpapi

import (
	"context"
	"encoding/base64"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/inbox"
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
	list.Description = "Without content. With state or re, an answer may hold fewer entries than asked for, even none, and still have a next: " +
		"they are not indexed, and one request looks through 1000 messages of each direction. " +
		"Needs the scope send for sent messages and receive for received ones."
	register(a, list, func(ctx context.Context, in *struct {
		Direction string          `query:"direction" enum:"in,out" doc:"only received (in) or sent (out) messages; default both"`
		Channel   string          `query:"channel" maxLength:"64" doc:"only this channel"`
		Partner   string          `query:"partner" maxLength:"256" doc:"only messages from or to this DID"`
		State     []gateway.State `query:"state" maxItems:"7" enum:"waiting,accepted,delivered,verified,refused,unconfirmed,undelivered" doc:"only messages in one of these states, joined by commas; received ones are waiting, verified or refused"`
		Re        string          `query:"re" maxLength:"36" doc:"only answers to the message of this id, as far as what they answer is kept"`
		Since     int64           `query:"since" minimum:"0" doc:"only what is here since then, ms since 1970"`
		Before    string          `query:"before" maxLength:"1024" doc:"the next of an earlier answer"`
		Max       int             `query:"max" minimum:"0" maximum:"200" doc:"at most this many, default 50"`
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
		w := wanted{states: in.State, re: strings.ToLower(in.Re), since: in.Since}
		if w.re != "" && !gateway.ValidID(w.re) {
			return nil, problem.New(http.StatusUnprocessableEntity, "query_invalid", "re is the id of a message, a UUID").With("member", "re")
		}
		l, next, err := a.mergeLog(ctx, directions, f, w, in.Before)
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

// maxLooked is how many entries of one direction one request looks through for
// what is not indexed.
const maxLooked = 1000

// received are the states that a received message can be in; a sent one can be
// in all others, and in those two that are both's.
var received = map[gateway.State]bool{inbox.StateVerified: true, gateway.StateWaiting: true, gateway.StateRefused: true}

// wanted is what entries are looked through for; empty members do not filter.
type wanted struct {
	states []gateway.State
	re     string
	since  int64 // ms
}

// possible reports whether a message of a direction can be in one of the states.
func (w *wanted) possible(direction string) bool {
	return len(w.states) == 0 || slices.ContainsFunc(w.states, func(s gateway.State) bool {
		return direction == gateway.In && received[s] || direction == gateway.Out && s != inbox.StateVerified
	})
}

// all reports whether every entry fits that is new enough.
func (w *wanted) all() bool { return len(w.states) == 0 && w.re == "" }

func (w *wanted) fits(e *gateway.Entry) bool {
	return (len(w.states) == 0 || slices.Contains(w.states, e.State)) && (w.re == "" || w.re == e.Re)
}

// past reports whether an entry, and so all that follow, came too early.
func (w *wanted) past(e *gateway.Entry) bool { return max(e.At, e.Here) < w.since }

// looked is what one direction has for a page.
type looked struct {
	list []gateway.Entry // newest first
	end  place           // where it goes on behind the list
	back int64           // when of the last that was looked at
}

// more reports whether the list is used up and older entries were not looked at.
func (l *looked) more() bool { return len(l.list) == 0 && !l.end.over }

// look reads up to f.Max entries of a direction that are wanted, from a place
// on.
func (a *api) look(ctx context.Context, direction string, f gateway.EntryFilter, w *wanted, from place) (*looked, error) {
	l := &looked{end: from, back: math.MaxInt64}
	book := a.logbook(direction)
	if l.end.over = from.over || book == nil || !w.possible(direction); l.end.over {
		return l, nil
	}
	most := f.Max
	if !w.all() {
		f.Max = 200
	}
	for seen := 0; seen < maxLooked; {
		f.Before = l.end.before
		entries, err := book.Entries(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			if w.past(&entries[i]) {
				l.end.over = true
				return l, nil
			}
			l.end.before, l.back = entries[i].Cursor, when(&entries[i])
			if !w.fits(&entries[i]) {
				continue
			}
			if l.list = append(l.list, entries[i]); len(l.list) == most {
				return l, nil
			}
		}
		if len(entries) < f.Max {
			l.end.over = true
			return l, nil
		}
		seen += len(entries)
	}
	return l, nil
}

// mergeLog lists entries of the given directions as one, the newest first.
func (a *api) mergeLog(ctx context.Context, directions []string, f gateway.EntryFilter, w wanted, before string) ([]gateway.Entry, string, error) {
	places, ok := parsePlaces(before)
	if !ok {
		return nil, "", problem.New(http.StatusUnprocessableEntity, "query_invalid", "before is the next of an earlier answer").With("member", "before")
	}
	of := make(map[string]*looked, 2)
	for _, d := range directions {
		var err error
		if of[d], err = a.look(ctx, d, f, &w, places[d]); err != nil {
			return nil, "", err
		}
	}
	out := []gateway.Entry{}
	for len(out) < f.Max {
		best := ""
		for _, d := range directions {
			if l := of[d].list; len(l) > 0 && (best == "" || when(&l[0]) > when(&of[best].list[0])) {
				best = d
			}
		}
		// What a direction was not looked through for may be newer than this.
		if best == "" || slices.ContainsFunc(directions, func(d string) bool { return of[d].more() && of[d].back > when(&of[best].list[0]) }) {
			break
		}
		e := of[best].list[0]
		of[best].list = of[best].list[1:]
		places[best] = place{before: e.Cursor}
		out = append(out, e)
	}
	left := false
	for _, d := range directions {
		if len(of[d].list) == 0 {
			places[d] = of[d].end
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
