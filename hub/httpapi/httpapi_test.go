package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/vc"
)

func TestLogin(t *testing.T) {
	w := newWorld(t)
	p := w.member(1)
	if code := w.call("POST", "/enrolments", p.token, map[string]string{"role": role}, nil); code != "role_unknown" {
		t.Errorf("with a token: %s", code)
	}
	for name, tc := range map[string]struct {
		change func(*envelope.LoginBody)
		code   string
	}{
		"other server":      {func(b *envelope.LoginBody) { b.Origin = "http://127.0.0.1:1" }, "rebound"},
		"invented nonce":    {func(b *envelope.LoginBody) { b.Nonce = envelope.Digest{1} }, "nonce"},
		"altered nonce":     {func(b *envelope.LoginBody) { b.Nonce[12] ^= 1 }, "nonce"},
		"signed long ago":   {func(b *envelope.LoginBody) { b.At -= 121_000 }, "time"},
		"signed ahead":      {func(b *envelope.LoginBody) { b.At += 121_000 }, "time"},
		"other certificate": {func(b *envelope.LoginBody) { b.Cert = envelope.Digest{1} }, "cert"},
		"with an nkey":      {func(b *envelope.LoginBody) { b.NKey = "U" }, "malformed"},
	} {
		if code := w.login(p, tc.change); code != tc.code {
			t.Errorf("%s: code %q, want %q", name, code, tc.code)
		}
	}

	nonce := w.nonce()
	again := func(b *envelope.LoginBody) { b.Nonce = nonce }
	if code := w.login(p, again); code != "" {
		t.Errorf("first use of a nonce: %s", code)
	}
	if code := w.login(p, again); code != "nonce" {
		t.Errorf("second use of a nonce: %s", code)
	}
	nonce = w.nonce()
	w.clock.Advance(61 * time.Second)
	if code := w.login(p, again); code != "nonce" {
		t.Errorf("old nonce: %s", code)
	}

	w.clock.Advance(10 * time.Minute)
	for name, token := range map[string]string{"ended": p.token, "none": "", "invented": "e30.AAAA", "altered": p.token + "A", "operator's": adminKey} {
		if code := w.call("POST", "/enrolments", token, map[string]string{"role": role}, nil); code != "unauthorized" {
			t.Errorf("token %s: %s", name, code)
		}
	}
	w.chain.set(func() { w.chain.stale = true })
	if code := w.login(p, nil); code != "did_stale" {
		t.Errorf("DID stale: %s", code)
	}
	w.chain.set(func() { w.chain.stale = false })
	for name, body := range map[string]map[string]string{
		"not base64": {"certificate": "!", "login": "AAAA"}, "empty": {"certificate": "", "login": ""},
	} {
		if code := w.call("POST", "/login", "", body, nil); code != "base64" {
			t.Errorf("%s: %s", name, code)
		}
	}
	if code := w.call("POST", "/login", "", map[string]string{"certificate": "AAAA", "login": "AAAA"}, nil); code != "malformed" {
		t.Errorf("garbage: %s", code)
	}
}

// The hub checks the certificate as any peer would (C1 to C5).
func TestLoginCertificate(t *testing.T) {
	w := newWorld(t)
	stranger := newParty(t, 9)
	for name, tc := range map[string]struct {
		spoil func(p *party)
		code  string
	}{
		"too long":                 {func(p *party) { p.certify(t, func(b *envelope.CertificateBody) { b.NotAfter++ }) }, "cert"},
		"over":                     {func(p *party) { p.certify(t, func(b *envelope.CertificateBody) { b.NotAfter = b.NotBefore + 1000 }) }, "cert"},
		"floor ahead":              {func(p *party) { p.certify(t, func(b *envelope.CertificateBody) { b.Floor = uint64(t0/1000) + 1 }) }, "cert"},
		"other's key":              {func(p *party) { p.key = stranger.key; p.certify(t, func(*envelope.CertificateBody) {}) }, "cert"},
		"stranger signs the login": {func(p *party) { p.inst = stranger.inst }, "signature"},
	} {
		p := newParty(t, 1)
		tc.spoil(p)
		if code := w.login(p, nil); code != tc.code {
			t.Errorf("%s: code %q, want %q", name, code, tc.code)
		}
	}
}

