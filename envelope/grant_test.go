package envelope

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestGrant(t *testing.T) {
	m := newMarket(t)
	text := &BoxText{
		Secret: m.secret,
		Prev:   &Prev{Session: Digest{1}, Seq: 7, Digest: Digest{2}, NotAfter: t0},
		Creds:  []Digest{{3}, {4}},
	}
	sent := m.grant(t, text)
	g := ok[*Grant](t)(ParseGrant(bytes.Clone(sent.Bytes())))
	wantCode(t, g.Core.CheckSender(Address(didA, 0)), "")
	wantCode(t, g.Core.CheckSuite(m.pkgB), "")
	wantCode(t, g.Core.CheckWindow(t0+1000), "")
	wantCode(t, g.Core.CheckOver(t0+1000, RetentionDefault, 0), "")
	wantCode(t, g.Core.CheckCertificate(m.certA), "")
	wantCode(t, g.Core.CheckTopic(m.topic), "")
	wantCode(t, g.Verify(m.certA.PublicKey()), "")
	if g.Core.Session() != m.core.Session() || g.Package != m.pkgB.Digest() || g.Digest() != sent.Digest() {
		t.Error("parsed grant differs")
	}
	got := ok[*BoxText](t)(OpenBox(m.xwing, g.Core.Session(), g.Package, g.Box))
	if got.Secret != m.secret || *got.Prev != *text.Prev || len(got.Creds) != 2 || got.Creds[1] != text.Creds[1] {
		t.Errorf("box text %+v", got)
	}
	logged := string(ok[[]byte](t)(json.Marshal(got)))
	if s := fmt.Sprintf("%v %+v %#v %s %x", m.secret, m.secret, m.secret, got.Secret, m.secret) + logged; strings.Contains(s, "0,1") || strings.Contains(s, "0 1") || strings.Contains(s, "0, 1") || strings.Contains(s, "0001") {
		t.Errorf("secret printed: %s", s)
	}
}

func TestGrantRefused(t *testing.T) {
	m := newMarket(t)
	g := m.grant(t, &BoxText{Secret: m.secret})
	signed := g.sign1
	rebuild := func(s sign1, pkg Digest, box []byte) *Grant {
		b := appendSign1([]byte{0x84, byte(KindGrant)}, typeGrant, s.payload, s.signature)
		return ok[*Grant](t)(ParseGrant(appendBytes(appendBytes(b, pkg[:]), box)))
	}
	verify := func(g *Grant) error { return g.Verify(m.certA.PublicKey()) }
	wantCode(t, verify(rebuild(signed, g.Package, g.Box)), "")

	t.Run("package swapped", func(t *testing.T) {
		wantCode(t, verify(rebuild(signed, Digest{1}, g.Box)), BadSignature)
	})
	t.Run("box swapped", func(t *testing.T) {
		other := m.grant(t, &BoxText{Secret: m.secret})
		wantCode(t, verify(rebuild(signed, g.Package, other.Box)), BadSignature)
	})
	t.Run("topic changed", func(t *testing.T) {
		body := m.coreBody()
		body.Topic = "dispatch.market.apps.edge.iam.ewc"
		core := ok[*Core](t)(NewCore(body))
		moved := rebuild(sign1{core.Bytes(), signed.signature}, g.Package, g.Box)
		wantCode(t, verify(moved), BadSignature)
		wantCode(t, moved.Core.CheckTopic(m.topic), BadTopic)
	})
	t.Run("signed by another instance", func(t *testing.T) {
		wantCode(t, verify(ok[*Grant](t)(NewGrant(m.ctx, m.keyB, m.core, g.Package, g.Box))), BadSignature)
	})
	t.Run("box under another core", func(t *testing.T) {
		body := m.coreBody()
		body.Nonce[0]++
		core := ok[*Core](t)(NewCore(body))
		x := ok[*Grant](t)(NewGrant(m.ctx, m.keyA, core, g.Package, g.Box))
		wantCode(t, verify(x), "")
		_, err := OpenBox(m.xwing, x.Core.Session(), x.Package, x.Box)
		wantCode(t, err, BadBox)
	})
	t.Run("box for another package", func(t *testing.T) {
		_, err := OpenBox(m.xwing, m.core.Session(), Digest{1}, g.Box)
		wantCode(t, err, BadBox)
	})
	t.Run("short box", func(t *testing.T) {
		_, err := OpenBox(m.xwing, m.core.Session(), g.Package, g.Box[:100])
		wantCode(t, err, BadBox)
	})
	t.Run("box at its limit and above", func(t *testing.T) {
		_, err := NewGrant(m.ctx, m.keyA, m.core, g.Package, make([]byte, MaxBox))
		wantCode(t, err, "")
		_, err = NewGrant(m.ctx, m.keyA, m.core, g.Package, make([]byte, MaxBox+1))
		wantCode(t, err, TooLarge)
	})
	t.Run("box text", func(t *testing.T) {
		_, err := SealBox(m.core.Session(), m.pkgB, &BoxText{Creds: make([]Digest, MaxCreds+1)})
		wantCode(t, err, BadBox)
		for _, b := range [][]byte{{}, {0xa0}, {0xa1, 1, 0x41, 0}, append((&BoxText{}).Bytes(), 0)} {
			_, err := ParseBoxText(b)
			wantCode(t, err, BadBox)
		}
		_, err = ParseBoxText((&BoxText{Prev: &Prev{Seq: MaxEnvelopes}}).Bytes())
		wantCode(t, err, BadBox)
	})
}

