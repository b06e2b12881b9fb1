package envelope

import (
	"bytes"
	"errors"
	"testing"
)

func TestMark(t *testing.T) {
	m := newMarket(t)
	k := ok[*Mark](t)(NewMark(m.ctx, m.keyA, m.markBody()))
	if k.MarkBody != m.markBody() || k.Digest().IsZero() {
		t.Error("mark does not survive")
	}
	wantCode(t, k.Verify(m.certA.PublicKey()), "")
	wantCode(t, k.Verify(m.certB.PublicKey()), BadSignature)
	kind, err := KindOf(k.Bytes(), WireDefault)
	if kind != KindMark || err != nil || kind.String() != "mark" {
		t.Errorf("kind %v, %v", kind, err)
	}
	if n := len(k.Bytes()); n > 180 {
		t.Errorf("%d bytes", n)
	}

	wantCode(t, k.CheckPrev(m.envelope.Digest()), "")
	wantCode(t, k.CheckPrev(Digest{1}), Forked)
	wantCode(t, k.CheckTime(m.core, 0, t0+4000), "")
	wantCode(t, k.CheckTime(m.core, k.Time-1, t0+4000), "")
	wantCode(t, k.CheckTime(m.core, k.Time, t0+4000), Replayed)
	wantCode(t, k.CheckTime(m.core, 0, k.Time-Skew), "")
	err = k.CheckTime(m.core, 0, k.Time-Skew-1)
	if wantCode(t, err, BadTime); !errors.Is(err, ErrAhead) {
		t.Error("a mark ahead does not wait")
	}
	late := m.markBody()
	late.Time = m.core.NotAfter + day // marks go on after the session
	wantCode(t, ok[*Mark](t)(NewMark(m.ctx, m.keyA, late)).CheckTime(m.core, 0, late.Time), "")
	late.Time = m.core.NotBefore - 1
	wantCode(t, ok[*Mark](t)(NewMark(m.ctx, m.keyA, late)).CheckTime(m.core, 0, t0), BadTime)
}

func TestMarkRefused(t *testing.T) {
	m := newMarket(t)
	for name, c := range map[string]struct {
		edit func(*MarkBody)
		want Code
	}{
		"good":            {func(*MarkBody) {}, ""},
		"closed":          {func(b *MarkBody) { b.State = MarkClosed }, ""},
		"full session":    {func(b *MarkBody) { b.Seq = MaxEnvelopes }, ""},
		"nothing yet":     {func(b *MarkBody) { b.Seq, b.Prev = 0, b.Session }, ""},
		"number too high": {func(b *MarkBody) { b.Seq = MaxEnvelopes + 1 }, TooLarge},
		"state 0":         {func(b *MarkBody) { b.State = 0 }, Malformed},
		"state 3":         {func(b *MarkBody) { b.State = 3 }, Malformed},
		"time -1":         {func(b *MarkBody) { b.Time = -1 }, Malformed},
		"prev of nothing": {func(b *MarkBody) { b.Seq = 0 }, Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			body := m.markBody()
			c.edit(&body)
			_, err := NewMark(m.ctx, m.keyA, body)
			wantCode(t, err, c.want)
		})
	}
	good := ok[*Mark](t)(NewMark(m.ctx, m.keyA, m.markBody())).Bytes()
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1
		if k, err := ParseMark(b); err == nil && k.Verify(m.certA.PublicKey()) == nil {
			t.Fatalf("byte %d changed and taken", i)
		}
	}
	// An envelope's signature is none for a mark, and the other way round.
	s := appendSign1([]byte{0x82, byte(KindMark)}, typeEnvelope, m.envelope.sign1.payload, m.envelope.sign1.signature)
	_, err := ParseMark(s)
	wantCode(t, err, Malformed)
}
