package outbox_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/digital-spine/spine/envelope"
)

// reader is a recipient that checks what it gets with the protocol's own
// functions: signatures, numbers, chain.
type reader struct {
	*party
	t        testing.TB
	sender   *party
	sessions map[envelope.Digest]*readSession
	order    []envelope.Digest
	frames   map[string]envelope.Frame // by message id
	bodies   *bodies                   // where the bodies of notices are
	notices  int
	at       int64
}

type readSession struct {
	grant *envelope.Grant
	text  *envelope.BoxText
	keys  *envelope.SessionKeys
	next  uint64
	head  envelope.Digest
	ids   []string
	seen  map[uint64]envelope.Digest
	void  bool // refused as a whole: what still comes is dropped, as an intake would
}

func newReader(t testing.TB, p, sender *party) *reader {
	return &reader{party: p, t: t, sender: sender, sessions: map[envelope.Digest]*readSession{}, frames: map[string]envelope.Frame{}}
}

// read takes wire messages as an intake would; what is out of order or unknown
// fails the test, what is known already is ignored.
func (r *reader) read(wires [][]byte) *reader {
	r.t.Helper()
	for _, b := range wires {
		kind, err := envelope.KindOf(b, envelope.WireDefault)
		if err != nil {
			r.t.Fatal(err)
		}
		switch kind {
		case envelope.KindGrant:
			r.grant(b)
		case envelope.KindNotice:
			r.notice(b)
		default:
			r.envelope(b)
		}
	}
	return r
}

func (r *reader) grant(b []byte) {
	r.t.Helper()
	g, err := envelope.ParseGrant(b)
	if err != nil {
		r.t.Fatal(err)
	}
	key, ok := r.xwing[g.Package]
	if !ok {
		r.t.Fatal("grant for a package that is not mine")
	}
	sid := g.Core.Session()
	if signer, ok := r.sender.keys[g.Core.Cert]; ok {
		if err := g.Verify(signer.Public().(ed25519.PublicKey)); err != nil {
			r.t.Fatal(err)
		}
	} else {
		r.t.Fatalf("grant under certificate %v, which is not the sender's", g.Core.Cert)
	}
	text, err := envelope.OpenBox(key, sid, g.Package, g.Box)
	if err != nil {
		r.t.Fatal(err)
	}
	if old := r.sessions[sid]; old != nil {
		if old.text.Secret != text.Secret || (old.text.Prev == nil) != (text.Prev == nil) {
			r.t.Fatal("granted again with another secret or prev")
		}
		return
	}
	r.sessions[sid] = &readSession{grant: g, text: text, keys: envelope.NewSessionKeys(sid, text.Secret), head: sid, seen: map[uint64]envelope.Digest{}}
	r.order = append(r.order, sid)
}

// notice fetches the body that a notice names.
func (r *reader) notice(b []byte) {
	r.t.Helper()
	n, err := envelope.ParseNotice(b)
	if err != nil {
		r.t.Fatal(err)
	}
	r.notices++
	e, err := n.Envelope(r.bodies.get(n.CTHash))
	if err != nil {
		r.t.Fatal(err)
	}
	r.envelope(e.Bytes())
}

func (r *reader) envelope(b []byte) {
	r.t.Helper()
	e, err := envelope.ParseEnvelope(b)
	if err != nil {
		r.t.Fatal(err)
	}
	s := r.sessions[e.Session]
	if s == nil {
		r.t.Fatal("envelope before its grant")
	}
	if s.void {
		return
	}
	key := r.sender.keys[s.grant.Core.Cert]
	if err := e.Verify(key.Public().(ed25519.PublicKey)); err != nil {
		r.t.Fatal(err)
	}
	if d, ok := s.seen[e.Seq]; ok {
		if d != e.Digest() {
			r.t.Fatalf("forked: two envelopes of number %d", e.Seq)
		}
		return
	}
	if e.Seq != s.next || e.Prev != s.head {
		r.t.Fatalf("envelope %d, prev %v: want %d, %v", e.Seq, e.Prev, s.next, s.head)
	}
	opened, err := s.keys.Open(e)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range opened.Frames {
		s.ids = append(s.ids, f.ID.String())
		r.frames[f.ID.String()] = f
	}
	s.next, s.head, s.seen[e.Seq] = e.Seq+1, e.Digest(), e.Digest()
}

// ids lists all messages in the order of arrival.
func (r *reader) ids() []string {
	var out []string
	for _, sid := range r.order {
		out = append(out, r.sessions[sid].ids...)
	}
	return out
}

func (r *reader) last() (envelope.Digest, *readSession) {
	sid := r.order[len(r.order)-1]
	return sid, r.sessions[sid]
}

// custody is the lane of a receipt that says: all of it is here.
func (r *reader) custody(sid envelope.Digest) envelope.Lane {
	s := r.sessions[sid]
	return envelope.Lane{Session: sid, UpTo: int64(s.next) - 1, Head: s.head}
}

// refuse is the lane of a receipt that says: none of this session, and from now
// on none of it is read.
func (r *reader) refuse(sid envelope.Digest) envelope.Lane {
	r.sessions[sid].void = true
	return envelope.RefuseSession(sid, envelope.BadTime)
}

// receipt signs a receipt, newer than the one before.
func (r *reader) receipt(now int64, lanes ...envelope.Lane) []byte {
	r.at = max(r.at+1, now)
	for i := range lanes {
		if lanes[i].Refused == nil {
			lanes[i].Refused = []envelope.Refusal{}
		}
		if lanes[i].Missing == nil {
			lanes[i].Missing = []envelope.Missing{}
		}
	}
	return must(envelope.NewReceipt(context.Background(), edSigner{r.key}, envelope.ReceiptBody{Cert: r.cert.Digest(), Package: r.pkg.Digest(), At: r.at, Lanes: lanes})).Bytes()
}

func code(err error) string {
	var c interface{ ErrorCode() string }
	if errors.As(err, &c) {
		return c.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
