package intake_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// page lists a filter's entries page by page.
func (w *world) pages(f gateway.EntryFilter) (out []gateway.Entry) {
	w.t.Helper()
	for {
		list, err := w.inbox.Entries(w.ctx, f)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, list...)
		if len(list) < f.Max {
			return out
		}
		f.Before = list[len(list)-1].Cursor
	}
}

func entryIDs(list []gateway.Entry) (out []string) {
	for _, e := range list {
		out = append(out, e.ID)
	}
	return out
}

// TestEntries: every received message once, newest first, whatever became of
// it, by channel and by partner, page by page.
func TestEntries(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		price := gateway.Channel{Name: "price", Topic: w.prompt.Name, Receive: &gateway.Admission{Roles: []string{roleName}}}
		w.channels.set(w.channel(), price)
		a := w.sender().open()
		b := w.sender().open(func(b *envelope.CoreBody, _ *envelope.BoxText) { b.Topic, b.Record = w.prompt.Name, w.prompt.Digest() })
		a.s.send(a.grant)
		b.s.send(b.grant)
		var want []string // oldest first
		var ofB int
		for i := range 12 {
			f := a
			if i%3 == 0 {
				f, ofB = b, ofB+3
			}
			fs := good(3)
			f.s.send(f.seal(fs...).Bytes())
			want = append(want, ids(fs...)...)
			w.until("they are here", func() bool { return len(w.pages(gateway.EntryFilter{Max: 200})) == len(want) })
			w.clock.Advance(10 * time.Millisecond)
		}
		bad := []envelope.Frame{frame(`{"n":"x"}`), good(1)[0]} // one frame of two is refused
		a.s.send(a.seal(bad...).Bytes())
		w.settled()
		w.clock.Advance(10 * time.Millisecond)
		want = append(want, ids(bad...)...)
		o := carries(file("f.csv", "text/csv", 5)) // waits
		a.s.send(a.seal(o).Bytes())
		w.settled()
		want = append(want, o.ID.String())
		for l, r := 0, len(want)-1; l < r; l, r = l+1, r-1 {
			want[l], want[r] = want[r], want[l]
		}
		for _, max := range []int{1, 2, 7, 200} {
			got := w.pages(gateway.EntryFilter{Max: max})
			if fmt.Sprint(entryIDs(got)) != fmt.Sprint(want) {
				t.Fatalf("pages of %d:\n%v\nexpected\n%v", max, entryIDs(got), want)
			}
		}
		all := w.pages(gateway.EntryFilter{Max: 200})
		if e := all[0]; e.State != gateway.StateWaiting || e.Code != gateway.CodeDownloading || e.File == nil || e.Size != 5 || e.Channel != "telemetry" {
			t.Fatalf("the file: %+v", e)
		}
		if e := all[2]; e.State != gateway.StateRefused || e.Code != "schema" || e.From != a.s.did {
			t.Fatalf("the refused one: %+v", e)
		}
		if e := all[1]; e.State != "verified" || e.Direction != gateway.In || e.Topic != topicName || e.Type != "application/json" || e.At == 0 || e.Here == 0 || e.Size == 0 {
			t.Fatalf("a good one: %+v", e)
		}
		for _, max := range []int{2, 200} {
			for _, f := range []gateway.EntryFilter{{Channel: "price"}, {Partner: b.s.did}, {Channel: "price", Partner: b.s.did}} {
				f.Max = max
				got := w.pages(f)
				if len(got) != ofB {
					t.Fatalf("%+v: %d of %d", f, len(got), ofB)
				}
				for _, e := range got {
					if e.Channel != "price" || e.From != b.s.did {
						t.Fatalf("%+v has %+v", f, e)
					}
				}
			}
		}
		if got := w.pages(gateway.EntryFilter{Channel: "price", Partner: a.s.did, Max: 10}); len(got) != 0 {
			t.Fatalf("of another channel: %+v", got)
		}
		if got := w.pages(gateway.EntryFilter{Partner: a.s.did, Max: 10}); len(got) != len(want)-ofB {
			t.Fatalf("%d of a", len(got))
		}
		for _, before := range []string{"x", "1.2.3.4.5.6", "1.2.3.4", "01.2.3.4.5", strings.Repeat("9", 400)} {
			if _, err := w.inbox.Entries(w.ctx, gateway.EntryFilter{Before: before}); problem.CodeOf(err) != "query_invalid" {
				t.Fatalf("cursor %q: %v", before, err)
			}
		}
		if _, err := w.inbox.Entries(w.ctx, gateway.EntryFilter{Channel: "none"}); problem.CodeOf(err) != "channel_unknown" {
			t.Fatal(err)
		}
	})
}

