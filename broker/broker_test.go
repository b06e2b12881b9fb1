package broker_test

import (
	"bytes"
	"encoding/base64"
	"path/filepath"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/nats-io/nkeys"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/broker/brokertest"
	"github.com/digital-spine/spine/broker/node"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// TestTimes runs the lives of challenges and tokens on a held clock.
func TestTimes(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	b := brokertest.Start(t, "", func(d *node.Deps) { d.Clock = clock })
	p := brokertest.New(t, 0)
	ctx := testkit.Context(t)
	login := func(l envelope.LoginBody) (*broker.Login, string) {
		t.Helper()
		x, err := envelope.NewLogin(ctx, p, l)
		if err != nil {
			t.Fatal(err)
		}
		out, err := b.Broker.Login(ctx, p.Cert.Bytes(), x.Bytes())
		return out, problem.CodeOf(err)
	}
	late := p.LoginBody(b)
	clock.Advance(61 * time.Second)
	late.At = clock.Now().UnixMilli()
	if _, code := login(late); code != "challenge" {
		t.Errorf("a challenge of 61 s ago: %q", code)
	}
	fresh := p.LoginBody(b)
	fresh.At = clock.Now().UnixMilli()
	l, code := login(fresh)
	if code != "" {
		t.Fatal(code)
	}
	pub, _ := p.NKey.PublicKey()
	connect := func(token, key string, kp nkeys.KeyPair, nonce string) string {
		sig, err := kp.Sign([]byte("nonce"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Broker.Admit(broker.Connecting{Token: token, NKey: key, Nonce: nonce, Sig: base64.RawURLEncoding.EncodeToString(sig)})
		return problem.CodeOf(err)
	}
	thief, _ := nkeys.CreateUser()
	thiefPub, _ := thief.PublicKey()
	for _, tc := range []struct{ name, got, want string }{
		{"right", connect(l.NATS.Token, pub, p.NKey, "nonce"), ""},
		{"another nonce", connect(l.NATS.Token, pub, p.NKey, "other"), "nonce"},
		{"no nonce", connect(l.NATS.Token, pub, p.NKey, ""), "nonce"},
		{"another key", connect(l.NATS.Token, thiefPub, thief, "nonce"), "nonce"},
		{"another key's signature", connect(l.NATS.Token, pub, thief, "nonce"), "nonce"},
		{"bearer of the HTTP API", connect(l.Token, pub, p.NKey, "nonce"), "token"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, tc.got, tc.want)
		}
	}
	codes := map[string]int{}
	for range 20 {
		codes[connect(l.NATS.Token, pub, p.NKey, "nonce")]++
	}
	if codes[""] != 15 || codes["throttled"] != 5 { // one was admitted above
		t.Errorf("twenty connections at once: %v", codes)
	}
	if _, err := b.Broker.Session(l.NATS.Token); problem.CodeOf(err) != "token" {
		t.Errorf("a bus token as HTTP bearer: %v", err)
	}
	if _, err := b.Broker.Session(l.Token); err != nil {
		t.Error(err)
	}
	clock.Advance(10 * time.Minute)
	if _, err := b.Broker.Session(l.Token); problem.CodeOf(err) != "token" {
		t.Errorf("after ten minutes: %v", err)
	}
	if err := b.Broker.Metering(ctx); err != nil {
		t.Fatal(err)
	}
	if got := connect(l.NATS.Token, pub, p.NKey, "nonce"); got != "token" {
		t.Errorf("bus token after ten minutes: %q", got)
	}
}

func TestSecretsOutliveRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "secret.key")
	a, err := broker.LoadSecret(path)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := broker.LoadSecret(path); err != nil || !bytes.Equal(a, b) {
		t.Error("another secret", err)
	}
	path = filepath.Join(t.TempDir(), "admin.key")
	k, err := broker.LoadAdminKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if k.Check("") == nil || k.Check("x") == nil {
		t.Error("another key passes")
	}
}
