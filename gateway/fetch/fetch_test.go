package fetch_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/fetch"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

type signer struct{ key ed25519.PrivateKey }

func (s signer) Sign(_ context.Context, m []byte) ([]byte, error) { return ed25519.Sign(s.key, m), nil }

var key = signer{func() ed25519.PrivateKey { _, k, _ := ed25519.GenerateKey(rand.Reader); return k }()}

// signed makes an envelope; its content does not matter here.
func signed(t *testing.T, size int) *envelope.Envelope {
	t.Helper()
	ct := make([]byte, size)
	rand.Read(ct)
	e, err := envelope.SignEnvelope(context.Background(), key, envelope.Header{Time: 1}, ct)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// store answers with what f says.
type store func(ctx context.Context, hash [32]byte) (io.ReadCloser, error)

func (s store) GetBlob(ctx context.Context, hash [32]byte, offset, length int64) (io.ReadCloser, error) {
	return s(ctx, hash)
}

func run(t *testing.T, s store) (*fetch.Pool, *clockwork.FakeClock) {
	clock := clockwork.NewFakeClock()
	p := fetch.New(s, clock)
	ctx, cancel := context.WithCancel(testkit.Context(t))
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return p, clock
}

// broken ends with an error after some bytes.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestFetch: what a store may answer, and what it means.
func TestFetch(t *testing.T) {
	e := signed(t, 5000)
	other := bytes.Clone(e.Ciphertext)
	other[7] ^= 1
	body := func(b []byte) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	}
	fails := func(err error) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return nil, err }
	}
	for name, c := range map[string]struct {
		answer func() (io.ReadCloser, error)
		code   envelope.Code
		ok     bool
	}{
		"the body":          {body(e.Ciphertext), "", true},
		"another":           {body(other), envelope.ContentHash, false},
		"shorter":           {body(e.Ciphertext[:4999]), envelope.ContentHash, false},
		"longer":            {body(append(bytes.Clone(e.Ciphertext), 0)), envelope.ContentHash, false},
		"empty":             {body(nil), envelope.ContentHash, false},
		"without end":       {func() (io.ReadCloser, error) { return io.NopCloser(endless{}), nil }, envelope.ContentHash, false},
		"cut on the way":    {func() (io.ReadCloser, error) { return io.NopCloser(broken{bytes.NewReader(e.Ciphertext[:9])}), nil }, "", false},
		"none":              {fails(problem.New(404, "not_found", "none")), envelope.ContentHash, false},
		"content_hash":      {fails(envelope.ContentHash.Errorf("x")), envelope.ContentHash, false},
		"unreachable":       {fails(errors.New("no route")), "", false},
		"not allowed":       {fails(problem.New(401, "unauthorized", "x")), "unauthorized", false},
		"a store that dies": {func() (io.ReadCloser, error) { panic("x") }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := run(t, func(context.Context, [32]byte) (io.ReadCloser, error) { return c.answer() })
			p.Add(fetch.Job{ID: 7, Sender: "a", Notice: e.Notice()})
			r := <-p.Results()
			if r.ID != 7 || (r.Err == nil) != c.ok || envelope.CodeOf(r.Err) != c.code {
				t.Fatalf("%+v", r)
			}
			if c.ok && (r.Envelope.Digest() != e.Digest() || !bytes.Equal(r.Envelope.Bytes(), e.Bytes())) {
				t.Fatal("another envelope")
			}
		})
	}
}

// TestLength: the length of a notice is not signed; the hash decides.
func TestLength(t *testing.T) {
	e := signed(t, 5000)
	n := *e.Notice()
	n.Len = 300
	p, _ := run(t, func(context.Context, [32]byte) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(e.Ciphertext)), nil
	})
	p.Add(fetch.Job{Notice: &n})
	if r := <-p.Results(); r.Err != nil {
		t.Fatal(r.Err)
	}
}

// TestShare: a sender whose bodies do not come leaves room for others, and a
// store that does not answer is given up.
func TestShare(t *testing.T) {
	slow, fine := signed(t, 300), signed(t, 300)
	known := fine.CiphertextHash() // computed once: workers compare it
	var mu sync.Mutex
	busy, most := 0, 0
	p, clock := run(t, func(ctx context.Context, hash [32]byte) (io.ReadCloser, error) {
		if hash == known {
			return io.NopCloser(bytes.NewReader(fine.Ciphertext)), nil
		}
		mu.Lock()
		busy++
		most = max(most, busy)
		mu.Unlock()
		<-ctx.Done()
		mu.Lock()
		busy--
		mu.Unlock()
		return nil, ctx.Err()
	})
	for i := range 100 {
		p.Add(fetch.Job{ID: int64(i), Sender: "slow", Notice: slow.Notice()})
	}
	for i := range 20 {
		p.Add(fetch.Job{ID: int64(1000 + i), Sender: "fine", Notice: fine.Notice()})
	}
	for range 20 {
		if r := <-p.Results(); r.Sender != "fine" || r.Err != nil {
			t.Fatalf("%+v", r)
		}
	}
	if err := clock.BlockUntilContext(testkit.Context(t), fetch.PerSender); err != nil {
		t.Fatal(err)
	}
	clock.Advance(fetch.Patience)
	for range fetch.PerSender {
		if r := <-p.Results(); r.Sender != "slow" || r.Err == nil || envelope.CodeOf(r.Err) == envelope.ContentHash {
			t.Fatalf("%+v", r)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if most > fetch.PerSender {
		t.Fatalf("%d at once of one sender", most)
	}
}
