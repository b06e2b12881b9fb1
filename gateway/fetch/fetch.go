// Package fetch brings the bodies of notices from the broker's blob store: a
// few at a time, no sender more than its share of them, each in memory only
// while it is in hand. What comes is compared with the signed hash; nothing
// else of a message is looked at here, and nothing is remembered: whoever asks
// decides whether and when to ask again.
package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/problem"
)

// Store has blobs by hash. An error of status 404 or with code content_hash
// says that there is none; any other says nothing about it.
type Store interface {
	GetBlob(ctx context.Context, hash [32]byte, offset, length int64) (io.ReadCloser, error)
}

// Bounds of a pool.
const (
	Workers   = 8           // bodies in hand at once
	PerSender = Workers / 2 // of one sender
	Patience  = time.Minute // for one body
)

// Job asks for the body of one notice.
type Job struct {
	ID     int64  // the caller's own
	Sender string // whose share it counts on
	Notice *envelope.Notice
}

// Result is what became of a Job. Err has the code content_hash when the store
// has no body, or another one; without a code it says that the store did not
// answer.
type Result struct {
	Job
	Envelope *envelope.Envelope
	Err      error
}

// Pool fetches. Its methods may be called from many goroutines.
type Pool struct {
	store Store
	clock clockwork.Clock
	out   chan Result

	mu     sync.Mutex
	more   *sync.Cond
	closed bool
	by     map[string]*line
	turn   []*line // senders with jobs that wait, in turn
}

// line is one sender's jobs.
type line struct {
	sender string
	jobs   []Job
	busy   int
}

// New makes a pool. Run starts it.
func New(store Store, clock clockwork.Clock) *Pool {
	p := &Pool{store: store, clock: clock, out: make(chan Result), by: make(map[string]*line)}
	p.more = sync.NewCond(&p.mu)
	return p
}

// Add asks for a body. It does not block; how many wait is the caller's to
// bound.
func (p *Pool) Add(j Job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.by[j.Sender]
	if l == nil {
		l = &line{sender: j.Sender}
		p.by[j.Sender] = l
	}
	if len(l.jobs) == 0 {
		p.turn = append(p.turn, l)
	}
	l.jobs = append(l.jobs, j)
	p.more.Signal()
}

// Results delivers what became of jobs. A worker holds its body until it is
// taken from here.
func (p *Pool) Results() <-chan Result { return p.out }

// Run fetches until ctx ends. Jobs that wait then are forgotten.
func (p *Pool) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.closed = true
		p.more.Broadcast()
	})
	defer stop()
	var all sync.WaitGroup
	for range Workers {
		all.Go(func() { p.work(ctx) })
	}
	all.Wait()
}

func (p *Pool) work(ctx context.Context) {
	for {
		j, ok := p.next()
		if !ok {
			return
		}
		env, err := p.fetch(ctx, j.Notice)
		select {
		case <-ctx.Done():
			return
		case p.out <- Result{Job: j, Envelope: env, Err: err}:
		}
		p.finish(j)
	}
}

// next waits for a job whose sender has not used up its share.
func (p *Pool) next() (Job, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.closed {
			return Job{}, false
		}
		for i, l := range p.turn {
			if l.busy >= PerSender {
				continue
			}
			j := l.jobs[0]
			l.jobs[0] = Job{}
			l.jobs = l.jobs[1:]
			l.busy++
			p.turn = append(p.turn[:i], p.turn[i+1:]...)
			if len(l.jobs) > 0 {
				p.turn = append(p.turn, l)
			}
			return j, true
		}
		p.more.Wait()
	}
}

func (p *Pool) finish(j Job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.by[j.Sender]
	l.busy--
	if l.busy == 0 && len(l.jobs) == 0 {
		delete(p.by, j.Sender)
	}
	p.more.Signal()
}

// fetch brings one body. It reads no more than the longest has.
func (p *Pool) fetch(ctx context.Context, n *envelope.Notice) (env *envelope.Envelope, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := p.clock.AfterFunc(Patience, cancel)
	defer timer.Stop()
	defer func() {
		if v := recover(); v != nil {
			env, err = nil, fmt.Errorf("fetching a body panicked: %v", v)
		}
	}()
	r, err := p.store.GetBlob(ctx, n.CTHash, 0, -1)
	if err != nil {
		return nil, absent(err)
	}
	defer r.Close()
	body := bytes.NewBuffer(make([]byte, 0, n.Len+bytes.MinRead))
	if _, err := body.ReadFrom(io.LimitReader(r, envelope.MaxCiphertext+1)); err != nil { // cut off on the way: nothing is known of the body
		return nil, fmt.Errorf("fetch a body: %w", err)
	}
	if body.Len() > envelope.MaxCiphertext {
		return nil, envelope.ContentHash.Errorf("body of more than %d bytes", envelope.MaxCiphertext)
	}
	whole := *n
	whole.Len = body.Len() // it is not signed: the hash decides
	return whole.Envelope(body.Bytes())
}

// absent tells a store that has no such body from one that did not answer.
func absent(err error) error {
	if envelope.CodeOf(err) == envelope.ContentHash {
		return err
	}
	var p *problem.Error
	if errors.As(err, &p) && (p.Status == http.StatusNotFound || p.Status == http.StatusGone) {
		return envelope.ContentHash.Errorf("the store has no such body")
	}
	return fmt.Errorf("fetch a body: %w", err)
}
