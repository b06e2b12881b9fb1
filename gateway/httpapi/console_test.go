package httpapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/contacts"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/vc"
)

// pages is a Logbook of one direction.
type pages struct {
	list []gateway.Entry // newest first
}

func (p pages) Entries(_ context.Context, f gateway.EntryFilter) ([]gateway.Entry, error) {
	var out []gateway.Entry
	found := f.Before == ""
	for _, e := range p.list {
		if found && len(out) < f.Max && (f.Channel == "" || e.Channel == f.Channel) {
			out = append(out, e)
		}
		found = found || e.Cursor == f.Before
	}
	if !found && f.Before != "" {
		return nil, problem.New(422, "cursor_invalid", "no such place")
	}
	return out, nil
}

func (p pages) Trace(_ context.Context, id string) (*gateway.Trace, error) {
	for _, e := range p.list {
		if e.ID == id {
			return &gateway.Trace{Entry: e, Steps: []gateway.Step{{At: 1, Name: "received"}}, Body: []byte("SECRET")}, nil
		}
	}
	return nil, gateway.MessageUnknown(id)
}

func TestLog(t *testing.T) {
	var out, in pages
	for i := 40; i > 0; i-- {
		e := gateway.Entry{ID: entry(i).ID, At: int64(i), Channel: fmt.Sprint("c", i%2), Cursor: fmt.Sprint("p/+.", i)}
		if i%3 == 0 {
			e.Direction = gateway.In
			e.At, e.Here = 0, int64(i) // custody counts
			in.list = append(in.list, e)
		} else {
			e.Direction = gateway.Out
			out.list = append(out.list, e)
		}
	}
	f := startWith(t, clockwork.NewRealClock(), func(d *Deps) { d.LogOut, d.LogIn = out, in })
	ctx, c := testkit.Context(t), client.New(f.url, f.admin)
	for _, max := range []int{1, 2, 7, 13, 39, 40, 200} {
		for _, direction := range []string{"", gateway.In, gateway.Out} {
			want := 40
			if direction == gateway.In {
				want = len(in.list)
			} else if direction == gateway.Out {
				want = len(out.list)
			}
			var got []gateway.Entry
			for next, first := "", true; first || next != ""; first = false {
				l, n, err := c.Log(ctx, client.LogFilter{Direction: direction, Before: next, Max: max})
				if err != nil || len(l) > max || len(got) > 40 {
					t.Fatal(err, len(l))
				}
				got, next = append(got, l...), n
			}
			if len(got) != want || !slices.IsSortedFunc(got, func(a, b gateway.Entry) int { return int(when(&b) - when(&a)) }) {
				t.Fatalf("%q by %d: %d entries, want %d", direction, max, len(got), want)
			}
		}
	}
	if l, _, err := c.Log(ctx, client.LogFilter{Channel: "c1"}); err != nil || len(l) != 20 {
		t.Fatal(err, len(l))
	}
	tr, err := c.Trace(ctx, gateway.Out, entry(40).ID)
	if err != nil || string(tr.Body) != "SECRET" || len(tr.Steps) != 1 {
		t.Fatal(err, tr)
	}
	for name, tc := range map[string]struct {
		key, path string
		status    int
		code      string
	}{
		"sent by a receiver":  {f.receive, "log?direction=out", 403, "scope_missing"},
		"both by a receiver":  {f.receive, "log", 403, "scope_missing"},
		"received":            {f.receive, "log?direction=in", 200, ""},
		"sent":                {f.send, "log?direction=out", 200, ""},
		"trace by a sender":   {f.send, "log/in/" + entry(39).ID, 403, "scope_missing"},
		"trace by a receiver": {f.receive, "log/in/" + entry(39).ID, 200, ""},
		"other direction":     {f.admin, "log/in/" + entry(40).ID, 404, "message_unknown"},
		"no direction":        {f.admin, "log/up/" + entry(40).ID, 422, "request_invalid"},
		"no id":               {f.admin, "log/in/SECRET", 404, "message_unknown"},
		"bad place":           {f.admin, "log?before=SECRET", 422, "query_invalid"},
		"bad base64":          {f.admin, "log?before=SECRET!.-", 422, "query_invalid"},
		"unknown place":       {f.admin, "log?before=SECRET0.-", 422, "cursor_invalid"},
		"too many":            {f.admin, "log?max=201", 422, "request_invalid"},
	} {
		if status, code := f.ask(t, "GET", "/api/v1/"+tc.path, "", map[string]string{"Authorization": "Bearer " + tc.key}); status != tc.status || code != tc.code {
			t.Errorf("%s: %d %q, want %d %q", name, status, code, tc.status, tc.code)
		}
	}
	// A gateway that keeps no log has an empty one.
	f = start(t)
	if l, next, err := client.New(f.url, f.admin).Log(ctx, client.LogFilter{}); err != nil || len(l) != 0 || next != "" {
		t.Fatal(err, l, next)
	}
}

