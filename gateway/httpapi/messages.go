package httpapi

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// messages registers the paths of every message, by hand.
func (a *api) messages() {
	r := a.Router
	r.Post("/api/v1/messages", a.guard(access.Send, a.send))
	r.Post("/api/v1/messages/batch", a.guard(access.Send, a.sendBatch))
	r.Get("/api/v1/messages", a.guard(access.Receive, a.receive))
	r.Get("/api/v1/messages/{id}", a.guard(access.Send, a.status))
	r.Post("/api/v1/acks", a.guard(access.Receive, a.ack))
	r.Get("/api/v1/stream", a.serveStream)
	a.describe()
}

func (a *api) send(w http.ResponseWriter, r *http.Request) error {
	doc, err := httpkit.ReadBody(r, MaxMessage)
	if err != nil {
		return err
	}
	d, err := parseDraft(doc)
	if err != nil {
		return err
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		if d.IdempotencyKey != "" && d.IdempotencyKey != key {
			return gateway.DraftInvalid("idempotencyKey", "header and message name different idempotency keys")
		}
		d.IdempotencyKey = key
		if err := d.Validate(); err != nil {
			return err
		}
	}
	results, errs := a.Sender.Send(r.Context(), []gateway.Draft{d})
	if errs[0] != nil {
		return errs[0]
	}
	code := http.StatusCreated
	if results[0].State == gateway.StateWaiting {
		code = http.StatusAccepted
	}
	w.Header().Set("Location", "/api/v1/messages/"+results[0].ID)
	return write(w, code, func(b []byte) []byte { return results[0].AppendJSON(b) })
}

func (a *api) sendBatch(w http.ResponseWriter, r *http.Request) error {
	httpkit.AllowBody(w, r, MaxBatch)
	doc, err := httpkit.ReadBody(r, MaxBatch)
	if err != nil {
		return err
	}
	parse := parseBatch
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		parse = parseLines
	}
	drafts, errs, err := parse(doc)
	if err != nil {
		return err
	}
	if len(drafts) == 0 {
		return problem.New(http.StatusBadRequest, "body_empty", "the batch has no messages")
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		for i := range drafts {
			if errs[i] == nil && drafts[i].IdempotencyKey == "" {
				drafts[i].IdempotencyKey = key + "/" + strconv.Itoa(i)
				errs[i] = drafts[i].Validate()
			}
		}
	}
	results := a.sendGood(r, drafts, errs)
	return write(w, http.StatusOK, func(b []byte) []byte {
		b = append(b, `{"results":[`...)
		for i := range drafts {
			if i > 0 {
				b = append(b, ',')
			}
			if errs[i] != nil {
				b = appendProblem(b, errs[i])
			} else {
				b = results[i].AppendJSON(b)
			}
		}
		return append(b, "]}"...)
	})
}

// sendGood sends the drafts that have no error yet, and fills in the others.
func (a *api) sendGood(r *http.Request, drafts []gateway.Draft, errs []error) []gateway.Accepted {
	good, at := drafts, []int(nil)
	for i, err := range errs {
		if err != nil {
			good = make([]gateway.Draft, 0, len(drafts))
			at = make([]int, 0, len(drafts))
			for i = range drafts {
				if errs[i] == nil {
					good, at = append(good, drafts[i]), append(at, i)
				}
			}
			break
		}
	}
	if len(good) == 0 {
		return make([]gateway.Accepted, len(drafts))
	}
	results, failed := a.Sender.Send(r.Context(), good)
	if at == nil {
		copy(errs, failed)
		return results
	}
	all := make([]gateway.Accepted, len(drafts))
	for i, j := range at {
		all[j], errs[j] = results[i], failed[i]
	}
	return all
}

// appendProblem appends {"problem":{…}}.
func appendProblem(b []byte, err error) []byte {
	b = append(b, `{"problem":`...)
	b = append(b, problemJSON(err)...)
	return append(b, '}')
}

func problemJSON(err error) []byte {
	p := problem.From(explain(err))
	doc, jerr := json.Marshal(&httpkit.Problem{
		Type: "about:blank", Title: http.StatusText(p.Status), Status: p.Status, Code: p.Code, Detail: p.Message, Hint: p.Hint, Extra: p.Details,
	})
	if jerr != nil {
		return []byte(`{"status":500,"code":"internal"}`)
	}
	return doc
}

