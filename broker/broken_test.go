package broker_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/broker/brokertest"
	"github.com/digital-spine/spine/broker/node"
	"github.com/digital-spine/spine/broker/sqlstore"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// breaking makes one call to what a broker rests on break off, as it does for a
// caller that goes away, or whose answer is lost.
type breaking struct {
	left  int  // calls until the one that breaks off
	after bool // it is made before
}

func (b *breaking) call(made func() error) error {
	if b.left--; b.left != 0 {
		return made()
	}
	if b.after {
		if err := made(); err != nil {
			return err
		}
	}
	return context.Canceled
}

// get is call for what is read: made or not is the same.
func get[T any](b *breaking, made func() (T, error)) (out T, err error) {
	if b.left--; b.left == 0 {
		return out, context.Canceled
	}
	return made()
}

type brokenStore struct {
	broker.Store
	b *breaking
}

func (s brokenStore) EnsureMailbox(ctx context.Context, m broker.Mailbox, limit int) (out broker.Mailbox, created bool, err error) {
	err = s.b.call(func() (err error) {
		out, created, err = s.Store.EnsureMailbox(ctx, m, limit)
		return err
	})
	return out, created, err
}

func (s brokenStore) Put(ctx context.Context, o broker.Object, quota int64) (stored bool, err error) {
	err = s.b.call(func() (err error) {
		stored, err = s.Store.Put(ctx, o, quota)
		return err
	})
	return stored, err
}

func (s brokenStore) Get(ctx context.Context, kind broker.Kind, d envelope.Digest) (broker.Object, error) {
	return get(s.b, func() (broker.Object, error) { return s.Store.Get(ctx, kind, d) })
}

func (s brokenStore) RaiseFloor(ctx context.Context, did string, inst, floor uint64) (highest uint64, err error) {
	err = s.b.call(func() (err error) {
		highest, err = s.Store.RaiseFloor(ctx, did, inst, floor)
		return err
	})
	return highest, err
}

func (s brokenStore) Ban(ctx context.Context, ban broker.Ban) error {
	return s.b.call(func() error { return s.Store.Ban(ctx, ban) })
}

func (s brokenStore) Claim(ctx context.Context, did string, until, quota int64, blobs []blob.Info) error {
	return s.b.call(func() error { return s.Store.Claim(ctx, did, until, quota, blobs) })
}

func (s brokenStore) Claimed(ctx context.Context, hashes []blob.Hash) ([]int64, error) {
	return get(s.b, func() ([]int64, error) { return s.Store.Claimed(ctx, hashes) })
}

func (s brokenStore) BlobUsage(ctx context.Context, did string, except blob.Hash) (int64, error) {
	return get(s.b, func() (int64, error) { return s.Store.BlobUsage(ctx, did, except) })
}

func (s brokenStore) ExpireClaims(ctx context.Context, now int64, limit int) (n int, unclaimed []blob.Hash, err error) {
	err = s.b.call(func() (err error) {
		n, unclaimed, err = s.Store.ExpireClaims(ctx, now, limit)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return n, unclaimed, nil
}

// brokenBlobs is a blob store in memory.
type brokenBlobs struct {
	blob.Store
	b   *breaking
	all map[blob.Hash]int64
}

func (s brokenBlobs) Put(_ context.Context, h blob.Hash, size int64, _ io.Reader) error {
	return s.b.call(func() error {
		s.all[h] = size
		return nil
	})
}

func (s brokenBlobs) Stat(_ context.Context, h blob.Hash) (int64, error) {
	return get(s.b, func() (int64, error) {
		if size, ok := s.all[h]; ok {
			return size, nil
		}
		return 0, blob.ErrNotFound
	})
}

func (s brokenBlobs) Delete(_ context.Context, h blob.Hash) error {
	return s.b.call(func() error {
		delete(s.all, h)
		return nil
	})
}

func (s brokenBlobs) List(context.Context, blob.Hash, int) ([]blob.Info, error) {
	return get(s.b, func() (out []blob.Info, err error) {
		for h, size := range s.all { // fewer than a page, all of them old
			out = append(out, blob.Info{Hash: h, Size: size})
		}
		return out, nil
	})
}

// brokenPlane is a message bus on paper.
type brokenPlane struct {
	broker.Plane
	b     *breaking
	boxes map[string]int  // partitions of the mailboxes that are open
	conns map[string]bool // addresses that are connected
}

func (p *brokenPlane) Open(_ context.Context, pp int, addr string) error {
	return p.b.call(func() error {
		p.boxes[addr] = pp
		return nil
	})
}

func (p *brokenPlane) Kick(_ context.Context, addr string) (int, error) {
	return 0, p.b.call(func() error {
		delete(p.conns, addr)
		return nil
	})
}

// TestWhatBreaksOffIsCompleted has each call of a participant's life at a broker
// break off in turn, in the process that goes on and in the next one. What is
// asked for again is there in the end, is counted once, and what had to end has
// ended.
func TestWhatBreaksOffIsCompleted(t *testing.T) {
	first := brokertest.New(t, 0)
	second := *first
	second.Certify(t, 7)
	for _, after := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("made %v, restarted %v", after, restart), func(t *testing.T) {
				t.Parallel() // most of the time a disk is waited for
				for n := 1; ; n++ {
					broke := false
					t.Run(fmt.Sprint("call ", n), func(t *testing.T) {
						broke = breakOff(t, first, &second, &breaking{left: n, after: after}, restart)
					})
					if !broke {
						break
					}
				}
			})
		}
	}
}

