package envelope

import (
	"bytes"
	"crypto/aes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"testing"
)

// send seals frames as number seq after prev.
func (m *market) send(t testing.TB, seq uint64, prev Digest, frames []Frame) *Envelope {
	t.Helper()
	return ok[*Envelope](t)(m.keys.Seal(m.ctx, m.keyA, Entry{Seq: seq, Prev: prev, Time: t0 + 3000}, frames))
}

// receive makes the checks E1, E6 and E10 to E12, in their order.
func (m *market) receive(b []byte) (*Opened, error) {
	if _, err := KindOf(b, WireDefault); err != nil {
		return nil, err
	}
	e, err := ParseEnvelope(b)
	if err != nil {
		return nil, err
	}
	if err := e.Verify(m.certA.PublicKey()); err != nil {
		return nil, err
	}
	return m.keys.Open(e)
}

func TestEnvelope(t *testing.T) {
	m := newMarket(t)
	for _, n := range []int{1, 2, 3, 100} {
		frames := m.frames(n, []byte(`{"n":1}`))
		frames[0].Re, frames[0].Corr, frames[0].Txn = ID{1}, "corr", "txn"
		frames[0].Attrs = map[string]string{"b": "1", "aa": "2", "a": ""}
		e := m.send(t, 5, Digest{9}, frames)
		parsed := ok[*Envelope](t)(ParseEnvelope(e.Bytes()))
		if parsed.Digest() != e.Digest() || parsed.CiphertextHash() != e.CiphertextHash() || parsed.Header != e.Header ||
			!bytes.Equal(parsed.Signed(), e.Signed()) {
			t.Error("parsed envelope differs from the sealed one")
		}
		o := ok[*Opened](t)(m.receive(e.Bytes()))
		if !reflect.DeepEqual(o.Frames, frames) {
			t.Errorf("%d frames came out differently", n)
		}
		if o.SaltKey != m.keys.SaltKey(5) {
			t.Error("salt key differs")
		}
	}
}

// TestEnvelopeFlipped flips every byte of a stored envelope: nothing of it is
// ever accepted, and what still parses fails its signature.
func TestEnvelopeFlipped(t *testing.T) {
	m := newMarket(t)
	b := m.envelope.Bytes()
	header := m.envelope.sign1.payload
	inside := func(part []byte, i int) bool {
		start := bytes.Index(b, part)
		return i >= start && i < start+len(part)
	}
	for i := range b {
		flipped := bytes.Clone(b)
		flipped[i] ^= 1
		_, err := m.receive(flipped)
		if err == nil {
			t.Fatalf("byte %d flipped, accepted", i)
		}
		if inside(m.envelope.Ciphertext, i) || inside(m.envelope.sign1.signature, i) || inside(header[6:38], i) {
			wantCode(t, err, BadSignature)
		}
	}
}

// TestEnvelopeForged has what a co-recipient, who holds the secret, and a
// dishonest sender can make.
func TestEnvelopeForged(t *testing.T) {
	m := newMarket(t)
	frames := []Frame{m.frame}
	entry := Entry{Prev: m.core.Session(), Time: t0 + 3000}

	t.Run("sealed by a co-recipient", func(t *testing.T) {
		e := ok[*Envelope](t)(m.keys.Seal(m.ctx, m.keyB, entry, frames))
		_, err := m.receive(e.Bytes())
		wantCode(t, err, BadSignature)
	})
	t.Run("session replaced", func(t *testing.T) {
		h := m.envelope.Header
		h.Session[0]++
		b := appendSign1([]byte{0x83, 1}, typeEnvelope, h.append(nil), m.envelope.sign1.signature)
		_, err := m.receive(appendBytes(b, m.envelope.Ciphertext))
		wantCode(t, err, BadSignature)
	})
	t.Run("typ of another object", func(t *testing.T) {
		b := appendSign1([]byte{0x83, 1}, typeReceipt, m.envelope.sign1.payload, m.envelope.sign1.signature)
		_, err := m.receive(appendBytes(b, m.envelope.Ciphertext))
		wantCode(t, err, Malformed)
	})
	t.Run("garbage signed", func(t *testing.T) {
		e := ok[*Envelope](t)(SignEnvelope(m.ctx, m.keyA, m.envelope.Header, make([]byte, 300)))
		_, err := m.receive(e.Bytes())
		wantCode(t, err, BadSeal)
		e = ok[*Envelope](t)(SignEnvelope(m.ctx, m.keyA, m.envelope.Header, nil))
		_, err = m.receive(e.Bytes())
		wantCode(t, err, BadSeal)
	})
	t.Run("another session's keys", func(t *testing.T) {
		_, err := NewSessionKeys(Digest{1}, m.secret).Open(m.envelope)
		wantCode(t, err, BadSeal)
	})
	t.Run("root of other frames", func(t *testing.T) {
		_, err := m.receive(m.forge(t, nil, func(h *Header) { h.Root[0]++ }))
		wantCode(t, err, BadContent)
	})
	t.Run("other secret, same ciphertext", func(t *testing.T) {
		// GCM does not commit to its key, but the root does: another S gives
		// other salts, so at best one of two readers finds the root right.
		other := NewSessionKeys(m.core.Session(), Secret{1})
		o := ok[*Opened](t)(m.keys.Open(m.envelope))
		if Root(Salts(other.SaltKey(0), 1), o.Encoded) == m.envelope.Root {
			t.Error("root does not depend on the secret")
		}
	})
}