func (a *api) status(w http.ResponseWriter, r *http.Request) error {
	id := strings.ToLower(chi.URLParam(r, "id"))
	if !gateway.ValidID(id) {
		return gateway.MessageUnknown(id)
	}
	st, err := a.Sender.Status(r.Context(), id)
	if err != nil {
		return err
	}
	httpkit.WriteJSON(w, http.StatusOK, st)
	return nil
}

func (a *api) receive(w http.ResponseWriter, r *http.Request) error {
	c, max, wait, err := pullQuery(r)
	if err != nil {
		return err
	}
	list, err := a.Receiver.Pull(r.Context(), c, max, wait)
	if err != nil {
		return err
	}
	if r.Context().Err() != nil && !c.AutoAck { // it went away while it waited
		a.Receiver.Return(tokensOf(list))
	}
	size := 0
	for i := range list {
		size += len(list[i].Body) + 1024
	}
	return write(w, http.StatusOK, func(b []byte) []byte {
		b = append(slices.Grow(b, size), `{"messages":[`...)
		for i := range list {
			if i > 0 {
				b = append(b, ',')
			}
			b = list[i].AppendJSON(b)
		}
		return append(b, "]}"...)
	})
}

// tokensOf returns the acknowledgement tokens of messages.
func tokensOf(list []gateway.Message) []string {
	tokens := make([]string, len(list))
	for i := range list {
		tokens[i] = list[i].Ack
	}
	return tokens
}

// pullQuery reads channel, consumer, max, wait and autoack.
func pullQuery(r *http.Request) (c gateway.Consumer, max int, wait time.Duration, err error) {
	invalid := func(member, message string) error {
		return problem.New(http.StatusUnprocessableEntity, "query_invalid", message).With("member", member)
	}
	max = 100
	for name, values := range r.URL.Query() {
		v := values[0]
		switch name {
		case "channel":
			c.Channel = v
		case "consumer":
			c.Name = v
		case "max":
			if max, err = strconv.Atoi(v); err != nil || max < 1 || max > MaxPull {
				return c, 0, 0, invalid(name, "max is a number from 1 to 1000")
			}
		case "wait":
			if wait, err = duration(v); err != nil || wait < 0 || wait > MaxWait {
				return c, 0, 0, invalid(name, "wait is a time from 0s to 60s, such as 10s")
			}
		case "autoack":
			if c.AutoAck, err = strconv.ParseBool(v); err != nil {
				return c, 0, 0, invalid(name, "autoack is true or false")
			}
		case "window":
		default:
			return c, 0, 0, invalid("", "the query has a member that is not known")
		}
	}
	if c.Name == "" {
		c.Name = gateway.DefaultConsumer
	}
	if len(c.Name) > 64 || len(c.Channel) > gateway.MaxChannelName {
		return c, 0, 0, invalid("consumer", "names have at most 64 bytes")
	}
	return c, max, wait, nil
}

// duration reads "10s", "500ms" or a number of seconds.
func duration(v string) (time.Duration, error) {
	if n, err := strconv.Atoi(v); err == nil && n >= 0 && n < 1<<20 {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(v)
}

func (a *api) ack(w http.ResponseWriter, r *http.Request) error {
	doc, err := httpkit.ReadBody(r, MaxMessage)
	if err != nil {
		return err
	}
	tokens, err := parseAcks(doc)
	if err != nil {
		return err
	}
	if err := a.Receiver.Ack(r.Context(), tokens); err != nil {
		return err
	}
	return write(w, http.StatusOK, func(b []byte) []byte {
		return append(strconv.AppendInt(append(b, `{"acked":`...), int64(len(tokens)), 10), '}')
	})
}

// parseAcks reads {"acks":["…"]}.
func parseAcks(doc []byte) (tokens []string, err error) {
	err = schema.Object(doc, depth, func(name, value []byte) error {
		if string(name) != "acks" && string(name) != "ack" {
			return problem.New(http.StatusUnprocessableEntity, "request_invalid", "the member acks is expected, and no other")
		}
		return texts(&tokens, value, "acks", MaxAcks)
	})
	if err == nil && len(tokens) == 0 {
		err = problem.New(http.StatusUnprocessableEntity, "request_invalid", "name at least one acknowledgement token")
	}
	return tokens, err
}

// buffers are reused for answers; large ones are left to the collector.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// write answers with JSON that f appends.
func write(w http.ResponseWriter, status int, f func([]byte) []byte) error {
	p := buffers.Get().(*[]byte)
	b := f((*p)[:0])
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
	if cap(b) <= 4<<20 {
		*p = b
		buffers.Put(p)
	}
	return nil
}