func TestCore(t *testing.T) {
	m := newMarket(t)
	edited := func(edit func(*CoreBody)) *Core {
		b := m.coreBody()
		edit(&b)
		return ok[*Core](t)(NewCore(b))
	}
	now := t0 + 1000
	t.Run("window", func(t *testing.T) {
		for _, c := range []struct {
			nbf, naf int64
			want     Code
			ahead    bool
		}{
			{now, now + 1, "", false},
			{now, now + day, "", false},
			{now, now + day + 1, BadTime, false},
			{now, now, BadTime, false},
			{now + Skew, now + hour, "", false},
			{now + Skew + 1, now + hour, BadTime, true},
		} {
			err := edited(func(b *CoreBody) { b.NotBefore, b.NotAfter = c.nbf, c.naf }).CheckWindow(now)
			wantCode(t, err, c.want)
			if errors.Is(err, ErrAhead) != c.ahead {
				t.Errorf("%+v: ahead is %v", c, !c.ahead)
			}
		}
	})
	t.Run("over", func(t *testing.T) {
		end := m.core.NotAfter + RetentionDefault
		wantCode(t, m.core.CheckOver(end, RetentionDefault, 0), "")
		wantCode(t, m.core.CheckOver(end+1, RetentionDefault, 0), SessionOver)
		// The clock was set back: what the ledger forgot stays forgotten.
		wantCode(t, m.core.CheckOver(now, RetentionDefault, end), SessionOver)
		wantCode(t, m.core.CheckOver(now, RetentionDefault, end-1), "")
	})
	t.Run("certificate", func(t *testing.T) {
		wantCode(t, m.core.CheckCertificate(m.certB), BadCert)
		for _, edit := range []func(*CoreBody){
			func(b *CoreBody) { b.From = didB },
			func(b *CoreBody) { b.Inst = 1 },
			func(b *CoreBody) { b.NotBefore = t0 - 1 },
			func(b *CoreBody) { b.NotAfter = t0 + 15*day + 1 },
		} {
			wantCode(t, edited(edit).CheckCertificate(m.certA), BadCert)
		}
	})
	t.Run("suite", func(t *testing.T) {
		wantCode(t, edited(func(b *CoreBody) { b.Suite = 2 }).CheckSuite(m.pkgB), BadSuite)
	})
	t.Run("sender", func(t *testing.T) {
		wantCode(t, m.core.CheckSender(Address(didB, 0)), Rebound)
		wantCode(t, m.core.CheckSender(Address(didA, 1)), Rebound)
	})
	t.Run("record", func(t *testing.T) {
		wantCode(t, edited(func(b *CoreBody) { b.Record[0]++ }).CheckTopic(m.topic), BadTopic)
	})
	t.Run("nonce", func(t *testing.T) {
		fresh := func(b *CoreBody) { b.Nonce = ID{} }
		if one, other := edited(fresh), edited(fresh); one.Session() == other.Session() {
			t.Error("two cores are one session")
		}
	})
	for name, edit := range map[string]func(*CoreBody){
		"DID":      func(b *CoreBody) { b.From = "did:web:example.com" },
		"instance": func(b *CoreBody) { b.Inst = MaxInstances },
		"topic":    func(b *CoreBody) { b.Topic = strings.Repeat("x", MaxTopicName+1) },
		"time":     func(b *CoreBody) { b.NotBefore = -1 },
	} {
		t.Run("malformed "+name, func(t *testing.T) {
			b := m.coreBody()
			edit(&b)
			_, err := NewCore(b)
			wantCode(t, err, Malformed)
		})
	}
}

func TestRoute(t *testing.T) {
	wantCode(t, CheckRoute("me", "me", "you"), "")
	wantCode(t, CheckRoute("me", "you", "them"), Rebound)
	wantCode(t, CheckRoute("me", "me", "me"), Rebound)
}
