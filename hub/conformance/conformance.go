// Package conformance is the suite that every hub.Store passes. It holds no
// production code.
package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/testkit"
)

// Run runs the suite; open returns a new, empty store each time.
func Run(t *testing.T, open func(t *testing.T) hub.Store) {
	for name, f := range map[string]func(*testing.T, hub.Store){
		"secret": secret, "names": names, "roles": roles, "credentials": credentials, "credential quota": credentialQuota,
		"enrolments": enrolments, "enrolment quota": enrolmentQuota, "issuer's enrolments": issuers, "status lists": statusLists,
		"list quota": listQuota, "feed": feed, "floors": floors, "nonces": nonces, "cursor": cursor, "concurrent": concurrent,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { s.Close() })
			f(t, s)
		})
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %+v, want %+v", what, got, want)
	}
}

// events returns the feed without numbers, after checking that they rise.
func events(t *testing.T, s hub.Store) []hub.Event {
	t.Helper()
	list, err := s.Events(testkit.Context(t), 0, 10_000)
	ok(t, err)
	last := int64(0)
	for i := range list {
		if list[i].N <= last {
			t.Fatalf("event %d follows %d", list[i].N, last)
		}
		last, list[i].N = list[i].N, 0
	}
	return list
}

func secret(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	a, err := s.Secret(ctx)
	ok(t, err)
	b, err := s.Secret(ctx)
	ok(t, err)
	if a != b || a == [32]byte{} {
		t.Fatal("the secret does not stay")
	}
}

func names(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	_, err := s.Name(ctx, "iam.ewc")
	is(t, err, hub.ErrNameUnknown)
	for i, n := range []string{"iam.ewc", "edge.iam.ewc", "edgeb.iam.ewc", "apps.edge.iam.ewc", "market.apps.edge.iam.ewc", "other.ewc", "ö.edge.iam.ewc"} {
		ok(t, s.PutName(ctx, &hub.Name{Name: n, Kind: "container", Owner: fmt.Sprint("did:", i)}, nil))
	}
	want := &hub.Name{Name: "edge.iam.ewc", Kind: "organisation", Owner: "did:x", Metadata: json.RawMessage(`{"orgName":"edge"}`)}
	change := hub.Event{Type: hub.EventName, Subject: want.Name, At: 5}
	ok(t, s.PutName(ctx, want, []hub.Event{change}))
	got, err := s.Name(ctx, want.Name)
	ok(t, err)
	equal(t, "name", got, want)
	equal(t, "events", events(t, s), []hub.Event{change})

	list := func(under, after string, limit int) (out []string) {
		t.Helper()
		names, err := s.Names(ctx, under, after, limit)
		ok(t, err)
		for _, n := range names {
			out = append(out, n.Name)
		}
		return out
	}
	equal(t, "under edge", list("edge.iam.ewc", "", 10), []string{"edge.iam.ewc", "apps.edge.iam.ewc", "market.apps.edge.iam.ewc", "ö.edge.iam.ewc"})
	equal(t, "page", list("edge.iam.ewc", "apps.edge.iam.ewc", 1), []string{"market.apps.edge.iam.ewc"})
	equal(t, "all", len(list("", "", 100)), 7)
	equal(t, "a pattern is no pattern", len(list("%", "", 100)), 0)
	ok(t, s.DropName(ctx, want.Name, nil))
	_, err = s.Name(ctx, want.Name)
	is(t, err, hub.ErrNameUnknown)
}

func role(name, issuerRole string, dids ...string) *hub.Role {
	if dids == nil {
		dids = []string{}
	}
	return &hub.Role{Name: name, Version: 1, Owner: "did:o", Issuers: hub.Party{DIDs: dids, Role: issuerRole}, Revokers: hub.Party{DIDs: []string{}}, Prerequisites: []string{}}
}

