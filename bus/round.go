package bus

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/nats-io/nats.go"
)

// JetStream error codes the publisher tells apart.
const (
	codeMaxPerSubject = 10077 // the subject's or the stream's number of messages
	codeTooLarge      = 10054 // message above the stream's size
	codeStreamFull    = 10122 // stream out of its bytes, as told by the store
)

// round is what is in flight for one partition.
type round struct {
	id      uint64
	lane    *lane
	items   []*item
	batch   bool
	left    int
	done    chan struct{}
	cut     error // ended from outside: disconnected, closed
	refused bool  // batch: the stream refused it whole
	err     error // batch: what its acknowledgement says
}

func (p *publisher) open(l *lane, items []*item, batch bool) *round {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	r := &round{id: p.next, lane: l, items: items, batch: batch, left: len(items), done: make(chan struct{})}
	if batch {
		r.left = 1
	}
	if p.closed {
		p.end(r, fail(CodeClosed, "the connection was closed"))
	}
	p.rounds[r.id] = r
	return r
}

func (p *publisher) drop(r *round) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.rounds, r.id)
}

// end closes a round from outside; p.mu is held.
func (p *publisher) end(r *round, err error) {
	if r.left > 0 {
		r.left, r.cut = 0, err
		close(r.done)
	}
}

// settle notes one answer.
func (p *publisher) settle(r *round, i int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.left == 0 {
		return
	}
	if r.batch {
		r.err = err
		var e *Error
		// A refusal of the stream is about some message; no responders too.
		r.refused = errors.As(err, &e) && e.Code != CodeBadAck
		r.left = 0
		close(r.done)
		return
	}
	if r.items[i].done && r.items[i].err == nil {
		return // answered twice
	}
	p.finish(r.items[i], err)
	if r.left--; r.left == 0 {
		close(r.done)
	}
}

// interrupt ends every round: their answers cannot come any more.
func (p *publisher) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rounds {
		p.end(r, fail(CodeDisconnected, "the connection went away before the answer"))
	}
}

func (p *publisher) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, r := range p.rounds {
		p.end(r, fail(CodeClosed, "the connection was closed"))
	}
}

// refused ends what waits for an answer on a subject that the server does not
// let this login use: there will be none.
func (p *publisher) refused(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rounds {
		for _, it := range r.items {
			if r.left == 0 || it.done || it.msg.Subject != subject {
				continue
			}
			if r.batch {
				r.refused, r.left = true, 0
				close(r.done)
				continue
			}
			p.finish(it, fail(CodeNotPermitted, "the server refuses to publish to this subject"))
			if r.left--; r.left == 0 {
				close(r.done)
			}
		}
	}
}

// pubAck is JetStream's answer to a publish.
type pubAck struct {
	Error *struct {
		Code        int    `json:"code"`
		ErrCode     int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
	Stream    string `json:"stream"`
	Seq       uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
	Count     int    `json:"count"`
}

// check judges an acknowledgement; the publisher's lock is held. Whoever knows a
// reply subject could forge one, so what can be compared is compared.
func (r *round) check(m *nats.Msg, i int) error {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return fail(CodeNoMailbox, "no stream takes this subject")
	}
	var a pubAck
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fail(CodeBadAck, "not an acknowledgement")
	}
	if e := a.Error; e != nil {
		code := CodeRefused
		switch e.ErrCode {
		case codeMaxPerSubject:
			code = CodeMailboxFull
			if e.Description == "maximum bytes exceeded" || e.Description == "maximum messages exceeded" {
				code = CodeStreamFull
			}
		case codeStreamFull:
			code = CodeStreamFull
		case codeTooLarge:
			code = CodeTooLarge
		}
		return &Error{Code: code, Server: e.ErrCode, Text: e.Description}
	}
	switch {
	case a.Stream != Stream(r.lane.pp):
		return fail(CodeBadAck, "acknowledged by stream %q", a.Stream)
	case a.Duplicate:
		return fail(CodeBadAck, "acknowledged as a duplicate, so it was not stored")
	case r.batch && a.Count != len(r.items):
		return fail(CodeBadAck, "a batch of %d was acknowledged as %d", len(r.items), a.Count)
	case a.Seq <= r.lane.last:
		// A stream that went back: an operator restored an older copy. The next
		// attempt is measured against what it says now.
		err := fail(CodeBadAck, "acknowledged with sequence %d after %d", a.Seq, r.lane.last)
		r.lane.last = 0
		return err
	}
	r.lane.last = a.Seq
	return nil
}

// localError is an error of the client library before anything was sent.
func localError(err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return fail(CodeTooLarge, "above the server's payload limit")
	case errors.Is(err, nats.ErrConnectionClosed):
		return fail(CodeClosed, "the connection was closed")
	default:
		return fail(CodeDisconnected, "%v", err)
	}
}

// randomID returns 128 random bits as 22 characters.
func randomID() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
