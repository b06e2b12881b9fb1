package files_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/schema"
)

// lines refuses content with "bad" in it.
type lines struct{}

func (lines) Validate(b []byte) error { return lines{}.ValidateReader(bytes.NewReader(b), "") }

func (lines) ValidateReader(r io.Reader, _ string) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if bytes.Contains(buf[:n], []byte("bad")) {
			return &schema.Error{Code: schema.CodeSchema, Message: "bad"}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

type topics struct{}

func (topics) ForChannel(context.Context, string) (envelope.Digest, schema.Validator, error) {
	return envelope.Digest{9}, lines{}, nil
}

func TestSchema(t *testing.T) {
	ctx := testkit.Context(t)
	good := []byte(strings.Repeat("good\n", 3*mib))
	bad := append(bytes.Clone(good), "bad\n"...)
	a := newHouse(t)
	a.topics = topics{}
	box := a.open()
	a.outbox.check = nil
	upload := func(b []byte) (*files.Upload, error) {
		u, err := box.Begin(ctx, files.New{Name: "x", Size: int64(len(b)), Channel: "ch", Send: true})
		if err != nil {
			t.Fatal(err)
		}
		return box.Append(ctx, u.ID, 0, bytes.NewReader(b))
	}
	_, err := upload(bad)
	a.code(err, schema.CodeSchema)
	if a.left() != 0 {
		t.Fatalf("%d blobs are left", a.left())
	}
	u, err := upload(good)
	if err != nil {
		t.Fatal(err)
	}
	// It passed while it came: nothing is read again.
	if err := box.Check(ctx, u.ID, envelope.Digest{9}, refusing{}); err != nil {
		t.Fatal(err)
	}
	a.code(box.Check(ctx, u.ID, envelope.Digest{8}, refusing{}), schema.CodeSchema)
	if err := box.Check(ctx, u.ID, envelope.Digest{8}, lines{}); err != nil {
		t.Fatal(err)
	}
	if err := box.Check(ctx, u.ID, envelope.Digest{8}, refusing{}); err != nil {
		t.Fatal("not remembered")
	}
	// The recipient checks it, too.
	b := receiver(t, a)
	o := a.object(u.ID, until)
	if err := next(t, a.pushed); err != nil {
		t.Fatal(err)
	}
	b.take("k", o, refusing{})
	b.told("k", schema.CodeSchema)
	if b.left() != 0 {
		t.Fatalf("%d blobs are left", b.left())
	}
	b.take("k", o, lines{})
	b.told("k", "")
}

type refusing struct{}

func (refusing) Validate([]byte) error { return &schema.Error{Code: schema.CodeSchema, Message: "no"} }

func (refusing) ValidateReader(io.Reader, string) error { return refusing{}.Validate(nil) }

// slow refuses content once it is told to.
type slow struct{ at, then chan struct{} }

func (s slow) Validate([]byte) error {
	close(s.at)
	<-s.then
	return refusing{}.Validate(nil)
}

// TestSchemaOfOneMessage: what the topic of one message refuses, another
// message's topic may take.
func TestSchemaOfOneMessage(t *testing.T) {
	ctx := testkit.Context(t)
	want := []byte("good\n")
	a, _, o := sent(t, want)
	other := func(h *house, key string) string {
		t.Helper()
		f, err := h.box.Take(ctx, key, "did:a", "ch", "0b000000-0000-4000-8000-000000000002", o, envelope.Digest{8}, lines{}, until)
		if err != nil {
			t.Fatal(err)
		}
		return f.ID
	}
	// The second comes while the first is checked.
	b := receiver(t, a)
	v := slow{make(chan struct{}), make(chan struct{})}
	b.take("k1", o, v)
	<-v.at
	id := other(b, "k2")
	b.told("k2", "")
	close(v.then)
	b.told("k1", schema.CodeSchema)
	b.is(id, want)
	// Both wait when the first one's schema refuses what comes.
	c := newHouse(t)
	hold := make(chan struct{})
	c.broker = a.broker
	c.broker.hold = hold
	c.open()
	c.take("k1", o, refusing{})
	other(c, "k2")
	close(hold)
	c.told("k1", schema.CodeSchema)
	c.told("k2", files.CodeFileUnknown)
	id = other(c, "k2")
	c.told("k2", "")
	c.is(id, want)
}

// TestSchemaOfTypeAndLength: what a schema can tell by them is told before any
// content comes, and none is read for it.
func TestSchemaOfTypeAndLength(t *testing.T) {
	ctx := testkit.Context(t)
	compile := func(text string) schema.Validator {
		v, err := schema.Compile(schema.KindBinary, "r", []schema.File{{Name: "r", Data: []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	short := compile(`{"maxBytes":4}`)
	a := newHouse(t)
	a.topics = topicOf{short}
	box := a.open()
	begin := func(n int64) error {
		_, err := box.Begin(ctx, files.New{Size: n, Channel: "ch", Send: true})
		return err
	}
	a.code(begin(5), schema.CodeSchema)
	if err := begin(4); err != nil {
		t.Fatal(err)
	}
	// A file that lies here passes, or not, although its bytes are gone.
	id := a.put("x", []byte("hello"))
	o := a.object(id, until)
	if err := next(t, a.pushed); err != nil {
		t.Fatal(err)
	}
	for _, h := range o.Parts {
		if err := a.blobs.Delete(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	a.code(box.Check(ctx, id, envelope.Digest{7}, short), schema.CodeSchema)
	if err := box.Check(ctx, id, envelope.Digest{8}, compile(`{"mediaTypes":["text/*"]}`)); err != nil {
		t.Fatal(err)
	}
	// The recipient fetches nothing of what it refuses.
	b := receiver(t, a)
	gets := a.broker.gets
	b.take("k", o, short)
	b.told("k", schema.CodeSchema)
	if b.left() != 0 || a.broker.gets != gets {
		t.Fatalf("%d blobs are left, %d were fetched", b.left(), a.broker.gets-gets)
	}
}

// topicOf is the one topic of every channel.
type topicOf struct{ v schema.Validator }

func (t topicOf) ForChannel(context.Context, string) (envelope.Digest, schema.Validator, error) {
	return envelope.Digest{9}, t.v, nil
}

func TestSendRefusedLeavesNothing(t *testing.T) {
	a := newHouse(t)
	box := a.open()
	ctx := testkit.Context(t)
	a.outbox.err = problem.New(422, "no_recipient", "nobody")
	u, err := box.Begin(ctx, files.New{Size: 5, Channel: "ch", Send: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = box.Append(ctx, u.ID, 0, strings.NewReader("hello"))
	a.code(err, "no_recipient")
	if _, err := box.Entry(ctx, u.ID); problem.CodeOf(err) != files.CodeFileUnknown || a.left() != 0 {
		t.Fatal(err, a.left())
	}
	// What passes is tried again after a start.
	a.outbox.err = gateway.OutboxFull()
	if u, err = box.Begin(ctx, files.New{Size: 5, Channel: "ch", Send: true}); err != nil {
		t.Fatal(err)
	}
	_, err = box.Append(ctx, u.ID, 0, strings.NewReader("hello"))
	a.code(err, "outbox_full")
	a.open()
	if err := a.clock.BlockUntilContext(ctx, 2); err != nil { // the sweep, and what waits to be sent
		t.Fatal(err)
	}
	a.close()
	a.outbox.err = nil
	a.open()
	for {
		e, err := a.box.Entry(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		if e.Direction == files.Out && len(e.Messages) == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
}