func (w *world) trace(id string) *gateway.Trace {
	w.t.Helper()
	tr, err := w.inbox.Trace(w.ctx, id)
	if err != nil {
		w.t.Fatalf("trace %s: %v", id, err)
	}
	return tr
}

// rules returns the rules of a trace's checks with their results.
func rules(tr *gateway.Trace) string {
	var out []string
	for _, c := range tr.Checks {
		r := c.Rule
		if c.Result != "ok" {
			r += "=" + c.Result
		}
		out = append(out, r)
	}
	return strings.Join(out, " ")
}

func steps(tr *gateway.Trace) string {
	var out []string
	for _, s := range tr.Steps {
		out = append(out, s.Name)
	}
	return strings.Join(out, ", ")
}

const (
	sessionRules = "G1 G3 G4 G5 G6 G7 G8 G9 G10 G11"
	entryRules   = sessionRules + " E1 E2 E3 E4 E5 E6 E7 E8 E9"
	contentRules = entryRules + " E10 E11 E12 E13 E13"
)

// TestTrace: every check with its evidence, and what happened, of a message
// that was handed over.
func TestTrace(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		a := good(1)[0]
		a.Corr, a.Attrs = "c1", map[string]string{"k": "v"}
		e := f.seal(good(1)[0], a)
		f.s.send(f.grant, e.Bytes())
		w.receive(2)
		w.pass(time.Second)
		tr := w.trace(a.ID.String())
		if tr.State != "verified" || tr.ID != a.ID.String() || tr.Channel != "telemetry" || string(tr.Body) != string(a.Body) || tr.Corr != "c1" || tr.Attrs["k"] != "v" {
			t.Fatalf("trace %+v", tr)
		}
		if got := rules(tr); got != contentRules {
			t.Fatalf("checks %s", got)
		}
		if got := steps(tr); got != "received, verified, handed over, acknowledged" {
			t.Fatalf("steps %s", got)
		}
		at := int64(0)
		for _, s := range tr.Steps {
			if s.At < at {
				t.Fatalf("steps %+v", tr.Steps)
			}
			at = s.At
		}
		by := make(map[string]map[string]string)
		for _, c := range tr.Checks {
			if c.Says == "" || c.Name == "" {
				t.Fatalf("check %+v", c)
			}
			by[c.Name] = c.Evidence
		}
		if by["signature"]["certificate"] != f.s.cert.Digest().String() || by["signature"]["digest"] != e.Digest().String() ||
			by["chain"]["prev"] != e.Prev.String() || by["role"]["role"] != roleName || by["role"]["credential"] != f.s.cred.String() ||
			by["record"]["record"] != w.record.Digest().String() || by["package"]["package"] != w.self.pkg.Digest().String() || by["admission"]["by"] != roleName ||
			by["content"]["root"] != e.Root.String() || by["id"]["id"] != a.ID.String() {
			t.Fatalf("evidence %v", by)
		}
		if tr.Protocol["digest"] != e.Digest().String() || tr.Protocol["seq"] != "0" || len(tr.Protocol["signature"]) != 128 {
			t.Fatalf("protocol %v", tr.Protocol)
		}
		for _, id := range []string{"00000000-0000-7000-8000-000000000000", "x", ""} {
			if _, err := w.inbox.Trace(w.ctx, id); problem.CodeOf(err) != gateway.CodeMessageUnknown {
				t.Fatalf("%q: %v", id, err)
			}
		}
	})
}