func FuzzPlaces(f *testing.F) {
	f.Add("YQ.-")
	f.Add("-.-")
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parsePlaces(s)
		if !ok || s == "" {
			return
		}
		again, ok := parsePlaces(formatPlaces(p))
		if !ok || again[gateway.In] != p[gateway.In] || again[gateway.Out] != p[gateway.Out] {
			t.Fatalf("%q", s)
		}
	})
}

type papers []Expiry

func (p papers) Expiring(context.Context, time.Time) []Expiry { return p }

type lame struct{}

func (lame) About(context.Context) About { return About{DID: "did:me", Reason: "broker_down"} }

func TestOverview(t *testing.T) {
	clock := clockwork.NewFakeClock()
	f := startWith(t, clock, func(d *Deps) {
		d.Identity = lame{}
		d.Papers = papers{{Code: "role_expiring", What: "aggregator", Ends: 5}}
	})
	ctx, c := testkit.Context(t), client.New(f.url, f.admin)
	old := clock.Now().Add(-25 * time.Hour).UnixMilli()
	for _, e := range []gateway.Event{
		{Kind: gateway.KindRefused, Code: "schema"}, {Kind: gateway.KindRefused, Code: "schema"},
		{Kind: gateway.KindDetected, Code: "signature"},
		{Kind: gateway.KindDetected, Code: "hole"}, {Kind: gateway.KindRepaired, Code: "repaired"}, // all is well again
		{Kind: gateway.KindDetected, Code: "duplicate"}, // for the record only
		{Kind: gateway.KindRefused, Code: "forked", At: old},
		{Kind: gateway.KindState, Code: "brand_new"},
	} {
		f.ring.Emit(ctx, e)
	}
	testkit.Eventually(t, ctx, "the events are stored", func() bool {
		l, _, err := c.RecentEvents(ctx, client.EventFilter{})
		return err == nil && len(l) == 8
	})
	o, err := c.Overview(ctx, 0)
	if err != nil || o.Ready || o.Reason != "broker_down" || o.Edges == nil || o.Series.In == nil {
		t.Fatal(err, o)
	}
	got := map[string]int64{}
	for _, a := range o.Attention {
		got[a.Code] = a.Count
		if a.Title == "" || a.What == "" || a.Do == "" {
			t.Errorf("%+v explains nothing", a)
		}
	}
	want := map[string]int64{"schema": 2, "signature": 1, "broker_down": 1, "role_expiring": 1, "brand_new": 1}
	if len(got) != len(want) {
		t.Fatalf("attention %v, want %v", got, want)
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%s %d times, want %d", k, got[k], n)
		}
	}
	if o.Attention[0].Severity != gateway.SeverityError || o.Attention[len(o.Attention)-1].Severity != gateway.SeverityWarning {
		t.Errorf("the gravest is not first: %+v", o.Attention)
	}
	if !slices.ContainsFunc(o.Attention, func(a gateway.Attention) bool {
		return strings.HasSuffix(a.Title, ": aggregator") && a.Kind == gateway.KindExpiring && a.Last == 5
	}) {
		t.Error("it does not say which role ends")
	}
	if status, code := f.ask(t, "GET", "/api/v1/overview?minutes=61", "", map[string]string{"Authorization": "Bearer " + f.admin}); status != 422 {
		t.Error(status, code)
	}
	// Pages of events, newest first.
	var all []int64
	for before, first := int64(0), true; first || before != 0; first = false {
		l, next, err := c.RecentEvents(ctx, client.EventFilter{Before: before, Max: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range l {
			all = append(all, e.N)
		}
		before = next
	}
	if len(all) != 8 || !slices.IsSortedFunc(all, func(a, b int64) int { return int(b - a) }) {
		t.Fatal(all)
	}
}

// book is a Directory.
type book struct {
	holders map[string][]trust.Holder
	fails   map[string]error
}

func (b book) Holders(_ context.Context, role string) ([]trust.Holder, error) {
	return b.holders[role], b.fails[role]
}

func (b book) Look(_ context.Context, did string) (*trust.Listing, error) {
	if err := b.fails[did]; err != nil {
		return nil, err
	}
	return &trust.Listing{
		Members: []trust.Member{{DID: did, Inst: 1, Addr: "addr", Package: &envelope.Package{PackageBody: envelope.PackageBody{NotBefore: 9}}}},
		Faults:  []trust.Fault{{DID: did, Inst: 0, Err: envelope.CertVoid.Errorf("void")}},
	}, nil
}

func TestMembers(t *testing.T) {
	const a, b, c, me = "did:ethr:0x1:0xa", "did:ethr:0x1:0xb", "did:ethr:0x1:0xc", "did:me"
	holds := func(did, role string) trust.Holder {
		return trust.Holder{DID: did, Credential: envelope.Digest{1}, Verified: &vc.Verified{Role: role, Subject: did, Issuer: "did:issuer", ValidUntil: 77}}
	}
	m := MembersOf(me, book{
		holders: map[string][]trust.Holder{"s.roles.x": {holds(a, "s.roles.x"), holds(me, "s.roles.x")}, "r.roles.x": {holds(b, "r.roles.x")}},
		fails:   map[string]error{b: envelope.BadPackage.Errorf("none: %w", trust.ErrAbsent), "gone.roles.x": envelope.StatusStale.Errorf("away: %w", trust.ErrAbsent)},
	})
	f := startWith(t, clockwork.NewRealClock(), func(d *Deps) { d.Members = m })
	ctx, cl := testkit.Context(t), client.New(f.url, f.admin)
	put := func(ch gateway.Channel) {
		t.Helper()
		if _, err := f.api.Channels.Put(ctx, ch); err != nil {
			t.Fatal(err)
		}
	}
	put(gateway.Channel{Name: "m", Topic: "t.apps.ewc", Send: &gateway.Admission{Roles: []string{"s.roles.x"}}, Receive: &gateway.Admission{Roles: []string{"r.roles.x"}}})
	list, total, err := cl.Members(ctx, "m", 0)
	if err != nil || total != 3 || len(list) != 3 {
		t.Fatal(err, total, list)
	}
	of := func(did string) gateway.Member {
		t.Helper()
		i := slices.IndexFunc(list, func(m gateway.Member) bool { return m.DID == did })
		if i < 0 {
			t.Fatalf("%s is not listed", did)
		}
		return list[i]
	}
	x := of(a)
	if s := x.Send; !s.Admitted || s.Why != "role" || s.Role != "s.roles.x" || s.Issuer != "did:issuer" || s.ValidUntil != 77 || !strings.HasPrefix(s.Credential, "0100") {
		t.Errorf("%+v", x.Send)
	}
	if x.Receive.Admitted || x.Receive.Code != "role_not_admitted" || x.Self || !of(me).Self {
		t.Errorf("%+v", x)
	}
	if len(x.Instances) != 2 || x.Instances[0].Code != "cert_void" || x.Instances[0].Reachable || !x.Instances[1].Reachable || x.Instances[1].PackageNotBefore != 9 {
		t.Errorf("%+v", x.Instances)
	}
	if y := of(b); y.Code != "package" || len(y.Instances) != 0 || !y.Receive.Admitted {
		t.Errorf("%+v", y)
	}
	if list, total, err = cl.Members(ctx, "m", 1); err != nil || total != 3 || len(list) != 1 {
		t.Fatal(err, total, list)
	}
	_, _, err = cl.Members(ctx, "nowhere", 0)
	if problem.CodeOf(err) != "channel_unknown" {
		t.Fatal(err)
	}
	// Who cannot be judged now is not called refused.
	got, total, err := m.Members(ctx, &gateway.Channel{Send: &gateway.Admission{Roles: []string{"gone.roles.x"}, DIDs: []string{c}}, Receive: &gateway.Admission{Roles: []string{"gone.roles.x", "r.roles.x"}}}, 10)
	if err != nil || total != 2 {
		t.Fatal(err, total)
	}
	for _, g := range got {
		if g.DID == c && (!g.Send.Admitted || g.Send.Why != "named" || g.Receive.Code != "status_stale") || g.DID == b && (!g.Receive.Admitted || g.Send.Code != "status_stale") {
			t.Errorf("%+v %+v %+v", g, g.Send, g.Receive)
		}
	}
	if _, _, err := client.New(f.url, f.send).Members(ctx, "m", 0); problem.CodeOf(err) != "scope_missing" {
		t.Fatal(err)
	}
}

// names is a contacts.Store.
type names map[string]string

func (n names) List(context.Context) (out []gateway.Contact, err error) {
	for did, name := range n {
		out = append(out, gateway.Contact{DID: did, Name: name})
	}
	return out, nil
}
func (n names) Put(_ context.Context, c gateway.Contact) error {
	if c.Name == "full disk" {
		return errors.New("disk")
	}
	n[c.DID] = c.Name
	return nil
}
func (n names) Delete(_ context.Context, did string) error { delete(n, did); return nil }

func TestContacts(t *testing.T) {
	ctx := testkit.Context(t)
	kept := names{}
	list, err := contacts.Open(ctx, kept)
	if err != nil {
		t.Fatal(err)
	}
	f := startWith(t, clockwork.NewRealClock(), func(d *Deps) { d.Contacts = list })
	c := client.New(f.url, f.admin)
	const did = "did:ethr:0x539:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
	if err := c.PutContact(ctx, strings.ToLower(did), "  Netz & Söhne <GmbH> "); err != nil {
		t.Fatal(err)
	}
	got, err := c.Contacts(ctx)
	if err != nil || len(got) != 1 || got[0].Name != "Netz & Söhne <GmbH>" || kept[got[0].DID] == "" {
		t.Fatal(err, got, kept)
	}
	if list.Name(got[0].DID) != got[0].Name {
		t.Fatal("the name is not found by the DID's normal form")
	}
	for _, name := range []string{" ", "a\nb", "a\x00", "\u202eabc", "zero\u200bwidth", strings.Repeat("ü", 51)} {
		if err := c.PutContact(ctx, did, name); problem.CodeOf(err) != "contact_invalid" && problem.CodeOf(err) != "request_invalid" {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := c.PutContact(ctx, "did:key:x", "a"); problem.CodeOf(err) != "contact_invalid" {
		t.Error(err)
	}
	if err := c.PutContact(ctx, did, "full disk"); problem.CodeOf(err) != "internal" || list.Name(got[0].DID) == "full disk" {
		t.Error("a name that was not stored counts:", err)
	}
	if err := client.New(f.url, f.send).PutContact(ctx, did, "x"); problem.CodeOf(err) != "scope_missing" {
		t.Error(err)
	}
	if err := c.DeleteContact(ctx, did); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteContact(ctx, did); problem.CodeOf(err) != "contact_unknown" {
		t.Fatal(err)
	}
}