func breakOff(t *testing.T, first, second *brokertest.Participant, off *breaking, restart bool) bool {
	const size, quota = 10_000, 20_000
	ctx := testkit.Context(t)
	clock := clockwork.NewFakeClockAt(time.Now())
	store, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "b.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	blobs := brokenBlobs{b: off, all: map[blob.Hash]int64{}}
	chain := &brokertest.Chain{}
	plane := &brokenPlane{b: off, boxes: map[string]int{}, conns: map[string]bool{}}
	net := brokertest.Network()
	network := broker.Network{ChainID: net.ChainID, DIDRegistry: net.Contracts.DIDRegistry, RetentionMS: net.RetentionMS, Wire: net.Wire}
	var b *brokertest.Broker
	open := func() {
		made, err := broker.New(ctx, broker.Deps{Network: network, Limits: broker.Limits{BlobQuota: quota},
			Store: brokenStore{store, off}, Blobs: blobs, Plane: plane, DIDs: chain, Names: chain,
			Clock: clock, Log: testkit.Logger(t), Origin: "http://127.0.0.1:1", Secret: make([]byte, 32)})
		if err != nil {
			t.Fatal(err)
		}
		b = &brokertest.Broker{Node: &node.Node{Broker: made}}
		clear(plane.conns)
	}
	open()
	// again asks until it is answered: one call breaks off, so the second time.
	again := func(what string, ask func() error) {
		t.Helper()
		err := ask()
		if errors.Is(err, context.Canceled) {
			if restart {
				open()
			}
			err = ask()
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	token := ""
	login := func(p *brokertest.Participant) {
		t.Helper()
		again("login", func() error {
			body := p.LoginBody(b)
			body.At = clock.Now().UnixMilli()
			l, err := envelope.NewLogin(ctx, p, body)
			if err != nil {
				t.Fatal(err)
			}
			in, err := b.Broker.Login(ctx, p.Cert.Bytes(), l.Bytes())
			if err == nil {
				token = in.Token
				if pp, ok := plane.boxes[p.Addr]; !ok || pp != in.NATS.PP {
					t.Error("the mailbox of the login is not open")
				}
			}
			return err
		})
	}
	session := func() *broker.Session {
		t.Helper()
		s, err := b.Broker.Session(token)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	charged := func(want int64) {
		t.Helper()
		if got, err := store.BlobUsage(ctx, first.DID, blob.Hash{}); err != nil || got != want {
			t.Errorf("charged are %d bytes, %v; expected %d", got, err, want)
		}
	}
	upload := func(fill byte, size int) error {
		raw := bytes.Repeat([]byte{fill}, size)
		_, err := b.Broker.PutBlob(ctx, session(), sha256.Sum256(raw), int64(size), clock.Now().Add(time.Hour).UnixMilli(), bytes.NewReader(raw))
		return err
	}
	share := func() { // all of it, and not a byte more
		t.Helper()
		for fill := range byte(2) {
			again("upload", func() error { return upload(fill, size) })
			charged(int64(fill+1) * size)
		}
		again("an upload too much", func() error {
			if err := upload(9, 1); !errors.Is(err, broker.ErrBlobQuota) {
				return fmt.Errorf("expected no room: %w", err)
			}
			return nil
		})
		charged(quota)
	}

	login(first)
	share()
	schema, err := envelope.NewSchema("json", "a.json", []envelope.File{{Name: "a.json", Bytes: []byte(`{"type":"object"}`)}})
	if err != nil {
		t.Fatal(err)
	}
	again("schema", func() error {
		return b.Broker.PutObject(ctx, session(), broker.KindSchema, schema.Digest(), schema.Bytes())
	})
	clock.Advance(5 * time.Minute)
	now := clock.Now().UnixMilli()
	const space = "market.apps.edge.iam.ewc"
	chain.Own(space, first.Address())
	topic, err := envelope.NewTopic(ctx, network.Domain(), first, envelope.TopicBody{DID: first.DID, Name: "hello." + space, Version: "1.0.0",
		Revision: 1, Kind: "json", Schema: schema.Digest(), NotBefore: now, NotAfter: now + envelope.TopicLife})
	if err != nil {
		t.Fatal(err)
	}
	again("topic", func() error {
		return b.Broker.PutObject(ctx, session(), broker.KindTopic, topic.Digest(), topic.Bytes())
	})
	kept, err := store.Get(ctx, broker.KindSchema, schema.Digest())
	record, err2 := store.Get(ctx, broker.KindTopic, topic.Digest())
	if err := errors.Join(err, err2); err != nil || kept.Expires < record.Expires {
		t.Errorf("the schema goes %d ms before its record, %v", record.Expires-kept.Expires, err)
	}

	// A higher floor ends what an older certificate began.
	old := token
	plane.conns[first.Addr] = true
	login(second)
	if _, err := b.Broker.Session(old); problem.CodeOf(err) != "banned" && old != token {
		t.Errorf("a session of the older certificate: %v", err)
	}
	if plane.conns[first.Addr] {
		t.Error("a connection of the older certificate is open")
	}
	again("what is here", func() error {
		missing, err := b.Broker.HaveBlobs(ctx, session(), []blob.Hash{sha256.Sum256(make([]byte, size)), {1}}, clock.Now().Add(2*time.Hour).UnixMilli())
		if err == nil && len(missing) != 1 {
			t.Errorf("missing are %d", len(missing))
		}
		return err
	})
	charged(quota)

	// What was kept ends, and the share is whole again.
	clock.Advance(3 * time.Hour)
	again("collection", func() error { _, err := b.Broker.CollectBlobs(ctx); return err })
	again("sweep", func() error { _, err := b.Broker.SweepBlobs(ctx, 100); return err })
	charged(0)
	if len(blobs.all) > 0 {
		t.Errorf("%d blobs are left that nobody claims", len(blobs.all))
	}
	login(second)
	again("upload", func() error { return upload(3, quota) })
	return off.left <= 0
}

// A challenge is answered once, also when the broker was started anew meanwhile.
func TestARestartForgetsNoAnswer(t *testing.T) {
	ctx := testkit.Context(t)
	clock := clockwork.NewFakeClockAt(time.Now())
	dir := t.TempDir()
	change := func(d *node.Deps) {
		d.Clock, d.Config.URL = clock, "http://127.0.0.1:1"
	}
	b := brokertest.Start(t, dir, change)
	p := brokertest.New(t, 0)
	l, err := envelope.NewLogin(ctx, p, p.LoginBody(b))
	if err != nil {
		t.Fatal(err)
	}
	login := func() string {
		_, err := b.Broker.Login(ctx, p.Cert.Bytes(), l.Bytes())
		return problem.CodeOf(err)
	}
	for i, want := range []string{"", "challenge"} {
		if got := login(); got != want {
			t.Errorf("login %d: %q, expected %q", i, got, want)
		}
	}
	b.Stop()
	clock.Advance(time.Second)
	b = brokertest.Start(t, dir, change)
	if got := login(); got != "challenge" {
		t.Errorf("the same login after a restart: %q", got)
	}
	// A clock that was ahead at the start and is set right keeps nobody out.
	old := b.Broker.Challenge()
	clock.Advance(-time.Minute)
	p = brokertest.New(t, 0)
	for i, want := range []string{"", "challenge"} {
		body := p.LoginBody(b)
		if i > 0 {
			body.Nonce = old
		}
		if l, err = envelope.NewLogin(ctx, p, body); err != nil {
			t.Fatal(err)
		}
		if got := login(); got != want {
			t.Errorf("login %d on a clock that was set back: %q, expected %q", i, got, want)
		}
	}
}
