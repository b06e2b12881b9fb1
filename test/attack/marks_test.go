package attack

import (
	"bytes"
	"context"
	"testing"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/participant/villain"
)

// TestMarks has a member withhold its last envelope, mark what is not so, mark as
// a sender restored from a backup, and repeat old marks.
func TestMarks(t *testing.T) {
	s := newStage(t, 0)
	ctx, cancel := context.WithTimeout(testkit.Context(t), 5*patience)
	defer cancel()
	v, credential := s.member(ctx, t)
	g := s.gateways[market.MarketOperator]
	mark := func(session *villain.Session, seq uint64, prev envelope.Digest, state uint64) *envelope.Mark {
		t.Helper()
		m, err := session.Mark(ctx, seq, prev, state)
		must(t, err)
		must(t, session.Publish(ctx, m.Bytes()))
		return m
	}

	// A withheld tail is found by the mark behind it.
	session := s.open(ctx, t, v, "hello", credential)
	first, last := newFrame([]byte(`{"n":1}`)), newFrame([]byte(`{"n":2}`))
	e0 := seal(ctx, t, session, first)
	must(t, session.Publish(ctx, e0.Bytes()))
	if ms := receive(ctx, t, g, "hello", 1); ms[0].ID != gateway.FormatID(first.ID) {
		t.Fatalf("another message: %s", ms[0].ID)
	}
	e1 := seal(ctx, t, session, last)
	alive := mark(session, 2, e1.Digest(), envelope.MarkAlive)
	s.tells(ctx, t, session, "hole", 1)
	must(t, session.Publish(ctx, e1.Bytes()))
	s.tells(ctx, t, session, "repaired", 1)
	if ms := receive(ctx, t, g, "hello", 1); ms[0].ID != gateway.FormatID(last.ID) {
		t.Fatalf("another message: %s", ms[0].ID)
	}

	// An old mark is true, and counts for nothing.
	must(t, session.Publish(ctx, alive.Bytes()))
	s.tells(ctx, t, session, envelope.Replayed, 2)

	// A restored sender's marks accuse it of nothing.
	mark(session, 1, e0.Digest(), envelope.MarkAlive)
	mark(session, 1, e0.Digest(), envelope.MarkClosed)
	s.tells(ctx, t, session, "prev_regressed", 1)
	evs, _, err := g.Events(ctx, 0, 0, "")
	must(t, err)
	for _, e := range evs {
		if e.Session == session.ID.String() && e.Code == string(envelope.Forked) {
			t.Errorf("a restored sender is called a forker: %+v", e)
		}
	}

	// Another head is a fork; another's signature is none.
	session = s.open(ctx, t, v, "hello", credential)
	must(t, session.Publish(ctx, seal(ctx, t, session, newFrame([]byte(`{"n":3}`))).Bytes()))
	receive(ctx, t, g, "hello", 1)
	mark(session, 1, envelope.Digest{1}, envelope.MarkAlive)
	s.tells(ctx, t, session, envelope.Forked, 1)
	forged, err := session.Mark(ctx, 7, envelope.Digest{1}, envelope.MarkAlive)
	must(t, err)
	bad := bytes.Clone(forged.Bytes())
	bad[len(bad)-1] ^= 1
	must(t, session.Publish(ctx, bad))
	s.tells(ctx, t, session, envelope.BadSignature, 7)
}