func roles(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	_, err := s.Role(ctx, "a.roles.x")
	is(t, err, hub.ErrRoleUnknown)
	change := hub.Event{Type: hub.EventRole, Role: "a.roles.x", At: 1}
	ok(t, s.PutRole(ctx, role("a.roles.x", "", "did:1", "did:1"), []hub.Event{change}))
	ok(t, s.PutRole(ctx, role("a.roles.x", "", "did:2"), nil))
	want := role("a.roles.x", "", "did:2")
	got, err := s.Role(ctx, "a.roles.x")
	ok(t, err)
	equal(t, "role", got, want)
	equal(t, "events", events(t, s), []hub.Event{change})
	ok(t, s.PutRole(ctx, want, []hub.Event{change}))
	equal(t, "unchanged, but announced", len(events(t, s)), 2)
	ok(t, s.AddRole(ctx, role("a.roles.x", "", "did:older")))
	got, err = s.Role(ctx, "a.roles.x")
	ok(t, err)
	equal(t, "not overwritten", got, want)
	ok(t, s.AddRole(ctx, role("b.roles.x", "")))
	_, err = s.Role(ctx, "b.roles.x")
	ok(t, err)
	ok(t, s.DropName(ctx, "a.roles.x", nil))
	_, err = s.Role(ctx, "a.roles.x")
	is(t, err, hub.ErrRoleUnknown)
}

func credential(n byte, subject, role, issuer string) *hub.Credential {
	return &hub.Credential{Digest: [32]byte{n}, Raw: []byte{n, 1}, Subject: subject, Role: role, Issuer: issuer, ValidFrom: 1000, ValidUntil: 9000,
		StatusList: issuer + "/status/1", StatusIndex: uint64(n), Stored: 2000}
}

func digests(list []hub.Credential) (out []byte) {
	for _, c := range list {
		out = append(out, c.Digest[0])
	}
	return out
}

func credentials(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	_, err := s.Credential(ctx, [32]byte{1})
	is(t, err, hub.ErrCredentialUnknown)
	ev := []hub.Event{{Type: hub.EventCredential, Subject: "did:a", Role: "r", Digest: "01", At: 2000}}
	a := credential(1, "did:a", "r", "did:i")
	added, err := s.PutCredential(ctx, a, ev)
	ok(t, err)
	equal(t, "added", added, true)
	other := *a
	other.Raw = []byte("replaced")
	added, err = s.PutCredential(ctx, &other, ev)
	ok(t, err)
	equal(t, "added again", added, false)
	raw, err := s.Credential(ctx, a.Digest)
	ok(t, err)
	equal(t, "bytes", raw, a.Raw)
	equal(t, "events", events(t, s), ev)
	for _, c := range []*hub.Credential{credential(2, "did:b", "r", "did:i"), credential(3, "did:a", "q", "did:j"), credential(4, "did:a", "r", "did:j")} {
		_, err := s.PutCredential(ctx, c, nil)
		ok(t, err)
	}
	forever := credential(5, "did:c", "r", "did:i")
	forever.ValidUntil = 0
	_, err = s.PutCredential(ctx, forever, nil)
	ok(t, err)
	for what, tc := range map[string]struct {
		sel  hub.Selection
		want []byte
	}{
		"subject":          {hub.Selection{Subject: "did:a"}, []byte{1, 3, 4}},
		"subject and role": {hub.Selection{Subject: "did:a", Role: "r"}, []byte{1, 4}},
		"role":             {hub.Selection{Role: "r"}, []byte{1, 4, 2, 5}},
		"role and issuer":  {hub.Selection{Role: "r", Issuer: "did:j"}, []byte{4}},
		"issuer":           {hub.Selection{Issuer: "did:j"}, []byte{3, 4}},
		"valid":            {hub.Selection{Role: "r", ValidAt: 8999}, []byte{1, 4, 2, 5}},
		"expired":          {hub.Selection{Role: "r", ValidAt: 9000}, []byte{5}},
		"page":             {hub.Selection{Role: "r", AfterSubject: "did:a", AfterDigest: [32]byte{1}}, []byte{4, 2, 5}},
		"all":              {hub.Selection{}, []byte{1, 3, 4, 2, 5}},
	} {
		tc.sel.Limit = 100
		list, err := s.Credentials(ctx, tc.sel)
		ok(t, err)
		equal(t, what, digests(list), tc.want)
	}
	list, err := s.Credentials(ctx, hub.Selection{Role: "r", Limit: 2})
	ok(t, err)
	want := *a
	want.Raw = nil
	equal(t, "limit", len(list), 2)
	equal(t, "fields", list[0], want)
	ok(t, s.DropCredential(ctx, a.Digest))
	_, err = s.Credential(ctx, a.Digest)
	is(t, err, hub.ErrCredentialUnknown)
}

