package httpapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// Bounds of a stream.
const (
	defaultWindow = 256              // messages handed over and not acknowledged
	maxWindow     = 10_000           // the most a client may ask for
	maxSending    = 64               // drafts of one stream on their way into the outbox
	streamPull    = 20 * time.Second // one wait for messages
	streamWrite   = 10 * time.Second // a client that takes longer to read is cut off
	streamPing    = 20 * time.Second
)

// stream is one WebSocket: the gateway sends message objects; the client sends
// {"ack":[…]} or {"send":{…},"ref":"…"} and is answered {"acked":n},
// {"sent":{…},"ref":"…"} or {"problem":{…},"ref":"…"}.
func (a *api) serveStream(w http.ResponseWriter, r *http.Request) {
	who, err := a.admit(r, access.Receive)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	c, max, _, err := pullQuery(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	window := defaultWindow
	if v := r.URL.Query().Get("window"); v != "" {
		if window, err = strconv.Atoi(v); err != nil || window < 1 || window > maxWindow {
			a.refuse(w, r, problem.New(http.StatusUnprocessableEntity, "query_invalid", "window is a number from 1 to 10000").With("member", "window"))
			return
		}
	}
	conn, err := websocket.Accept(&problemWriter{ResponseWriter: w, r: r}, r, nil)
	if err != nil {
		return // answered by Accept
	}
	defer conn.CloseNow()
	conn.SetReadLimit(MaxMessage)
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	s := &stream{
		api: a, conn: conn, may: who.may(access.Send), alive: who.alive, window: window, auto: c.AutoAck,
		room: make(chan struct{}, 1), sending: make(chan struct{}, maxSending), open: make(map[string]struct{}),
	}
	var wg sync.WaitGroup
	for _, part := range []func(context.Context) error{s.read, s.ping, func(ctx context.Context) error { return s.feed(ctx, c, max) }} {
		wg.Go(func() { cancel(part(ctx)) })
	}
	wg.Wait()
	a.Receiver.Return(slices.Collect(maps.Keys(s.open))) // nobody else knows their tokens
	s.sends.Wait()
	if p := problem.From(context.Cause(ctx)); p.Status < 500 && p.Status != 499 {
		conn.Close(websocket.StatusPolicyViolation, p.Code)
		return
	}
	conn.Close(websocket.StatusGoingAway, "")
}

type stream struct {
	api     *api
	conn    *websocket.Conn
	may     bool         // send
	alive   func() error // nil while its key or session lasts
	window  int
	auto    bool
	room    chan struct{} // a token when acknowledgements made room
	sending chan struct{} // counts drafts on their way
	sends   sync.WaitGroup

	mu   sync.Mutex
	open map[string]struct{} // tokens handed over and not acknowledged
}

// feed pulls and writes messages while fewer than window are open.
func (s *stream) feed(ctx context.Context, c gateway.Consumer, max int) error {
	var buf []byte
	for {
		s.mu.Lock()
		free := s.window - len(s.open)
		s.mu.Unlock()
		if free <= 0 {
			select {
			case <-s.room:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		list, err := s.api.Receiver.Pull(ctx, c, min(free, max), streamPull)
		if err != nil {
			return err
		}
		if !s.auto {
			s.mu.Lock()
			for i := range list {
				s.open[list[i].Ack] = struct{}{}
			}
			s.mu.Unlock()
		}
		for i := range list {
			buf = list[i].AppendJSON(buf[:0])
			if err := s.write(ctx, buf); err != nil {
				return err
			}
		}
		if cap(buf) > 1<<20 {
			buf = nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (s *stream) write(ctx context.Context, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, streamWrite)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, b)
}

// ping finds clients that went away without a word, and ends the stream of a
// key or session that is no more.
func (s *stream) ping(ctx context.Context) error {
	tick := s.api.Clock.NewTicker(streamPing)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.Chan():
			if err := s.alive(); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, streamWrite)
			err := s.conn.Ping(ctx)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}

// read takes what the client sends.
func (s *stream) read(ctx context.Context) error {
	for {
		_, doc, err := s.conn.Read(ctx)
		if err != nil {
			return err
		}
		var acks []string
		var draft []byte
		var ref string
		err = schema.Object(doc, depth, func(name, value []byte) error {
			switch string(name) {
			case "ack", "acks":
				return texts(&acks, value, "ack", MaxAcks)
			case "send":
				draft = value
			case "ref":
				return text(&ref, value, "ref")
			default:
				return problem.New(http.StatusUnprocessableEntity, "request_invalid", "the members ack, send and ref are known")
			}
			return nil
		})
		if err == nil && draft != nil && !s.may {
			err = access.ErrScope.With("scope", access.Send)
		}
		if err == nil && len(acks) > 0 {
			err = s.ack(ctx, acks)
		}
		if err != nil {
			if err := s.problem(ctx, err, ref); err != nil {
				return err
			}
			continue
		}
		if draft == nil {
			continue
		}
		select {
		case s.sending <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.sends.Go(func() {
			defer func() { <-s.sending }()
			s.send(ctx, draft, ref)
		})
	}
}

func (s *stream) ack(ctx context.Context, acks []string) error {
	if err := s.api.Receiver.Ack(ctx, acks); err != nil {
		return err
	}
	s.mu.Lock()
	for _, t := range acks {
		delete(s.open, t)
	}
	s.mu.Unlock()
	select {
	case s.room <- struct{}{}:
	default:
	}
	return s.write(ctx, append(strconv.AppendInt([]byte(`{"acked":`), int64(len(acks)), 10), '}'))
}

// send hands one draft to the outbox and tells the client what became of it.
func (s *stream) send(ctx context.Context, doc []byte, ref string) {
	d, err := parseDraft(doc)
	if err == nil {
		var results []gateway.Accepted
		var errs []error
		results, errs = s.api.Sender.Send(ctx, []gateway.Draft{d})
		if err = errs[0]; err == nil {
			b := results[0].AppendJSON([]byte(`{"sent":`))
			_ = s.write(ctx, closeWith(b, ref)) // the reader notices
			return
		}
	}
	_ = s.problem(ctx, err, ref)
}

// problem tells the client; it returns an error only when that fails.
func (s *stream) problem(ctx context.Context, err error, ref string) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	b := append([]byte(`{"problem":`), problemJSON(err)...)
	return s.write(ctx, closeWith(b, ref))
}

func closeWith(b []byte, ref string) []byte {
	if ref != "" {
		b = gateway.AppendText(append(b, `,"ref":`...), ref)
	}
	return append(b, '}')
}