// A raised floor ends tokens and certificates below it.
func TestFloor(t *testing.T) {
	w := newWorld(t)
	old := w.member(1)
	renewed := newParty(t, 1)
	renewed.certify(t, func(b *envelope.CertificateBody) { b.NotBefore, b.Floor = t0+2_000_000, uint64(t0/1000)+2000 })
	if code := w.login(renewed, nil); code != "" {
		t.Fatalf("raised floor: %s", code)
	}
	if code := w.call("POST", "/enrolments", old.token, map[string]string{"role": role}, nil); code != "unauthorized" {
		t.Errorf("token below the floor: %s", code)
	}
	if code := w.login(old, nil); code != "cert_void" {
		t.Errorf("certificate below the floor: %s", code)
	}
}

func TestEnrolment(t *testing.T) {
	w := newWorld(t)
	issuer, subject, stranger := w.member(1), w.member(2), w.member(3)
	w.define(role, "", issuer)

	var e, again hub.Enrolment
	w.must("POST", "/enrolments", subject.token, map[string]string{"role": strings.ToUpper(role)}, &e)
	if e.Role != role || e.Subject != subject.did || e.Status != hub.Requested || e.ID == "" {
		t.Fatalf("enrolment %+v", e)
	}
	w.must("POST", "/enrolments", subject.token, map[string]string{"role": role, "subject": subject.did}, &again)
	if again != e {
		t.Errorf("second request %+v", again)
	}
	for _, tc := range []struct {
		body map[string]string
		code string
	}{
		{map[string]string{"role": role, "subject": stranger.did}, "not_subject"},
		{map[string]string{"role": "x.roles.iam.ewc"}, "role_unknown"},
		{map[string]string{"role": "a b"}, "name"},
		{map[string]string{}, "request_invalid"},
		{map[string]string{"role": role, "x": "y"}, "request_invalid"},
	} {
		if code := w.call("POST", "/enrolments", subject.token, tc.body, nil); code != tc.code {
			t.Errorf("%v: code %q, want %q", tc.body, code, tc.code)
		}
	}
	var list struct{ Enrolments []hub.Enrolment }
	for query, n := range map[string]int{
		"": 1, "?issuer=" + issuer.did: 1, "?issuer=" + stranger.did: 0, "?subject=" + subject.did: 1, "?subject=" + issuer.did: 0,
		"?role=" + role: 1, "?status=requested": 1, "?status=issued": 0,
	} {
		list.Enrolments = nil
		w.must("GET", "/enrolments"+query, "", nil, &list)
		if len(list.Enrolments) != n {
			t.Errorf("list %s: %d, want %d", query, len(list.Enrolments), n)
		}
	}
	if code := w.call("GET", "/enrolments?issuer=nobody", "", nil, nil); code != "did_invalid" {
		t.Errorf("issuer filter: %s", code)
	}
	if code := w.call("POST", "/enrolments/"+e.ID+"/reject", stranger.token, nil, nil); code != "not_issuer" {
		t.Errorf("stranger rejects: %s", code)
	}
	raw := credential(t, issuer, subject.did, role, nil)
	digest, code := w.post(issuer.token, raw)
	if code != "" {
		t.Fatalf("publish: %s", code)
	}
	w.must("GET", "/enrolments/"+e.ID, "", nil, &again)
	if again.Status != hub.Issued || again.Digest != digest || again.Decided != w.now() {
		t.Errorf("after the credential: %+v", again)
	}
	w.must("POST", "/enrolments", subject.token, map[string]string{"role": role}, &again)
	if again.ID != e.ID || again.Status != hub.Issued {
		t.Errorf("request of a role that is held: %+v", again)
	}
	if code := w.call("POST", "/enrolments/"+e.ID+"/reject", issuer.token, nil, nil); code != "enrolment_closed" {
		t.Errorf("reject what was issued: %s", code)
	}
	if code := w.call("GET", "/enrolments/none", "", nil, nil); code != "enrolment_unknown" {
		t.Errorf("unknown: %s", code)
	}
	w.must("POST", "/enrolments", stranger.token, map[string]string{"role": role}, &e)
	w.must("POST", "/enrolments/"+e.ID+"/reject", issuer.token, map[string]string{"reason": "no"}, &e)
	if e.Status != hub.Rejected || e.Reason != "no" {
		t.Errorf("rejected %+v", e)
	}
	w.chain.set(func() { w.chain.away = true })
	if code := w.call("POST", "/enrolments", stranger.token, map[string]string{"role": role}, nil); code != "chain_unavailable" {
		t.Errorf("chain away: %s", code)
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	owner, registrar, subject := w.member(1), w.member(2), w.member(3)
	w.define(registry, "", owner)
	w.define(role, registry)
	parent := credential(t, owner, registrar.did, registry, nil)
	raw := credential(t, registrar, subject.did, role, func(c *vc.RoleCredential) {
		c.Parent, c.StatusIndex, c.ValidUntil = vc.Digest(parent), 7, t0+86_400_000
	})

	if _, code := w.post("", raw); code != "unauthorized" {
		t.Errorf("without login: %s", code)
	}
	if _, code := w.post(owner.token, raw); code != "role" {
		t.Errorf("before its parent: %s", code)
	}
	if _, code := w.post(owner.token, parent); code != "" {
		t.Fatalf("parent: %s", code)
	}
	if _, code := w.post(registrar.token, raw); code != "status_stale" {
		t.Errorf("the parent's status is unknown: %s", code)
	}
	w.must("PUT", "/status-lists", owner.token, w.statusOf(owner, 1, nil), nil)
	digest, code := w.post(registrar.token, raw)
	if code != "" {
		t.Fatalf("publish: %s", code)
	}
	if again, code := w.post(subject.token, raw); code != "" || again != digest {
		t.Errorf("again: %s", code)
	}
	for name, tc := range map[string]struct {
		raw  []byte
		code string
	}{
		"not JSON":         {[]byte("x"), "malformed"},
		"another encoding": {append(bytes.Clone(raw), 0x0a), "not_canonical"},
		"altered":          {bytes.Replace(raw, []byte("aggregator"), []byte("dispatcher"), 1), "role"},
		"self-issued":      {credential(t, subject, subject.did, registry, nil), "role"},
		"unknown role":     {credential(t, owner, subject.did, "x.roles.iam.ewc", nil), "role"},
		"expired":          {credential(t, owner, subject.did, registry, func(c *vc.RoleCredential) { c.ValidUntil = t0 + 1000 }), "role_expired"},
		"too large":        {bytes.Repeat([]byte("x"), 300<<10), "body_too_large"},
	} {
		if _, code := w.post(owner.token, tc.raw); code != tc.code {
			t.Errorf("%s: code %q, want %q", name, code, tc.code)
		}
	}
	w.chain.set(func() { w.chain.away = true })
	if _, code := w.post(owner.token, credential(t, owner, subject.did, registry, nil)); code != "chain_unavailable" {
		t.Errorf("chain away: %s", code)
	}
	w.chain.set(func() { w.chain.away, w.chain.stale = false, true })
	if _, code := w.post(owner.token, credential(t, owner, subject.did, registry, nil)); code != "did_stale" {
		t.Errorf("DID stale: %s", code)
	}
	w.chain.set(func() { w.chain.stale = false })
	got, err := httpkit.Do(t.Context(), w.hc, "GET", w.url+"/api/v1/credentials/"+digest, "", "", nil)
	if err != nil || !bytes.Equal(got, raw) {
		t.Errorf("bytes differ: %v", err)
	}
	for path, code := range map[string]string{
		"/credentials/" + strings.Repeat("0", 64): "credential_unknown", "/credentials/" + strings.ToUpper(digest): "request_invalid",
		"/credentials/xyz": "request_invalid", "/credentials": "request_invalid", "/credentials?subject=x": "did_invalid",
	} {
		if got := w.call("GET", path, "", nil, nil); got != code {
			t.Errorf("%s: code %q, want %q", path, got, code)
		}
	}
	var held struct {
		Credentials []struct {
			Digest, Role, Issuer string
			ValidUntil           int64
		}
	}
	w.must("GET", "/credentials?subject="+url.QueryEscape(strings.ToLower(subject.did)), "", nil, &held)
	if len(held.Credentials) != 1 || held.Credentials[0].Digest != digest || held.Credentials[0].ValidUntil != t0+86_400_000 || held.Credentials[0].Issuer != registrar.did {
		t.Errorf("held %+v", held)
	}
	type holders struct {
		Holders []struct{ DID, Credential string }
		Next    string
	}
	var h holders
	w.must("GET", "/roles/"+role+"/holders", "", nil, &h)
	if len(h.Holders) != 1 || h.Holders[0].DID != subject.did || h.Holders[0].Credential != digest {
		t.Errorf("holders %+v", h)
	}
	if _, code := w.post(registrar.token, credential(t, registrar, owner.did, role, func(c *vc.RoleCredential) { c.Parent = vc.Digest(parent) })); code != "" {
		t.Fatal(code)
	}
	var seen []string
	for after := ""; ; after = h.Next {
		h = holders{}
		w.must("GET", "/roles/"+role+"/holders?limit=1&after="+url.QueryEscape(after), "", nil, &h)
		if len(h.Holders) == 0 {
			break
		}
		seen = append(seen, h.Holders[0].DID)
	}
	if len(seen) != 2 {
		t.Errorf("pages %v", seen)
	}
	if code := w.call("GET", "/roles/"+role+"/holders?after=x", "", nil, nil); code != "cursor" {
		t.Errorf("bad cursor: %s", code)
	}
	w.clock.Advance(24 * time.Hour)
	h = holders{}
	w.must("GET", "/roles/"+role+"/holders", "", nil, &h)
	if len(h.Holders) != 1 {
		t.Errorf("holders after the end of one: %+v", h)
	}
}

func TestStatusLists(t *testing.T) {
	w := newWorld(t)
	issuer, subject := w.member(1), w.member(2)
	w.define(role, "", issuer)
	id := vc.ListID(issuer.did, "1")
	if code := w.call("GET", "/status?list="+url.QueryEscape(id), "", nil, nil); code != "status_unknown" {
		t.Errorf("before: %s", code)
	}
	first := w.statusOf(issuer, 1, nil)
	for name, tc := range map[string]struct {
		token string
		s     status
		code  string
	}{
		"no login":            {"", first, "unauthorized"},
		"another's login":     {subject.token, first, "not_issuer"},
		"other list named":    {issuer.token, w.statusOf(issuer, 1, func(b *envelope.StatusBody) { b.ListID += "x" }), "status_stale"},
		"other bytes named":   {issuer.token, w.statusOf(issuer, 1, func(b *envelope.StatusBody) { b.List[0]++ }), "status_stale"},
		"over":                {issuer.token, w.statusOf(issuer, 1, func(b *envelope.StatusBody) { b.At -= 60_001; b.NotAfter -= 60_001 }), "status_stale"},
		"longer than the TTL": {issuer.token, w.statusOf(issuer, 1, func(b *envelope.StatusBody) { b.NotAfter++ }), "status_stale"},
		"ahead":               {issuer.token, w.statusOf(issuer, 1, func(b *envelope.StatusBody) { b.At += 121_000; b.NotAfter += 121_000 }), "status_stale"},
		"other's freshness":   {issuer.token, status{first.List, w.statusOf(subject, 1, nil).Freshness, b64(subject.cert.Bytes())}, "status_stale"},
		"other's certificate": {issuer.token, status{first.List, first.Freshness, b64(subject.cert.Bytes())}, "status_stale"},
		"not base64":          {issuer.token, status{"!", first.Freshness, first.Certificate}, "base64"},
		"not a list":          {issuer.token, status{"AAAA", first.Freshness, first.Certificate}, "status_stale"},
	} {
		if code := w.call("PUT", "/status-lists", tc.token, tc.s, nil); code != tc.code {
			t.Errorf("%s: code %q, want %q", name, code, tc.code)
		}
	}
	w.must("PUT", "/status-lists", issuer.token, first, nil)
	var got status
	w.must("GET", "/status?list="+url.QueryEscape(id), "", nil, &got)
	if got != first {
		t.Error("served another list")
	}
	raw := credential(t, issuer, subject.did, role, func(c *vc.RoleCredential) { c.StatusIndex = 7 })
	digest, code := w.post(issuer.token, raw)
	if code != "" {
		t.Fatal(code)
	}

	// A long poll hears of the revocation at once: the test's clock stands still.
	type answer struct {
		Events []hub.Event
		Next   int64
	}
	var before answer
	w.must("GET", "/feed", "", nil, &before)
	heard := make(chan answer, 1)
	go func() {
		var a answer
		if code := w.call("GET", "/feed?wait=20s&after="+itoa(before.Next), "", nil, &a); code != "" {
			t.Error("feed:", code)
		}
		heard <- a
	}()
	revoked := w.statusOf(issuer, 2, nil, 7)
	w.must("PUT", "/status-lists", issuer.token, revoked, nil)
	a := <-heard
	if len(a.Events) != 2 || a.Next != a.Events[1].N {
		t.Fatalf("feed %+v", a)
	}
	if e := a.Events[0]; e.Type != hub.EventRevocation || e.Subject != subject.did || e.Role != role || e.Digest != digest || e.List != id {
		t.Errorf("revocation %+v", e)
	}
	if e := a.Events[1]; e.Type != hub.EventStatus || e.List != id {
		t.Errorf("status %+v", e)
	}
	var h struct{ Holders []any }
	w.must("GET", "/roles/"+role+"/holders", "", nil, &h)
	if len(h.Holders) != 0 {
		t.Errorf("a revoked holder is listed: %v", h)
	}
	if _, code := w.post(issuer.token, credential(t, issuer, issuer.did, role, func(c *vc.RoleCredential) { c.StatusIndex = 7 })); code != "role_revoked" {
		t.Errorf("credential on a set bit: %s", code)
	}

	// What is older or takes a revocation back is refused.
	for name, tc := range map[string]struct {
		s    status
		code string
	}{
		"older":             {first, "revision"},
		"same revision":     {w.statusOf(issuer, 2, nil, 7, 8), "revision"},
		"revocation undone": {w.statusOf(issuer, 3, nil, 8), "revocation_undone"},
		"the stored one":    {revoked, ""},
		"new freshness":     {w.statusOf(issuer, 2, func(b *envelope.StatusBody) { b.At++ }, 7), ""},
		"higher, same bits": {w.statusOf(issuer, 4, nil, 7), ""},
	} {
		if name == "higher, same bits" {
			continue // last, below: the order of a map is not one
		}
		if code := w.call("PUT", "/status-lists", issuer.token, tc.s, nil); code != tc.code {
			t.Errorf("%s: code %q, want %q", name, code, tc.code)
		}
	}
	w.must("PUT", "/status-lists", issuer.token, w.statusOf(issuer, 4, nil, 7), nil)
	var after answer
	w.must("GET", "/feed?after="+itoa(a.Next), "", nil, &after)
	if len(after.Events) != 0 {
		t.Errorf("freshness alone was announced: %+v", after.Events)
	}
	w.clock.Advance(2 * time.Minute)
	w.must("PUT", "/status-lists", issuer.token, w.statusOf(issuer, 4, nil, 7), nil)
	w.must("GET", "/feed?after="+itoa(a.Next), "", nil, &after)
	if len(after.Events) != 1 || after.Events[0].Type != hub.EventStatus {
		t.Errorf("fresh again: %+v", after.Events)
	}
}

func itoa(n int64) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestFeed(t *testing.T) {
	w := newWorld(t)
	var a struct {
		Events []hub.Event
		Next   int64
		Reset  bool
	}
	w.must("GET", "/feed?after=99", "", nil, &a)
	if a.Next != 0 || !a.Reset {
		t.Errorf("a number the feed does not know: %+v", a)
	}
	for range 5 {
		if err := w.hub.Announce(t.Context(), []hub.Event{{Type: hub.EventDID, Subject: "did:x"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.store.Sweep(t.Context(), 0, 2); err != nil {
		t.Fatal(err)
	}
	a.Reset = false
	w.must("GET", "/feed?after=1", "", nil, &a)
	if len(a.Events) != 2 || !a.Reset {
		t.Errorf("events were forgotten in between: %+v", a)
	}
	for query, code := range map[string]string{"?wait=x": "duration", "?wait=-1s": "duration", "?after=-1": "request_invalid", "?after=x": "request_invalid"} {
		if got := w.call("GET", "/feed"+query, "", nil, nil); got != code {
			t.Errorf("%s: code %q, want %q", query, got, code)
		}
	}
	// A wait that nothing ends is ended by the clock.
	done := make(chan string, 1)
	go func() { done <- w.call("GET", "/feed?after=5&wait=2s", "", nil, nil) }()
	for {
		w.clock.Advance(time.Second)
		select {
		case code := <-done:
			if code != "" {
				t.Errorf("waited: %s", code)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// Events of another process on the same database end a long poll too.
func TestFeedOfAnotherProcess(t *testing.T) {
	w := newWorld(t)
	done := make(chan string, 1)
	var a struct{ Events []hub.Event }
	go func() { done <- w.call("GET", "/feed?wait=30s", "", nil, &a) }()
	if err := w.store.Append(t.Context(), []hub.Event{{Type: hub.EventDID, Subject: "did:x"}}); err != nil {
		t.Fatal(err)
	}
	for {
		w.clock.Advance(100 * time.Millisecond)
		select {
		case code := <-done:
			if code != "" || len(a.Events) != 1 {
				t.Errorf("%s %+v", code, a)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t)
	p, other := w.member(1), w.member(2)
	for range hub.WriteBurst {
		if _, err := w.hub.Session(t.Context(), p.token); err != nil {
			t.Fatal(err)
		}
	}
	if code := w.call("POST", "/enrolments", p.token, map[string]string{"role": role}, nil); code != "throttled" {
		t.Errorf("above the rate: %s", code)
	}
	if code := w.call("POST", "/enrolments", other.token, map[string]string{"role": role}, nil); code != "role_unknown" {
		t.Errorf("another DID: %s", code)
	}
	w.clock.Advance(time.Second)
	if code := w.call("POST", "/enrolments", p.token, map[string]string{"role": role}, nil); code != "role_unknown" {
		t.Errorf("a second later: %s", code)
	}
	for range hub.LookupBurst {
		if _, err := w.hub.Name(t.Context(), "none.ewc"); problem.CodeOf(err) != "name_unknown" {
			t.Fatal(err)
		}
	}
	if code := w.call("GET", "/names/none.ewc", "", nil, nil); code != "throttled" {
		t.Errorf("look-ups on the chain: %s", code)
	}
}

func TestPrerequisites(t *testing.T) {
	w := newWorld(t)
	issuer, subject := w.member(1), w.member(2)
	w.define(registry, "", issuer)
	w.define(role, "", issuer)
	w.chain.set(func() { w.chain.roles[role].Prerequisites = []string{registry, "x.roles.ewc"} })
	ask := func() string {
		return w.call("POST", "/enrolments", subject.token, map[string]string{"role": role}, nil)
	}
	if code := ask(); code != "prerequisite" {
		t.Errorf("none held: %s", code)
	}
	if _, code := w.post(issuer.token, credential(t, issuer, subject.did, registry, nil)); code != "" {
		t.Fatal(code)
	}
	w.chain.set(func() { w.chain.roles[role].AllOfThem = true })
	if code := ask(); code != "prerequisite" {
		t.Errorf("one of two held: %s", code)
	}
	w.chain.set(func() { w.chain.roles[role].AllOfThem = false })
	if code := ask(); code != "" {
		t.Errorf("any one is enough: %s", code)
	}
}

func TestReads(t *testing.T) {
	w := newWorld(t)
	p := newParty(t, 1)
	w.define(role, "", p)
	if err := w.store.PutName(t.Context(), &hub.Name{Name: "iam.ewc", Kind: "container"}, nil); err != nil {
		t.Fatal(err)
	}
	for path, code := range map[string]string{
		"/names/edge.iam.ewc": "", "/names/iam.ewc": "", "/names/EDGE.iam.ewc": "", "/names/none.ewc": "name_unknown", "/names/a..b": "name",
		"/names": "", "/names?under=iam.ewc": "", "/names?limit=0": "request_invalid",
		"/roles/" + role: "", "/roles/none.roles.ewc": "role_unknown",
		"/dids/" + p.did: "", "/dids/" + strings.ToLower(p.did): "", "/dids/did:ethr:ewc:0x0000000000000000000000000000000000000000": "did_invalid",
		"/dids/x": "did_invalid", "/nothing": "not_found",
	} {
		if got := w.call("GET", path, "", nil, nil); got != code {
			t.Errorf("%s: code %q, want %q", path, got, code)
		}
	}
	var doc struct{ ID string }
	w.must("GET", "/dids/"+strings.ToLower(p.did), "", nil, &doc)
	if doc.ID != p.did {
		t.Errorf("document of %s", doc.ID)
	}
}

func TestAdmin(t *testing.T) {
	w := newWorld(t)
	p := w.member(1)
	w.define(role, "", p)
	digest, code := w.post(p.token, credential(t, p, p.did, role, nil))
	if code != "" {
		t.Fatal(code)
	}
	for _, token := range []string{"", "wrong", p.token} {
		if code := w.call("GET", "/admin/stats", token, nil, nil); code != "unauthorized" {
			t.Errorf("stats with %.5s: %s", token, code)
		}
		if code := w.call("DELETE", "/admin/credentials/"+digest, token, nil, nil); code != "unauthorized" {
			t.Errorf("drop with %.5s: %s", token, code)
		}
	}
	var st hub.Stats
	w.must("GET", "/admin/stats", adminKey, nil, &st)
	if st.Credentials != 1 || st.Events != 1 {
		t.Errorf("stats %+v", st)
	}
	w.must("DELETE", "/admin/credentials/"+digest, adminKey, nil, nil)
	if code := w.call("GET", "/credentials/"+digest, "", nil, nil); code != "credential_unknown" {
		t.Errorf("dropped: %s", code)
	}
	if code := w.call("POST", "/admin/resync", adminKey, map[string]int{"from": 0}, nil); code != "chain_unavailable" {
		t.Errorf("resync without a chain: %s", code)
	}
}

func TestServes(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
		if _, err := httpkit.Do(t.Context(), w.hc, "GET", w.url+path, "", "", nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	b, err := httpkit.Do(t.Context(), w.hc, "GET", w.url+"/openapi.json", "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
	for _, path := range []string{"/challenge", "/login", "/names/{name}", "/roles/{name}", "/roles/{name}/holders", "/dids/{did}", "/enrolments",
		"/enrolments/{id}/reject", "/credentials", "/credentials/{digest}", "/status-lists", "/status", "/feed"} {
		if doc.Paths["/api/v1"+path] == nil {
			t.Errorf("%s is not described", path)
		}
	}
	_, err = httpkit.Do(t.Context(), w.hc, "POST", w.url+"/api/v1/enrolments", "", "application/json", []byte("{"))
	if code := problem.CodeOf(err); code == "internal" || code == "" {
		t.Errorf("broken JSON: %v", err)
	}
}