// forge seals any plaintext (nil for the good one) under a header the sender
// signs.
func (m *market) forge(t *testing.T, plain []byte, edit func(*Header)) []byte {
	t.Helper()
	good, _, err := pack([]Frame{m.frame})
	if err != nil {
		t.Fatal(err)
	}
	if plain == nil {
		plain = good
	}
	h := m.envelope.Header
	if edit != nil {
		edit(&h)
	}
	key, _ := m.keys.derive(h.Seq)
	aead, nonce := fixedNonce(must(aes.NewCipher(key)))
	ct := aead.Seal(nonce, nonce, plain, h.append(nil))
	return ok[*Envelope](t)(SignEnvelope(m.ctx, m.keyA, h, ct)).Bytes()
}

func TestFramesRefused(t *testing.T) {
	m := newMarket(t)
	good, _, err := pack([]Frame{m.frame})
	if err != nil {
		t.Fatal(err)
	}
	array := func(frames ...[]byte) []byte {
		f := appendHead(nil, majorArray, uint64(len(frames)))
		for _, frame := range frames {
			f = appendBytes(f, frame)
		}
		p := make([]byte, Padme(max(MinPlain, 4+len(f))))
		putLen(p, len(f))
		copy(p[4:], f)
		return p
	}
	one := m.frame.Append(nil)
	edited := func(edit func(b []byte)) []byte {
		p := bytes.Clone(good)
		edit(p)
		return p
	}
	frame := func(edit func(*Frame)) []byte {
		f := m.frame
		edit(&f)
		return array(f.Append(nil))
	}
	_, err = m.receive(m.forge(t, array(one), nil))
	wantCode(t, err, "")
	many := make([][]byte, MaxFrames+1)
	for i, f := range m.frames(len(many), nil) {
		many[i] = f.Append(nil)
	}
	for name, plain := range map[string][]byte{
		"padding longer":       append(bytes.Clone(good), make([]byte, 16)...),
		"padding short":        good[:len(good)-1],
		"padding not zero":     edited(func(b []byte) { b[len(b)-1] = 1 }),
		"length too long":      edited(func(b []byte) { putLen(b, len(b)-3) }),
		"length beyond":        edited(func(b []byte) { putLen(b, -1) }),
		"length short":         edited(func(b []byte) { b[3]-- }),
		"empty plaintext":      {},
		"no frame":             array(),
		"frame id twice":       array(one, one),
		"1,001 frames":         array(many...),
		"frame truncated":      array(one[:len(one)-1]),
		"bytes after frame":    array(append(bytes.Clone(one), 0)),
		"unknown key":          array(append(append([]byte{0xa5}, one[1:]...), 10, 1)),
		"unknown kind":         array(append(append([]byte{0xa5}, one[1:]...), 9, 2)),
		"kind 0 written out":   array(append(append([]byte{0xa5}, one[1:]...), 9, 0)),
		"zero id":              frame(func(f *Frame) { f.ID = ID{} }),
		"type too long":        frame(func(f *Frame) { f.Type = string(make([]byte, MaxFrameType+1)) }),
		"type not UTF-8":       frame(func(f *Frame) { f.Type = "\xff" }),
		"corr too long":        frame(func(f *Frame) { f.Corr = string(make([]byte, MaxFrameText+1)) }),
		"empty corr":           array(append(append([]byte{0xa5}, one[1:]...), 6, 0x60)),
		"empty attrs":          array(append(append([]byte{0xa5}, one[1:]...), 8, 0xa0)),
		"attrs out of order":   array(append(append([]byte{0xa5}, one[1:]...), 8, 0xa2, 0x61, 'b', 0x60, 0x61, 'a', 0x60)),
		"attrs too large":      frame(func(f *Frame) { f.Attrs = map[string]string{"a": string(make([]byte, MaxAttrBytes))} }),
		"17 attrs":             frame(func(f *Frame) { f.Attrs = manyAttrs(MaxAttrs + 1) }),
		"long integer of time": array(append(one[:len(one)-9:len(one)-9], 0x1b, 0, 0, 0, 0, 0, 0, 0, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.receive(m.forge(t, plain, nil))
			wantCode(t, err, BadFrames)
		})
	}
	o := ok[*Opened](t)(m.receive(m.forge(t, frame(func(f *Frame) { f.Attrs = manyAttrs(MaxAttrs) }), func(h *Header) {
		f := m.frame
		f.Attrs = manyAttrs(MaxAttrs)
		h.Root = Root(Salts(m.keys.SaltKey(0), 1), [][]byte{f.Append(nil)})
	})))
	if len(o.Frames[0].Attrs) != MaxAttrs {
		t.Error("16 attributes are allowed")
	}
}