func credentialQuota(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	for i := range hub.MaxCredentialsOfPair {
		_, err := s.PutCredential(ctx, credential(byte(i), "did:a", "r", "did:i"), nil)
		ok(t, err)
	}
	_, err := s.PutCredential(ctx, credential(200, "did:a", "r", "did:i"), nil)
	is(t, err, hub.ErrQuota)
	_, err = s.PutCredential(ctx, credential(200, "did:a", "r", "did:j"), nil)
	ok(t, err)
}

func enrolment(id, subject, role string, at int64) *hub.Enrolment {
	return &hub.Enrolment{ID: id, Role: role, Subject: subject, Status: hub.Requested, Requested: at}
}

func ids(list []hub.Enrolment) (out []string) {
	for _, e := range list {
		out = append(out, e.ID)
	}
	return out
}

func enrolments(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	_, err := s.Enrolment(ctx, "a")
	is(t, err, hub.ErrEnrolmentUnknown)
	first, err := s.PutEnrolment(ctx, enrolment("a", "did:a", "r", 1))
	ok(t, err)
	again, err := s.PutEnrolment(ctx, enrolment("b", "did:a", "r", 2))
	ok(t, err)
	equal(t, "open request", again, first)
	_, err = s.PutEnrolment(ctx, enrolment("c", "did:b", "r", 3))
	ok(t, err)

	_, err = s.PutCredential(ctx, credential(1, "did:a", "r", "did:i"), nil)
	ok(t, err)
	got, err := s.Enrolment(ctx, "a")
	ok(t, err)
	if got.Status != hub.Issued || got.Digest[:2] != "01" || got.Decided != 2000 {
		t.Fatalf("after the credential: %+v", got)
	}
	_, err = s.RejectEnrolment(ctx, "a", "", 5)
	is(t, err, hub.ErrEnrolmentClosed)
	got, err = s.RejectEnrolment(ctx, "c", "no", 5)
	ok(t, err)
	equal(t, "rejected", *got, hub.Enrolment{ID: "c", Role: "r", Subject: "did:b", Status: hub.Rejected, Reason: "no", Requested: 3, Decided: 5})
	_, err = s.RejectEnrolment(ctx, "none", "", 5)
	is(t, err, hub.ErrEnrolmentUnknown)
	next, err := s.PutEnrolment(ctx, enrolment("d", "did:a", "r", 6))
	ok(t, err)
	equal(t, "a new request after the first was decided", next.ID, "d")
	for what, tc := range map[string]struct {
		f    hub.EnrolmentFilter
		want []string
	}{
		"all":     {hub.EnrolmentFilter{}, []string{"a", "c", "d"}},
		"subject": {hub.EnrolmentFilter{Subject: "did:a"}, []string{"a", "d"}},
		"status":  {hub.EnrolmentFilter{Status: hub.Requested}, []string{"d"}},
		"role":    {hub.EnrolmentFilter{Role: "q"}, nil},
	} {
		tc.f.Limit = 10
		list, err := s.Enrolments(ctx, tc.f)
		ok(t, err)
		equal(t, what, ids(list), tc.want)
	}
}

func enrolmentQuota(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	for i := range hub.MaxEnrolmentsOpen {
		_, err := s.PutEnrolment(ctx, enrolment(fmt.Sprint(i), "did:a", fmt.Sprint("r", i), int64(i)))
		ok(t, err)
	}
	_, err := s.PutEnrolment(ctx, enrolment("x", "did:a", "more", 1))
	is(t, err, hub.ErrQuota)
	_, err = s.PutEnrolment(ctx, enrolment("x", "did:b", "more", 1))
	ok(t, err)
}

