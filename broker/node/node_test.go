package node_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto/hpke"

	"github.com/nats-io/nkeys"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/broker/brokertest"
	"github.com/digital-spine/spine/broker/node"
	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// call makes a JSON request and returns the code of its problem.
func call(t *testing.T, b *brokertest.Broker, bearer, method, path string, in, out any) string {
	t.Helper()
	return problem.CodeOf(httpkit.DoJSON(testkit.Context(t), httpkit.Client(10*time.Second), method, b.URL()+"/api/v1/"+path, bearer, in, out))
}

func put(t *testing.T, b *brokertest.Broker, bearer, kind string, digest envelope.Digest, raw []byte) string {
	t.Helper()
	_, err := httpkit.Do(testkit.Context(t), httpkit.Client(10*time.Second), http.MethodPut,
		b.URL()+"/api/v1/objects/"+digest.String()+"?kind="+kind, bearer, "application/octet-stream", raw)
	return problem.CodeOf(err)
}

func TestLoginIsChecked(t *testing.T) {
	b := brokertest.Start(t, "", nil)
	p := brokertest.New(t, 0)
	now := time.Now().UnixMilli()
	for _, tc := range []struct {
		name   string
		change func(*envelope.LoginBody)
		want   string
	}{
		{"right", func(*envelope.LoginBody) {}, ""},
		{"another server", func(l *envelope.LoginBody) { l.Origin = "https://elsewhere.example" }, "rebound"},
		{"another certificate", func(l *envelope.LoginBody) { l.Cert[0] ^= 1 }, "cert"},
		{"old", func(l *envelope.LoginBody) { l.At = now - 300_000 }, "time"},
		{"a nonce of its own", func(l *envelope.LoginBody) { l.Nonce[31] ^= 1 }, "challenge"},
		{"no user key", func(l *envelope.LoginBody) { l.NKey = "" }, "login"},
		{"an account key", func(l *envelope.LoginBody) { k, _ := nkeys.CreateAccount(); l.NKey, _ = k.PublicKey() }, "login"},
	} {
		l := p.LoginBody(b)
		tc.change(&l)
		if got := problem.CodeOf(p.TryLogin(t, b, l)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	once := p.LoginBody(b)
	if err := p.TryLogin(t, b, once); err != nil {
		t.Fatal(err)
	}
	if got := problem.CodeOf(p.TryLogin(t, b, once)); got != "challenge" {
		t.Errorf("a login replayed: %q", got)
	}
	// A certificate that the DID's key did not sign.
	thief := brokertest.New(t, 0)
	thief.DID = p.DID
	thief.Certify(t, 0)
	if got := problem.CodeOf(thief.TryLogin(t, b, thief.LoginBody(b))); got != "cert" {
		t.Errorf("a stranger's certificate: %q", got)
	}
	// A raised floor voids what is below, at once: tokens and connections.
	old := *p
	oldToken := p.Token
	conn, err := p.Raw(t)
	if err != nil {
		t.Fatal(err)
	}
	p.Certify(t, uint64(now/1000)-7200)
	p.Login(t, b)
	testkit.Eventually(t, testkit.Context(t), "the token under the old floor to be void", func() bool {
		return call(t, b, oldToken, "GET", "mailbox", nil, nil) == "banned"
	})
	testkit.Eventually(t, testkit.Context(t), "the connection to be closed", func() bool { return !conn.IsConnected() })
	if got := problem.CodeOf(old.TryLogin(t, b, old.LoginBody(b))); got != "cert_void" {
		t.Errorf("a certificate below the floor: %q", got)
	}
}

func TestLoginsAreThrottled(t *testing.T) {
	b := brokertest.Start(t, "", func(d *node.Deps) { d.Config.Limits.LoginsPerMinute = 3 })
	p := brokertest.New(t, 0)
	var codes []string
	for range 5 {
		codes = append(codes, problem.CodeOf(p.TryLogin(t, b, p.LoginBody(b))))
	}
	if got := strings.Join(codes, ","); got != ",,,throttled,throttled" {
		t.Error(got)
	}
}

func TestDirectory(t *testing.T) {
	b := brokertest.Start(t, "", nil)
	p := brokertest.New(t, 0)
	p.Login(t, b)
	now := time.Now().UnixMilli()
	ctx := testkit.Context(t)

	pkg := func(gen uint64) *envelope.Package {
		k, err := hpke.MLKEM768X25519().GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		x, err := envelope.NewPackage(ctx, p, envelope.PackageBody{Cert: p.Cert.Digest(), Gen: gen, NotBefore: now - 1000, NotAfter: now + 3600_000,
			KEM: map[uint64][]byte{envelope.Suite1: k.PublicKey().Bytes()}})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	older, newer, ahead := pkg(uint64(now/1000)-10), pkg(uint64(now/1000)), pkg(uint64(now/1000)+3600)
	files, err := envelope.NewSchema("json", "a.json", []envelope.File{{Name: "a.json", Bytes: []byte(`{"type":"object","required":["n"]}`)}})
	if err != nil {
		t.Fatal(err)
	}
	broken, err := envelope.NewSchema("json", "a.json", []envelope.File{{Name: "a.json", Bytes: []byte(`{"type":7}`)}})
	if err != nil {
		t.Fatal(err)
	}
	const space = "market.apps.edge.iam.ewc"
	topic := func(rev uint64, schema envelope.Digest, ns string) *envelope.Topic {
		n := brokertest.Network()
		x, err := envelope.NewTopic(ctx, broker.Network{ChainID: n.ChainID, DIDRegistry: n.Contracts.DIDRegistry}.Domain(), p, envelope.TopicBody{DID: p.DID,
			Name: "hello." + ns, Version: "1.0.0", Revision: rev, Kind: "json", Schema: schema, NotBefore: now, NotAfter: now + 86400_000})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	b.Chain.Own(space, p.Address())
	good, foreign := topic(1, files.Digest(), space), topic(1, files.Digest(), "other.apps.edge.iam.ewc")
	other := brokertest.New(t, 0)
	other.Login(t, b)
	flipped := append([]byte(nil), newer.Bytes()...)
	flipped[len(flipped)-1] ^= 1

	for _, tc := range []struct {
		name, bearer, kind string
		digest             envelope.Digest
		raw                []byte
		want               string
	}{
		{"no login", "", "package", older.Digest(), older.Bytes(), "token"},
		{"package", p.Token, "package", older.Digest(), older.Bytes(), ""},
		{"broken copy of a package first", p.Token, "package", newer.Digest(), flipped, "package"},
		{"newer package", p.Token, "package", newer.Digest(), newer.Bytes(), ""},
		{"again", p.Token, "package", newer.Digest(), newer.Bytes(), ""},
		{"package ahead of now", p.Token, "package", ahead.Digest(), ahead.Bytes(), "package"},
		{"another's package", other.Token, "package", older.Digest(), older.Bytes(), "not_yours"},
		{"wrong path", p.Token, "package", older.Digest(), newer.Bytes(), "digest"},
		{"garbage", p.Token, "package", older.Digest(), []byte("garbage"), "malformed"},
		{"unknown kind", p.Token, "video", older.Digest(), older.Bytes(), "invalid_request"},
		{"topic before its schema", p.Token, "topic", good.Digest(), good.Bytes(), "topic"},
		{"schema", p.Token, "schema", files.Digest(), files.Bytes(), ""},
		{"schema that does not compile", p.Token, "schema", broken.Digest(), broken.Bytes(), "topic"},
		{"topic", p.Token, "topic", good.Digest(), good.Bytes(), ""},
		{"topic of a foreign namespace", p.Token, "topic", foreign.Digest(), foreign.Bytes(), "topic"},
	} {
		got := put(t, b, tc.bearer, tc.kind, tc.digest, tc.raw)
		if got != tc.want && !(tc.kind == "video" && got != "") {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	var in struct {
		Instances []struct{ DID, Addr, Cert, Pkg string }
	}
	if code := call(t, b, "", "GET", "instances?did="+p.DID, nil, &in); code != "" || len(in.Instances) != 1 {
		t.Fatal(code, in)
	}
	if i := in.Instances[0]; i.Pkg != newer.Digest().String() || i.Cert != p.Cert.Digest().String() || i.Addr != p.Addr {
		t.Errorf("%+v", i)
	}
	var recs struct {
		Records []struct{ Version, Rec string }
	}
	if code := call(t, b, "", "GET", "records?name=hello."+space, nil, &recs); code != "" || len(recs.Records) != 1 || recs.Records[0].Rec != good.Digest().String() {
		t.Error(code, recs)
	}
	raw, err := httpkit.Do(ctx, httpkit.Client(time.Second), "GET", b.URL()+"/api/v1/objects/"+files.Digest().String()+"?kind=schema", "", "", nil)
	if err != nil || hex.EncodeToString(raw) != hex.EncodeToString(files.Bytes()) {
		t.Error(err)
	}
	if code := call(t, b, "", "GET", "objects/"+strings.Repeat("0", 64)+"?kind=cert", nil, nil); code != "not_found" {
		t.Error(code)
	}
}

func TestOperator(t *testing.T) {
	b := brokertest.Start(t, "", nil)
	keyFile := filepath.Join(b.Data, "admin.key")
	if fi, err := os.Stat(keyFile); err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatal(fi, err)
	}
	kb, _ := os.ReadFile(keyFile)
	key := strings.TrimSpace(string(kb))
	alice, ac := brokertest.Joined(t, b)
	bob, bc := brokertest.Joined(t, b)
	ctx := testkit.Context(t)
	for i := range 3 {
		if err := ac.Publish(ctx, []bus.Msg{{Subject: alice.Subject(bob), Data: fmt.Append(nil, i)}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"admin/mailboxes", "admin/mailboxes/" + bob.Addr + "/messages"} {
		for _, bad := range []string{"", alice.Token, key + "x"} {
			if code := call(t, b, bad, "GET", path, nil, nil); code != "admin_key" {
				t.Errorf("%s with another key: %q", path, code)
			}
		}
	}
	var boxes struct{ Mailboxes []struct{ Addr, DID string } }
	if code := call(t, b, key, "GET", "admin/mailboxes", nil, &boxes); code != "" || len(boxes.Mailboxes) != 2 {
		t.Fatal(code, boxes)
	}
	var msgs struct {
		Messages []struct {
			Seq           uint64
			Subject, Data string
		}
	}
	box := "admin/mailboxes/" + bob.Addr
	if code := call(t, b, key, "GET", box+"/messages", nil, &msgs); code != "" || len(msgs.Messages) != 3 || msgs.Messages[1].Subject != alice.Subject(bob) {
		t.Fatal(code, msgs)
	}
	if code := call(t, b, key, "DELETE", fmt.Sprintf("%s/messages/%d", box, msgs.Messages[1].Seq), nil, nil); code != "reason" {
		t.Error(code)
	}
	if code := call(t, b, key, "DELETE", fmt.Sprintf("%s/messages/%d", box, msgs.Messages[1].Seq), map[string]string{"reason": "test"}, nil); code != "" {
		t.Fatal(code)
	}
	if code := call(t, b, key, "POST", "admin/publish", map[string]string{"subject": alice.Subject(bob), "data": base64.RawURLEncoding.EncodeToString([]byte("forged"))}, nil); code != "" {
		t.Fatal(code)
	}
	if code := call(t, b, key, "POST", box+"/pause", map[string]int{"seconds": 600}, nil); code != "" {
		t.Fatal(code)
	}
	var st broker.MailboxState
	if code := call(t, b, bob.Token, "GET", "mailbox", nil, &st); code != "" || st.Pending != 3 || st.PausedMS == 0 {
		t.Fatal(code, st)
	}
	if code := call(t, b, key, "POST", box+"/resume", map[string]any{}, nil); code != "" {
		t.Fatal(code)
	}
	read := func(p *bus.Pull, n int) (out string) {
		t.Helper()
		for n > 0 {
			ds, err := p.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for i := range ds {
				out += string(ds[i].Data) + " "
				if err := ds[i].Ack(); err != nil {
					t.Fatal(err)
				}
			}
			n -= len(ds)
		}
		return out
	}
	pull := bob.Pull(t, bc)
	if got := read(pull, 3); got != "0 2 forged " {
		t.Errorf("after delete and forge: %q", got)
	}
	if code := call(t, b, key, "POST", box+"/rewind", map[string]uint64{"seq": msgs.Messages[2].Seq}, nil); code != "" {
		t.Fatal(code)
	}
	pull.Close()
	pull = bob.Pull(t, bc)
	if got := read(pull, 2); got != "2 forged " {
		t.Errorf("after rewind: %q", got)
	}
	var gone struct{ Removed uint64 }
	if code := call(t, b, key, "POST", box+"/purge", map[string]string{"sender": alice.Addr, "reason": "test"}, &gone); code != "" || gone.Removed != 3 {
		t.Error(code, gone)
	}
	if code := call(t, b, key, "POST", "admin/kick", map[string]any{"did": alice.DID, "seconds": 60, "reason": "test"}, nil); code != "" {
		t.Fatal(code)
	}
	testkit.Eventually(t, ctx, "alice to be gone", func() bool { return !ac.Connected() })
	if got := problem.CodeOf(alice.TryLogin(t, b, alice.LoginBody(b))); got != "banned" {
		t.Errorf("login of a kicked participant: %q", got)
	}
	if code := call(t, b, alice.Token, "GET", "mailbox", nil, nil); code != "banned" {
		t.Errorf("token of a kicked participant: %q", code)
	}
}

func TestSenderAboveItsBytes(t *testing.T) {
	b := brokertest.Start(t, "", func(d *node.Deps) { d.Config.Limits.BytesPerSender = 50_000 })
	alice, ac := brokertest.Joined(t, b)
	bob, _ := brokertest.Joined(t, b)
	for range 3 {
		ac.Publish(t.Context(), []bus.Msg{{Subject: alice.Subject(bob), Data: make([]byte, 20_000)}})
	}
	if err := b.Broker.Metering(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := problem.CodeOf(alice.TryLogin(t, b, alice.LoginBody(b))); got != "banned" {
		t.Errorf("login above the bytes: %q", got)
	}
	if err := bob.TryLogin(t, b, bob.LoginBody(b)); err != nil {
		t.Errorf("the recipient is refused: %v", err)
	}
}

// A broker that cannot start says why, and leaves nothing open.
func TestCannotStart(t *testing.T) {
	b := brokertest.Start(t, "", nil)
	deps := node.Deps{Config: broker.Config{Data: b.Data}, Network: brokertest.Network(), DIDs: b.Chain, Names: b.Chain, Log: testkit.Logger(t)}
	if n, err := node.New(t.Context(), deps); err == nil || n != nil {
		t.Errorf("a second broker on the same data: %v", err)
	}
	b.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := node.New(ctx, deps); err == nil {
		t.Error("started in a context that had ended")
	}
	brokertest.Start(t, b.Data, nil)
}