func manyAttrs(n int) map[string]string {
	attrs := make(map[string]string)
	for i := range n {
		attrs[string(rune('a'+i))] = ""
	}
	return attrs
}

func TestFrameCheck(t *testing.T) {
	m := newMarket(t)
	const wire = WireMin
	for name, c := range map[string]struct {
		edit func(*Frame)
		want Code
	}{
		"good":            {func(f *Frame) {}, ""},
		"body at limit":   {func(f *Frame) { f.Body = make([]byte, wire/2) }, ""},
		"body above":      {func(f *Frame) { f.Body = make([]byte, wire/2+1) }, TooLarge},
		"type above":      {func(f *Frame) { f.Type = string(make([]byte, MaxFrameType+1)) }, TooLarge},
		"corr above":      {func(f *Frame) { f.Corr = string(make([]byte, MaxFrameText+1)) }, TooLarge},
		"txn above":       {func(f *Frame) { f.Txn = string(make([]byte, MaxFrameText+1)) }, TooLarge},
		"attrs above":     {func(f *Frame) { f.Attrs = manyAttrs(MaxAttrs + 1) }, TooLarge},
		"attr size above": {func(f *Frame) { f.Attrs = map[string]string{"a": string(make([]byte, MaxAttrBytes))} }, TooLarge},
		"no id":           {func(f *Frame) { f.ID = ID{} }, Malformed},
		"negative time":   {func(f *Frame) { f.At = -1 }, Malformed},
		"type not UTF-8":  {func(f *Frame) { f.Type = "\xff" }, Malformed},
		"attr not UTF-8":  {func(f *Frame) { f.Attrs = map[string]string{"\xff": ""} }, Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			f := m.frame
			c.edit(&f)
			wantCode(t, f.Check(wire), c.want)
		})
	}
}

func TestSealRefused(t *testing.T) {
	m := newMarket(t)
	entry := Entry{Prev: m.core.Session(), Time: t0 + 3000}
	seal := func(e Entry, f []Frame) error {
		_, err := m.keys.Seal(m.ctx, m.keyA, e, f)
		return err
	}
	wantCode(t, seal(entry, nil), TooLarge)
	wantCode(t, seal(entry, m.frames(MaxFrames, nil)), "")
	wantCode(t, seal(entry, m.frames(MaxFrames+1, nil)), TooLarge)
	wantCode(t, seal(entry, m.frames(3, make([]byte, WireMax/2))), TooLarge)
	wantCode(t, seal(Entry{Seq: MaxEnvelopes}, []Frame{m.frame}), TooLarge)
	wantCode(t, seal(entry, []Frame{m.frame, m.frame}), BadFrames)
}