func issuers(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	ok(t, s.PutRole(ctx, role("named", "", "did:i"), nil))
	ok(t, s.PutRole(ctx, role("byrole", "registrar"), nil))
	ok(t, s.PutRole(ctx, role("foreign", "", "did:x"), nil))
	for _, r := range []string{"named", "byrole", "foreign"} {
		_, err := s.PutEnrolment(ctx, enrolment(r, "did:a", r, 1))
		ok(t, err)
	}
	list := func() []string {
		t.Helper()
		out, err := s.Enrolments(ctx, hub.EnrolmentFilter{Issuer: "did:i", Limit: 10})
		ok(t, err)
		return ids(out)
	}
	equal(t, "by name", list(), []string{"named"})
	c := credential(1, "did:i", "registrar", "did:o")
	_, err := s.PutCredential(ctx, c, nil)
	ok(t, err)
	equal(t, "by role", list(), []string{"byrole", "named"})
	done, err := s.PutStatusList(ctx, list1(1, 1), nil, hub.Revoked{Indexes: []uint64{1}}, 5, nil)
	ok(t, err)
	equal(t, "revoked", done, true)
	equal(t, "after the revocation", list(), []string{"named"})
}

func list1(revision uint64, n byte) *hub.StatusList {
	return &hub.StatusList{ID: "did:o/status/1", Issuer: "did:o", List: []byte{n}, Digest: [32]byte{n}, Freshness: []byte{2}, Certificate: []byte{3},
		Revision: revision, At: int64(revision) * 10, NotAfter: int64(revision)*10 + 60}
}

func statusLists(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	_, err := s.StatusList(ctx, "did:o/status/1")
	is(t, err, hub.ErrListUnknown)
	for n := byte(1); n <= 3; n++ {
		_, err := s.PutCredential(ctx, credential(n, fmt.Sprint("did:", n), "r", "did:o"), nil)
		ok(t, err)
	}
	done, err := s.PutStatusList(ctx, list1(2, 2), list1(1, 1), hub.Revoked{}, 5, nil)
	ok(t, err)
	equal(t, "replaced what is not there", done, false)
	done, err = s.PutStatusList(ctx, list1(1, 1), nil, hub.Revoked{}, 5, []hub.Event{{Type: hub.EventStatus, List: "did:o/status/1", At: 5}})
	ok(t, err)
	equal(t, "first", done, true)
	got, err := s.StatusList(ctx, "did:o/status/1")
	ok(t, err)
	equal(t, "list", got, list1(1, 1))
	done, err = s.PutStatusList(ctx, list1(2, 2), list1(1, 1), hub.Revoked{Indexes: []uint64{2, 99}}, 7, []hub.Event{{Type: hub.EventStatus, List: "did:o/status/1", At: 7}})
	ok(t, err)
	equal(t, "second", done, true)
	done, err = s.PutStatusList(ctx, list1(3, 3), list1(1, 1), hub.Revoked{Indexes: []uint64{3}}, 8, nil)
	ok(t, err)
	equal(t, "on top of an older one", done, false)
	done, err = s.PutStatusList(ctx, list1(3, 3), nil, hub.Revoked{Indexes: []uint64{3}}, 8, nil)
	ok(t, err)
	equal(t, "as if there were none", done, false)

	ev := events(t, s)
	equal(t, "events", len(ev), 3)
	if e := ev[1]; e.Type != hub.EventRevocation || e.Subject != "did:2" || e.Role != "r" || e.Digest[:2] != "02" || e.List != "did:o/status/1" || e.At != 7 {
		t.Fatalf("revocation %+v", e)
	}
	held, err := s.Credentials(ctx, hub.Selection{Role: "r", ValidAt: 8, Limit: 10})
	ok(t, err)
	equal(t, "holders", digests(held), []byte{1, 3})
	all, err := s.Credentials(ctx, hub.Selection{Subject: "did:2", Limit: 10})
	ok(t, err)
	equal(t, "revoked at", all[0].Revoked, int64(7))

	// Many bits at once are told by a function.
	done, err = s.PutStatusList(ctx, list1(3, 3), list1(2, 2), hub.Revoked{Set: func(i uint64) bool { return i >= 3 }}, 9, nil)
	ok(t, err)
	equal(t, "many bits", done, true)
	held, err = s.Credentials(ctx, hub.Selection{Role: "r", ValidAt: 9, Limit: 10})
	ok(t, err)
	equal(t, "holders", digests(held), []byte{1})
	equal(t, "events", len(events(t, s)), 4)

	// A credential judged by a list that is no longer the stored one is not taken.
	late := credential(4, "did:4", "r", "did:o")
	_, err = s.PutCredential(ctx, late, nil)
	is(t, err, hub.ErrListChanged)
	late.ListDigest = [32]byte{2}
	_, err = s.PutCredential(ctx, late, nil)
	is(t, err, hub.ErrListChanged)
	late.ListDigest = [32]byte{3}
	_, err = s.PutCredential(ctx, late, nil)
	ok(t, err)
}

