package envelope

import (
	"bytes"
	"testing"
)

// TestNotice takes the way of a body through the blob store: the notice passes
// the checks of its envelope, and nothing but the body signed comes back.
func TestNotice(t *testing.T) {
	m := newMarket(t)
	e := m.envelope
	n := ok[*Notice](t)(ParseNotice(e.Notice().Bytes()))
	if n.Digest() != e.Digest() || n.CiphertextHash() != e.CiphertextHash() || n.Header != e.Header || n.Len != len(e.Ciphertext) {
		t.Error("the notice is not that of its envelope")
	}
	if !bytes.Equal(n.Signed(), e.Signed()) {
		t.Error("another signature")
	}
	wantCode(t, n.Verify(m.certA.PublicKey()), "")
	wantCode(t, n.Verify(m.certB.PublicKey()), BadSignature)
	wantCode(t, n.CheckHeld(e.Digest()), "")
	wantCode(t, n.CheckHeld(Digest{1}), Forked)
	wantCode(t, n.CheckTime(m.core, 0, t0+5000), "")
	wantCode(t, n.CheckPrev(m.core.Session()), "")
	back := ok[*Envelope](t)(n.Envelope(e.Ciphertext))
	if !bytes.Equal(back.Bytes(), e.Bytes()) {
		t.Error("the envelope came back different")
	}
	ok[*Opened](t)(m.keys.Open(back))
	kind, err := KindOf(n.Bytes(), WireDefault)
	if kind != KindNotice || err != nil || kind.String() != "notice" {
		t.Errorf("kind %v, %v", kind, err)
	}
}

// TestBodyReplaced is what the operator of the blob store can do: other bytes
// under the hash, of the same or another length, or of another envelope.
func TestBodyReplaced(t *testing.T) {
	m := newMarket(t)
	n := m.envelope.Notice()
	ct := m.envelope.Ciphertext
	other := ok[*Envelope](t)(m.keys.Seal(m.ctx, m.keyA, Entry{Prev: m.core.Session(), Time: t0 + 3000}, []Frame{m.frame}))
	for name, b := range map[string][]byte{
		"nothing":          nil,
		"one bit":          append(bytes.Clone(ct[:len(ct)-1]), ct[len(ct)-1]^1),
		"cut":              ct[:len(ct)-1],
		"longer":           append(bytes.Clone(ct), 0),
		"another envelope": other.Ciphertext,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Envelope(b)
			wantCode(t, err, ContentHash)
		})
	}
	if ContentHash.Info().Then != Asks || !ContentHash.TellsSender() {
		t.Error("a body that was replaced is not asked for again")
	}
}

// TestNoticeChanged: the broker's operator changes the notice itself.
func TestNoticeChanged(t *testing.T) {
	m := newMarket(t)
	e := m.envelope
	good := e.Notice()
	read := func(b []byte) error {
		n, err := ParseNotice(b)
		if err != nil {
			return err
		}
		if err := n.Verify(m.certA.PublicKey()); err != nil {
			return err
		}
		_, err = n.Envelope(e.Ciphertext)
		return err
	}
	wantCode(t, read(good.Bytes()), "")
	wantCode(t, read(appendNotice(e.Signed(), Sum([]byte("other")), good.Len)), BadSignature)
	// The length is a hint: a wrong one spoils nothing.
	wantCode(t, read(appendNotice(e.Signed(), good.CTHash, good.Len+1)), "")
	wantCode(t, read(appendNotice(e.Signed(), good.CTHash, MaxCiphertext)), "")
	wantCode(t, read(appendNotice(e.Signed(), good.CTHash, MaxCiphertext+1)), TooLarge)
	wantCode(t, read(appendNotice(e.Signed(), good.CTHash, 283)), Malformed)
	wantCode(t, read(append(bytes.Clone(good.Bytes()), 0)), Malformed)
	wantCode(t, read(append([]byte{0x83}, good.Bytes()[1:]...)), Malformed)
	wantCode(t, read(e.Bytes()), Malformed)
	wantCode(t, read(m.grant(t, &BoxText{Secret: m.secret}).Bytes()), TooLarge)
	long := append(bytes.Clone(good.Bytes()[:len(good.Bytes())-3]), 0x1a, 0, 0, 1, 0x2c)
	wantCode(t, read(long), NotCanonical)
	for i := range len(good.Bytes()) {
		b := bytes.Clone(good.Bytes())
		b[i] ^= 1
		if err := read(b); err == nil && i < len(b)-3 { // the last three are the length
			t.Fatalf("byte %d changed and taken", i)
		}
	}
}