// TestLoad fills envelopes to the brim: what Load takes fits the wire limit.
func TestLoad(t *testing.T) {
	m := newMarket(t)
	for _, size := range []int{0, 100, 1024, 20000, WireMin / 2} {
		var load Load
		var frames []Frame
		for _, f := range m.frames(MaxFrames+1, make([]byte, size)) {
			if !load.Add(&f, WireMin) {
				break
			}
			frames = append(frames, f)
		}
		if len(frames) == 0 || len(frames) > MaxFrames {
			t.Fatalf("%d frames of %d bytes", len(frames), size)
		}
		e := m.send(t, 0, m.core.Session(), frames)
		if len(e.Bytes()) > WireMin {
			t.Errorf("%d frames of %d bytes make a wire message of %d", len(frames), size, len(e.Bytes()))
		}
	}
}

func TestEnvelopeChecks(t *testing.T) {
	m := newMarket(t)
	h := func(at int64) *Header { return &Header{Time: at} }
	end := m.core.NotAfter + SessionGrace
	for _, c := range []struct {
		at, last, now int64
		want          Code
		ahead         bool
	}{
		{t0 + 1000, 0, t0 + 1000, "", false},
		{t0 + 999, 0, t0 + 1000, BadTime, false},
		{end, 0, end, "", false},
		{end + 1, 0, end + 1, BadTime, false},
		{t0 + 3000, t0 + 3001, t0 + 3000, BadTime, false},
		{t0 + 3000 + Skew, 0, t0 + 3000, "", false},
		{t0 + 3000 + 10*minute, 0, t0 + 3000, BadTime, true},
	} {
		err := h(c.at).CheckTime(m.core, c.last, c.now)
		wantCode(t, err, c.want)
		if errors.Is(err, ErrAhead) != c.ahead {
			t.Errorf("%+v: ahead is %v", c, !c.ahead)
		}
	}

	first := m.envelope
	second := m.send(t, 1, first.Digest(), []Frame{m.frame})
	wantCode(t, first.CheckPrev(m.core.Session()), "")
	wantCode(t, second.CheckPrev(first.Digest()), "")
	wantCode(t, second.CheckPrev(m.core.Session()), ChainBroken)
	wantCode(t, first.CheckHeld(first.Digest()), "")
	wantCode(t, m.send(t, 0, m.core.Session(), []Frame{m.frame}).CheckHeld(first.Digest()), Forked)
	if ok[*Envelope](t)(ParseEnvelope(first.Bytes())).Verify(ed25519.PublicKey{}) == nil {
		t.Error("a key without bytes verifies")
	}
}

func TestEnvelopeLimits(t *testing.T) {
	m := newMarket(t)
	_, err := KindOf(make([]byte, WireMin+1), WireMin)
	wantCode(t, err, TooLarge)
	_, err = KindOf(make([]byte, WireMax+1), WireMax*2)
	wantCode(t, err, TooLarge)
	_, err = ParseEnvelope(make([]byte, WireMax+1))
	wantCode(t, err, TooLarge)
	h := m.envelope.Header
	h.Seq = MaxEnvelopes - 1
	_, err = ParseHeader(h.append(nil))
	wantCode(t, err, "")
	h.Seq++
	_, err = ParseHeader(h.append(nil))
	wantCode(t, err, TooLarge)
	for _, b := range [][]byte{{0x83, 2, 0x80, 0x40}, {0x84, 1, 0, 0, 0}, {0x83, 5, 0, 0}, {0x82, 6, 0}, {0x81, 1}, {0xa0}, {}} {
		_, err = KindOf(b, WireDefault)
		wantCode(t, err, Malformed)
	}
	_, err = KindOf([]byte{0x83, 0x18, 1, 0x80, 0x40}, WireDefault)
	wantCode(t, err, NotCanonical)
}