// TestTraceRefused: which check a refused message failed; those behind it were
// not made.
func TestTraceRefused(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		bad := frame(`{"n":"x"}`)
		h := envelope.Header{Session: f.core.Session(), Seq: 1, Time: f.t}
		first := f.seal(bad)
		h.Prev = first.Digest()
		garbage := must(envelope.SignEnvelope(background, edSigner{f.s.key}, h, make([]byte, 5000)))
		f.s.send(f.grant, first.Bytes(), garbage.Bytes())
		w.event("seal")
		w.event("schema")
		w.settled()
		tr := w.trace(bad.ID.String())
		if got := rules(tr); tr.State != gateway.StateRefused || tr.Code != "schema" || got != entryRules+" E10 E11 E12 E13 E13=schema" {
			t.Fatalf("%s %s: %s", tr.State, tr.Code, got)
		}
		if got := steps(tr); got != "received, refused" {
			t.Fatalf("steps %s", got)
		}
		list := w.pages(gateway.EntryFilter{Max: 10})
		tr = w.trace(list[0].ID)
		if got := rules(tr); list[0].State != gateway.StateRefused || tr.Code != "seal" || got != entryRules+" E10=seal" {
			t.Fatalf("%+v: %s", list[0], got)
		}
		// Its sender's role ended: the message is named all the same.
		w.book.set(func() { w.book.standErr = envelope.RoleRevoked.Errorf("revoked") })
		f.next, f.head = 2, garbage.Digest()
		c := good(1)[0]
		f.s.send(f.seal(c).Bytes())
		w.event("role_revoked")
		w.settled()
		if got := rules(w.trace(c.ID.String())); !strings.HasSuffix(got, "E6 E7=role_revoked") {
			t.Fatalf("checks %s", got)
		}
	})
}

// TestTraceApart: a message whose body, or file, is on its way, and after it
// came.
func TestTraceApart(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		o := file("f.csv", "text/csv", 5)
		a, b := large(), carries(o)
		apart := f.seal(a)
		w.bodies.set(func() { w.bodies.down = true })
		f.s.send(f.grant, apart.Notice().Bytes(), f.seal(b).Bytes())
		w.until("both are here", func() bool { return len(w.pages(gateway.EntryFilter{Max: 10})) == 2 })
		list := w.pages(gateway.EntryFilter{Max: 10})
		if list[0].State != gateway.StateWaiting || list[1].State != gateway.StateWaiting {
			t.Fatalf("log %+v", list)
		}
		var notice string
		for _, e := range list {
			if e.ID != b.ID.String() {
				notice = e.ID
			}
		}
		if tr := w.trace(notice); rules(tr) != entryRules+" 20=downloading" || steps(tr) != "received" {
			t.Fatalf("%s: %s", rules(tr), steps(tr))
		}
		if tr := w.trace(b.ID.String()); !strings.HasSuffix(rules(tr), "E12 E13 21=downloading") || tr.State != gateway.StateWaiting || tr.File == nil || tr.Body != nil {
			t.Fatalf("%+v: %s", tr, rules(tr))
		}
		w.bodies.put(apart)
		w.bodies.set(func() { w.bodies.down = false })
		w.until("its description is taken", func() bool { return w.objects.count() == 1 })
		w.objects.end(o.OID, nil)
		w.receiveIDs(ids(a, b)...)
		if tr := w.trace(a.ID.String()); rules(tr) != entryRules+" 20 E10 E11 E12 E13 E13" || steps(tr) != "received, fetched, verified, handed over, acknowledged" {
			t.Fatalf("%s: %s", rules(tr), steps(tr))
		}
		tr := w.trace(b.ID.String())
		if rules(tr) != entryRules+" E10 E11 E12 E13 21 E13" || steps(tr) != "received, verified, fetched, handed over, acknowledged" || tr.File == nil || tr.File.ID == "" {
			t.Fatalf("%s: %s; %+v", rules(tr), steps(tr), tr.File)
		}
		text := fmt.Sprintf("%+v", tr)
		if strings.Contains(text, envelope.Digest(o.Key).String()) {
			t.Fatal("the key of a file is told")
		}
		for range 20 { // a busy second: what is not written yet is in memory
			f.s.send(f.seal().Bytes())
			w.receive(1)
		}
		last := good(1)[0]
		f.s.send(f.seal(last).Bytes())
		w.receive(1)
		if got := steps(w.trace(last.ID.String())); got != "received, verified, handed over, acknowledged" {
			t.Fatalf("of a busy consumer: %s", got)
		}
		w.restart()
		if again := w.trace(b.ID.String()); rules(again) != rules(tr) || steps(again) != steps(tr) {
			t.Fatalf("after a restart: %s: %s", rules(again), steps(again))
		}
	})
}
