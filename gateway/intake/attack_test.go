package intake_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// attack plays one row of the protocol's negative tests against an intake and
// names the event that must follow.
type attack struct {
	name string
	code string
	play func(w *world)
}

// flip returns the wire with one bit changed.
func flip(wire []byte, i int) []byte {
	b := bytes.Clone(wire)
	b[(i+len(b))%len(b)] ^= 1
	return b
}

// opened is a session with its first message handed over.
func opened(w *world, opts ...option) *flow {
	f := w.sender().open(opts...)
	f.s.send(f.grant, f.seal().Bytes())
	w.receive(1)
	return f
}

var attacks = []attack{
	{"bit of ct flipped, repaired by resend", "signature", func(w *world) {
		f := opened(w)
		e := f.seal()
		f.s.send(flip(e.Bytes(), -5))
		w.event("signature")
		w.until("ask", func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && len(l.Missing) == 1 && l.Missing[0].Why == 3
		})
		f.s.send(e.Bytes())
		w.receive(1)
		w.event("repaired")
	}},
	{"bit of signature flipped", "signature", func(w *world) {
		f := opened(w)
		e := f.seal()
		f.s.send(flip(e.Bytes(), len(e.Signed())))
	}},
	{"bit of header flipped", "signature", func(w *world) {
		f := opened(w)
		e := f.seal()
		f.s.send(flip(e.Bytes(), bytes.Index(e.Bytes(), e.Root[:])))
	}},
	{"topic changed in a stored core", "signature", func(w *world) {
		s := w.sender()
		f, g := s.open(), s.open(func(b *envelope.CoreBody, _ *envelope.BoxText) { b.Topic = "price.market.apps.edge.iam.ewc" })
		w.channels.set(w.channel(), gateway.Channel{Name: "price", Topic: "price.market.apps.edge.iam.ewc", Receive: &gateway.Admission{Roles: []string{roleName}}})
		s.send(bytes.Replace(f.grant, f.core.Bytes(), g.core.Bytes(), 1)) // same length but for the topic's
		other := bytes.Replace(f.grant, []byte("telemetry.market"), []byte("telemetrx.market"), 1)
		w.channels.set(w.channel(), gateway.Channel{Name: "x", Topic: "telemetrx.market.apps.edge.iam.ewc", Receive: &gateway.Admission{Roles: []string{roleName}}})
		s.send(other)
	}},
	{"sid of a header replaced", "signature", func(w *world) {
		f := opened(w)
		g := f.s.open(f.after())
		f.s.send(g.grant, g.seal().Bytes())
		w.receive(1)
		sid, other := f.core.Session(), g.core.Session()
		f.s.send(bytes.Replace(f.seal().Bytes(), sid[:], other[:], 1))
	}},
	{"grant moved to another mailbox", "not_for_me", func(w *world) {
		s := w.sender()
		mine := w.self.pkg
		other := newParty(w.clock.Now().UnixMilli())
		w.self.pkg = other.pkg
		f := s.open()
		w.self.pkg = mine
		s.send(f.grant)
	}},
	{"envelope moved to another mailbox", "session_unknown", func(w *world) {
		f := w.sender().open()
		f.s.send(f.seal().Bytes())
		w.settled()
		w.pass(time.Minute)
		w.pass(10 * time.Second)
	}},
	{"message moved under another sender's subject", "rebound", func(w *world) {
		f := opened(w)
		other := w.sender()
		w.mail.push(w.subject(other.addr), f.seal().Bytes())
	}},
	{"grant moved under another sender's subject", "rebound", func(w *world) {
		f := w.sender().open()
		w.mail.push(w.subject(w.sender().addr), f.grant)
	}},
	{"reflected to its sender", "rebound", func(w *world) {
		f := w.sender().open()
		w.mail.push(w.subject(w.self.addr), f.grant)
	}},
	{"X's box under another sender's core", "box", func(w *world) {
		x, y := w.sender().open(), w.sender().open()
		g := must(envelope.ParseGrant(x.grant))
		y.s.send(must(envelope.NewGrant(background, edSigner{y.s.key}, y.core, w.self.pkg.Digest(), g.Box)).Bytes())
	}},
	{"grant's box swapped", "signature", func(w *world) {
		s := w.sender()
		x, y := s.open(), s.open()
		gx, gy := must(envelope.ParseGrant(x.grant)), must(envelope.ParseGrant(y.grant))
		s.send(bytes.Replace(x.grant, gx.Box, gy.Box, 1))
	}},
	{"certificate absent, then there", "cert", func(w *world) {
		s := w.sender()
		f := s.open()
		w.book.set(func() { delete(w.book.certs, s.cert.Digest()) })
		s.send(f.grant, f.seal().Bytes())
		w.event("cert")
		w.book.set(func() { w.book.certs[s.cert.Digest()] = s.cert })
		w.receive(1)
	}},
	{"certificate by a key that is not the DID's", "cert", func(w *world) {
		s := w.sender()
		w.book.set(func() { w.book.owners[s.did] = crypto.PubkeyToAddress(must(crypto.GenerateKey()).PublicKey) })
		s.send(s.open().grant)
	}},
	{"core's naf past the certificate", "cert", func(w *world) {
		s := w.sender()
		w.clock.Advance(15*24*time.Hour - 20*time.Minute)
		s.send(s.open().grant)
	}},
	{"certificate below a floor", "cert_void", func(w *world) {
		s := w.sender()
		w.book.set(func() { w.book.floors[s.did] = uint64(w.clock.Now().Unix()) })
		s.send(s.open().grant)
	}},
	{"floor raised in an open session", "cert_void", func(w *world) {
		f := opened(w)
		w.book.set(func() { w.book.standErr = envelope.CertVoid.Errorf("below the floor") })
		f.s.send(f.seal().Bytes())
		w.until("told", func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && len(l.Refused) == 1 && l.Refused[0].Code == envelope.CertVoid
		})
	}},
	{"grant for a destroyed package key", "package_gone", func(w *world) {
		f := w.sender().open()
		w.self.mu.Lock()
		w.self.gone[w.self.pkg.Digest()] = true
		w.self.mu.Unlock()
		f.s.send(f.grant)
		w.until("ask", func() bool { l := w.replies.lane(f.core.Session()); return l != nil && l.Missing[0].Why == 2 })
	}},
	{"message delivered twice", "replayed", func(w *world) {
		f := opened(w)
		e := f.seal()
		f.s.send(e.Bytes(), e.Bytes())
		w.receive(1)
		f.s.send(e.Bytes())
		w.until("both", func() bool { return w.events.count("replayed") == 2 })
	}},
	{"grant delivered twice", "replayed", func(w *world) {
		f := opened(w)
		f.s.send(f.grant)
	}},
	{"grant replayed after retention", "session_over", func(w *world) {
		f := opened(w)
		w.clock.Advance(retention + 2*time.Hour)
		f.s.send(f.grant)
	}},
	{"grant replayed after the ledger is gone, clock set back", "session_over", func(w *world) {
		f := opened(w)
		w.settled()
		w.clock.Advance(retention + 2*time.Hour)
		w.until("forgotten", func() bool {
			if _, err := w.store.Inbox().Prune(w.ctx, 1, w.clock.Now().UnixMilli(), 10); err != nil {
				return false
			}
			r, err := w.store.Intake().Session(w.ctx, f.core.Session())
			return err == nil && r == nil
		})
		w.clock.Advance(-3 * time.Hour)
		f.s.send(f.grant)
	}},
	{"co-recipient seals with S", "signature", func(w *world) {
		f := opened(w)
		_, key, _ := ed25519.GenerateKey(rand.Reader)
		f.s.send(must(f.keys.Seal(background, edSigner{key}, envelope.Entry{Seq: f.next, Prev: f.head, Time: f.t}, good(1))).Bytes())
	}},
	{"two envelopes, one seq, both signed", "forked", func(w *world) {
		f := opened(w)
		seq, head := f.next, f.head
		a := f.seal()
		f.next, f.head = seq, head
		b := f.seal()
		f.s.send(a.Bytes())
		w.receive(1)
		f.s.send(b.Bytes())
	}},
	{"two envelopes, one seq, in one round", "forked", func(w *world) {
		f := opened(w)
		seq, head := f.next, f.head
		a := f.seal()
		f.next, f.head = seq, head
		f.s.send(a.Bytes(), f.seal().Bytes())
		w.receive(1)
	}},
	{"next seq with another prev", "chain_broken", func(w *world) {
		f := opened(w)
		f.head = envelope.Sum([]byte("another"))
		f.s.send(f.seal().Bytes(), f.seal().Bytes())
		w.event("session_refused")
		w.until("told", func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && len(l.Refused) == 1 && l.Refused[0].Code == envelope.ChainBroken
		})
	}},
	{"fill that its successor did not sign", "forked", func(w *world) {
		f := opened(w)
		seq, head := f.next, f.head
		f.seal()
		c := f.seal()
		f.s.send(c.Bytes())
		w.event("hole")
		f.next, f.head = seq, head
		f.s.send(f.seal().Bytes()) // another one for the missing number
	}},
	{"sender's root does not match frames", "content", func(w *world) {
		f := opened(w)
		x, y := f.seal(good(1)...), f.seal(good(1)...)
		h := x.Header
		h.Root = y.Root
		ct := reseal(f, h, good(1))
		f.s.send(must(envelope.SignEnvelope(background, edSigner{f.s.key}, h, ct)).Bytes())
	}},
	{"different S to two recipients, one ct", "seal", func(w *world) {
		f := w.sender().open()
		f.s.send(f.regrant(&envelope.BoxText{Secret: envelope.NewSecret(), Creds: []envelope.Digest{f.s.cred}})) // the other one got f's
		f.s.send(f.seal().Bytes())
	}},
	{"valid signature, garbage AEAD", "seal", func(w *world) {
		f := opened(w)
		e := f.seal()
		f.s.send(must(envelope.SignEnvelope(background, edSigner{f.s.key}, e.Header, bytes.Repeat([]byte{7}, 300))).Bytes())
	}},
	{"same id, other body", "id_conflict", func(w *world) {
		f := opened(w)
		a := frame(`{"n":1}`)
		b := a
		b.Body = []byte(`{"n":2}`)
		f.s.send(f.seal(a).Bytes())
		w.receive(1)
		f.s.send(f.seal(b, frame(`{"n":3}`)).Bytes())
		w.receive(1)
		w.until("told", func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && len(l.Refused) == 1 && l.Refused[0].Code == envelope.IDConflict && l.Refused[0].Frame == 0
		})
	}},
	{"same id, same body, in the next session, after a restart", "duplicate", func(w *world) {
		f := opened(w)
		a := frame(`{"n":1}`)
		f.s.send(f.seal(a).Bytes())
		w.receive(1)
		w.settled()
		w.restart()
		g := f.s.open(f.after())
		f.s.send(g.grant, g.seal(a, frame(`{"n":2}`)).Bytes())
		w.receive(1)
	}},
	{"one bad frame of 100", "schema", func(w *world) {
		f := opened(w)
		frames := good(100)
		frames[41] = frame(`{"n":"no"}`)
		f.s.send(f.seal(frames...).Bytes())
		w.receive(99)
		if e := w.event("schema"); len(e.Messages) != 1 || e.Messages[0] != frames[41].ID.String() {
			w.t.Errorf("event names %v", e.Messages)
		}
	}},
	{"body that is not JSON", "schema", func(w *world) {
		f := opened(w)
		f.s.send(f.seal(frame("{\"n\":1,}")).Bytes())
	}},
	{"t ahead 10 min", "time", func(w *world) {
		f := opened(w)
		f.t = w.clock.Now().UnixMilli() + 600_000
		f.s.send(f.seal().Bytes())
		w.event("time")
		w.pass(9 * time.Minute)
		w.receive(1)
	}},
	{"t backwards", "time", func(w *world) {
		f := opened(w)
		w.clock.Advance(time.Minute)
		f.s.send(f.seal().Bytes())
		w.receive(1)
		f.s.send(must(f.keys.Seal(background, edSigner{f.s.key}, envelope.Entry{Seq: f.next, Prev: f.head, Time: f.t - 1}, good(1))).Bytes())
	}},
	{"t past naf + 60 s", "time", func(w *world) {
		f := opened(w)
		w.clock.Advance(2 * time.Hour)
		f.s.send(must(f.keys.Seal(background, edSigner{f.s.key}, envelope.Entry{Seq: f.next, Prev: f.head, Time: f.core.NotAfter + 60_001}, good(1))).Bytes())
	}},
	{"session window longer than a day", "time", func(w *world) {
		s := w.sender()
		s.send(s.open(func(b *envelope.CoreBody, _ *envelope.BoxText) { b.NotAfter = b.NotBefore + envelope.SessionLife + 1 }).grant)
	}},
	{"sender's clock 121 s ahead", "time", func(w *world) {
		f := w.sender().open(func(b *envelope.CoreBody, _ *envelope.BoxText) { b.NotBefore += 121_000; b.NotAfter += 121_000 })
		f.s.send(f.grant, f.seal().Bytes())
		w.event("time")
		w.pass(5 * time.Second)
		w.receive(1)
	}},
	{"back-dated t after a revocation", "role_revoked", func(w *world) {
		f := opened(w)
		w.book.set(func() { w.book.standErr = envelope.RoleRevoked.Errorf("revoked") })
		f.s.send(f.seal().Bytes())
	}},
	{"role expired mid-session", "role_expired", func(w *world) {
		f := opened(w)
		w.book.set(func() { w.book.standErr = envelope.RoleExpired.Errorf("expired") })
		f.s.send(f.seal().Bytes())
	}},
	{"new session after a revocation", "role_revoked", func(w *world) {
		s := w.sender()
		w.book.set(func() { w.book.roleErr = envelope.RoleRevoked.Errorf("revoked") })
		f := s.open()
		s.send(f.grant, f.seal().Bytes())
		w.until("told", func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && l.Refused[0].Code == envelope.RoleRevoked
		})
	}},
	{"DID without a role sends", "role_not_admitted", func(w *world) {
		s := w.sender()
		f := s.open(func(_ *envelope.CoreBody, t *envelope.BoxText) { t.Creds = nil })
		s.send(f.grant, f.seal().Bytes())
		w.event("session_refused")
		w.until("told", func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && l.UpTo == -1 && l.Refused[0].Code == envelope.RoleNotAdmitted
		})
	}},
	{"role of the same name under another namespace", "role_not_admitted", func(w *world) {
		s := w.sender()
		w.book.set(func() { w.book.roles[s.cred].Role = "aggregator.roles.other.apps.edge.iam.ewc" })
		s.send(s.open().grant)
	}},
	{"credential of another subject", "role", func(w *world) {
		s, other := w.sender(), w.sender()
		s.send(s.open(func(_ *envelope.CoreBody, t *envelope.BoxText) { t.Creds = []envelope.Digest{other.cred} }).grant)
	}},
	{"status list older than TTL, hub down, judged later", "status_stale", func(w *world) {
		s := w.sender()
		f := s.open()
		w.book.set(func() { w.book.roleErr = envelope.StatusStale.Errorf("no fresh list") })
		s.send(f.grant, f.seal().Bytes(), f.seal().Bytes())
		w.event("status_stale")
		w.book.set(func() { w.book.roleErr = nil })
		w.receive(2)
	}},
	{"status stale for three days in an open session, then fresh", "status_stale", func(w *world) {
		f := opened(w)
		w.book.set(func() { w.book.standErr = envelope.StatusStale.Errorf("no fresh list") })
		f.s.send(f.seal().Bytes(), f.seal().Bytes())
		w.event("status_stale")
		w.settled()
		w.clock.Advance(72 * time.Hour)
		w.restart()
		w.book.set(func() { w.book.standErr = nil })
		w.receive(2)
	}},
	{"revoked while its status was stale", "role_revoked", func(w *world) {
		f := opened(w)
		w.book.set(func() { w.book.standErr = envelope.StatusStale.Errorf("no fresh list") })
		f.s.send(f.seal().Bytes())
		w.event("status_stale")
		w.book.set(func() { w.book.standErr = envelope.RoleRevoked.Errorf("revoked") })
		w.event("role_revoked")
		w.until("told", func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && len(l.Refused) == 1 && l.Refused[0].First == 1
		})
	}},
	{"DID state behind", "did_stale", func(w *world) {
		s := w.sender()
		w.book.set(func() { w.book.roleErr = envelope.DIDStale.Errorf("owner changed") })
		s.send(s.open().grant)
	}},
	{"record by a non-owner", "topic", func(w *world) {
		s := w.sender()
		f := s.open(func(b *envelope.CoreBody, _ *envelope.BoxText) { b.Record = envelope.Sum([]byte("none")) })
		s.send(f.grant)
	}},
	{"record of another topic", "topic", func(w *world) {
		s := w.sender()
		f := s.open(func(b *envelope.CoreBody, _ *envelope.BoxText) { b.Record = w.prompt.Digest() })
		s.send(f.grant)
	}},
	{"suite not in my package", "suite", func(w *world) {
		s := w.sender()
		s.send(s.open(func(b *envelope.CoreBody, _ *envelope.BoxText) { b.Suite = 2 }).grant)
	}},
	{"CBOR truncated", "malformed", func(w *world) {
		f := w.sender().open()
		f.s.send(f.grant[:len(f.grant)-3])
	}},
	{"version 2", "version", func(w *world) {
		f := w.sender().open()
		i := bytes.Index(f.grant, f.core.Bytes())
		b := bytes.Clone(f.grant)
		b[i+2] = 2
		f.s.send(b)
	}},
	{"long ints", "not_canonical", func(w *world) {
		f := w.sender().open()
		f.s.send(append([]byte{0x84, 0x18, 0x03}, f.grant[2:]...))
	}},
	{"above the wire limit", "too_large", func(w *world) {
		w.sender().send(make([]byte, envelope.WireDefault+1))
	}},
	{"receipt of bad form", "malformed", func(w *world) { w.sender().send([]byte{0x82, 4, 0x40}) }},
	{"envelope of a refused session", "session_refused", func(w *world) {
		s := w.sender()
		f := s.open(func(_ *envelope.CoreBody, t *envelope.BoxText) { t.Creds = nil })
		s.send(f.grant)
		w.event("role_not_admitted")
		s.send(f.seal().Bytes())
	}},
	{"grant for a topic without a channel, created later", "no_channel", func(w *world) {
		w.channels.set()
		f := w.sender().open()
		f.s.send(f.grant, f.seal().Bytes())
		w.event("no_channel")
		w.channels.set(w.channel())
		w.receive(1)
	}},
	{"known lane group without prev", "lane_reset", func(w *world) {
		f := opened(w)
		g := f.s.open()
		f.s.send(g.grant, g.seal().Bytes())
		w.receive(1)
	}},
	{"prev names a session older than R", "out_of_retention", func(w *world) {
		f := w.sender().open(func(_ *envelope.CoreBody, t *envelope.BoxText) {
			t.Prev = &envelope.Prev{Session: envelope.Sum([]byte("old")), Seq: 9, NotAfter: w.clock.Now().Add(-retention - time.Hour).UnixMilli()}
		})
		f.s.send(f.grant, f.seal().Bytes())
		w.receive(1)
	}},
	{"sender's store cloned", "writer_conflict", func(w *world) {
		f := opened(w)
		a, b := f.s.open(f.after()), f.s.open(f.after())
		f.s.send(a.grant, a.seal().Bytes(), b.grant, b.seal().Bytes())
		w.receive(2)
	}},
	{"sender's store restored", "prev_regressed", func(w *world) {
		f := opened(w)
		back := f.after()
		old := *f
		f.s.send(f.seal().Bytes(), f.seal().Bytes())
		w.receive(2)
		_ = back
		g := f.s.open(old.after())
		f.s.send(g.grant, g.seal().Bytes())
		w.receive(1)
	}},
	{"prev names another entry than is held", "forked", func(w *world) {
		f := opened(w)
		f.head = envelope.Sum([]byte("other"))
		g := f.s.open(f.after())
		f.s.send(g.grant)
	}},
	{"too many failed checks", "throttled", func(w *world) {
		f := opened(w)
		e := f.seal().Bytes()
		for range 130 {
			f.s.send(flip(e, -7))
		}
		w.settled()
		f.s.send(e)
	}},
	{"cursor advanced by the broker", "hole", func(w *world) {
		f := opened(w)
		skipped := [][]byte{f.seal().Bytes(), f.seal().Bytes(), f.seal().Bytes()}
		f.s.send(f.seal().Bytes())
		w.until("ask", func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && len(l.Missing) == 1 && l.Missing[0].First == 1 && l.Missing[0].Last == 3
		})
		f.s.send(skipped...)
		w.receive(4)
	}},
	{"flood of grants from many DIDs", "throttled", func(w *world) {
		var grants []*flow
		for range 40 {
			grants = append(grants, w.sender().open())
		}
		for _, f := range grants {
			f.s.send(f.grant)
		}
		w.settled()
	}},
	{"flood of grants from one DID", "throttled", func(w *world) {
		s := w.sender()
		f := s.open(func(_ *envelope.CoreBody, t *envelope.BoxText) { t.Creds = nil })
		g := must(envelope.ParseGrant(f.grant))
		for range 300 {
			core := must(envelope.NewCore(func() envelope.CoreBody { b := f.core.CoreBody; b.Nonce = envelope.ID{}; return b }()))
			s.send(must(envelope.NewGrant(background, edSigner{s.key}, core, w.self.pkg.Digest(), g.Box)).Bytes())
		}
		w.settled()
	}},
}

// reseal encrypts frames for a header of the sender's own making.
func reseal(f *flow, h envelope.Header, frames []envelope.Frame) []byte {
	return sealRaw(f.core.Session(), f.secret, f.s.key, h, frames)
}

func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			held(t, func(t *testing.T, w *world) {
				a.play(w)
				e := w.event(a.code)
				if e.Kind == "" || e.At == 0 {
					t.Errorf("event %+v", e)
				}
			})
		})
	}
}