func listQuota(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	for i := range hub.MaxListsOfIssuer + 1 {
		l := list1(1, 1)
		l.ID = fmt.Sprint("did:o/status/", i)
		_, err := s.PutStatusList(ctx, l, nil, hub.Revoked{}, 1, nil)
		if i < hub.MaxListsOfIssuer {
			ok(t, err)
		} else {
			is(t, err, hub.ErrQuota)
		}
	}
}

func feed(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	first, last, err := s.EventRange(ctx)
	ok(t, err)
	equal(t, "empty", [2]int64{first, last}, [2]int64{0, 0})
	for i := range 10 {
		ok(t, s.Append(ctx, []hub.Event{{Type: hub.EventDID, Subject: fmt.Sprint(i), At: int64(i)}, {Type: hub.EventName, Subject: "n"}}))
	}
	first, last, err = s.EventRange(ctx)
	ok(t, err)
	equal(t, "count", last-first, int64(19))
	page, err := s.Events(ctx, first+1, 3)
	ok(t, err)
	equal(t, "page", len(page), 3)
	equal(t, "begins after", page[0].N, first+2)
	equal(t, "event", page[0], hub.Event{N: first + 2, Type: hub.EventDID, Subject: "1", At: 1})
	ok(t, s.Sweep(ctx, 0, 5))
	kept, err := s.Events(ctx, 0, 100)
	ok(t, err)
	equal(t, "kept", len(kept), 5)
	ok(t, s.Sweep(ctx, 0, 0))
	ok(t, s.Append(ctx, []hub.Event{{Type: hub.EventDID}}))
	_, after, err := s.EventRange(ctx)
	ok(t, err)
	if after <= last {
		t.Fatalf("number %d was given again after %d", after, last)
	}
}

func floors(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	for _, tc := range []struct{ inst, floor, want uint64 }{{0, 0, 0}, {0, 5, 5}, {0, 3, 5}, {1, 3, 3}, {0, 6, 6}} {
		got, err := s.RaiseFloor(ctx, "did:a", tc.inst, tc.floor)
		ok(t, err)
		equal(t, "floor", got, tc.want)
	}
}

func nonces(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	use := func(want bool) {
		t.Helper()
		got, err := s.UseNonce(ctx, [32]byte{1}, 1000)
		ok(t, err)
		equal(t, "first use", got, want)
	}
	use(true)
	use(false)
	ok(t, s.Sweep(ctx, 1000, 10))
	use(false)
	ok(t, s.Sweep(ctx, 1001, 10))
	use(true)
}

func cursor(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	for _, n := range []uint64{0, 7, 3} {
		if n > 0 {
			ok(t, s.SetCursor(ctx, "chain", n))
		}
		got, err := s.Cursor(ctx, "chain")
		ok(t, err)
		equal(t, "cursor", got, n)
	}
	st, err := s.Stats(ctx)
	ok(t, err)
	equal(t, "stats", *st, hub.Stats{})
}

// concurrent has many callers ask for the same thing: exactly one wins.
func concurrent(t *testing.T, s hub.Store) {
	ctx := testkit.Context(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	added, seen := 0, map[string]bool{}
	for i := range 16 {
		wg.Go(func() {
			a, err := s.PutCredential(ctx, credential(1, "did:a", "r", "did:i"), []hub.Event{{Type: hub.EventCredential}})
			e, err2 := s.PutEnrolment(ctx, enrolment(fmt.Sprint(i), "did:b", "r", 1))
			if err := errors.Join(err, err2); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if a {
				added++
			}
			seen[e.ID] = true
		})
	}
	wg.Wait()
	equal(t, "credentials added", added, 1)
	equal(t, "events", len(events(t, s)), 1)
	equal(t, "enrolments", len(seen), 1)
}
