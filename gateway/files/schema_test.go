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
