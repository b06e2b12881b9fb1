package outbox_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/problem"
)

const forever = int64(1) << 50

// withFiles is a sender with one recipient and a store for files.
func withFiles(t *testing.T) (*world, *reader) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.files = newFiles()
	w.start()
	return w, newReader(t, b, w.self)
}

func fileDraft(id string) gateway.Draft { return gateway.Draft{Channel: "telemetry", File: id} }

func (r *reader) catchUp(w *world) *reader { return r.read(w.net.to(r.addr)) }

func stepNames(list []gateway.Step) string {
	var out []string
	for _, s := range list {
		out = append(out, s.Name)
	}
	return strings.Join(out, " ")
}

func TestFileWaitsUntilTheBrokerHasIt(t *testing.T) {
	w, r := withFiles(t)
	id := w.files.put("grid.csv", 5_000_000_000)
	a := w.send(fileDraft(id))
	st := w.status(a.ID)
	if a.State != gateway.StateWaiting || st.Code != gateway.CodeUploading || st.File == nil || st.File.Name != "grid.csv" || st.File.ID != id {
		t.Fatalf("%+v, status %+v", a, st)
	}
	other := w.send(draft(1)) // is not held up
	if other.State != gateway.StateAccepted {
		t.Fatalf("a message behind the file is %s", other.State)
	}
	w.clock.Advance(time.Minute)
	w.files.arrive(id, forever, true)
	w.net.await(t, "the file's message", func() bool { return w.status(a.ID).State == gateway.StateAccepted })
	f, ok := r.catchUp(w).frames[a.ID]
	if !ok || f.Kind != envelope.KindObject || string(f.Body) != "description of "+id || f.Type != "text/csv" || f.At != began.UnixMilli() {
		t.Fatalf("frame %+v", f)
	}
	if st = w.status(a.ID); stepNames(st.Steps) != "queued uploaded sealed" || st.Steps[0].At != f.At || st.Steps[1].At < f.At+60_000 || st.At != f.At {
		t.Fatalf("steps %+v", st)
	}
	if w.files.isReleased(id) {
		t.Fatal("released before anybody has it")
	}
	sid, _ := r.last()
	if err := w.box.Receipt(background, r.addr, r.receipt(w.now(), r.custody(sid))); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	w.net.await(t, "the release", func() bool { return w.files.isReleased(id) })
	w.net.await(t, "all steps", func() bool {
		st = w.status(a.ID)
		return stepNames(st.Recipients[0].Steps) == "published delivered"
	})
	if st.State != gateway.StateDelivered || st.File == nil {
		t.Fatalf("status %+v", st)
	}
}

// TestReleaseMeetsANewMessage: a message comes to carry a file while the outbox
// releases it. When that one is over, the file is released again.
func TestReleaseMeetsANewMessage(t *testing.T) {
	w, r := withFiles(t)
	id := w.files.put("grid.csv", 100)
	w.files.arrive(id, forever, false)
	receipted := func(a gateway.Accepted) {
		t.Helper()
		w.net.await(t, "the message", func() bool { return w.status(a.ID).State == gateway.StateAccepted })
		sid, _ := r.catchUp(w).last()
		if err := w.box.Receipt(background, r.addr, r.receipt(w.now(), r.custody(sid))); err != nil {
			t.Fatal(err)
		}
	}
	var second gateway.Accepted
	met := make(chan struct{})
	w.files.mu.Lock()
	w.files.meeting = func(string) {
		second = w.send(fileDraft(id))
		close(met)
	}
	w.files.mu.Unlock()
	receipted(w.send(fileDraft(id)))
	w.clock.Advance(time.Minute)
	<-met
	w.net.await(t, "the first release", func() bool { return w.files.releases() == 1 })
	receipted(second)
	w.age(t, "the second release", time.Minute, func() bool { return w.files.releases() == 2 })
}

// TestKilledAtEveryStepOfAFile: the process ends after each step of a message
// with a file. It arrives once, and nothing is sealed before its parts are at
// the broker.
func TestKilledAtEveryStepOfAFile(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world, id string){
		"accepted":                         func(*world, string) {},
		"at the broker, no news":           func(w *world, id string) { w.files.arrive(id, forever, false) },
		"news taken in, commit failed":     func(w *world, id string) { failCommit(w, id, errors.New("disk"), nil) },
		"committed, the store said it not": func(w *world, id string) { failCommit(w, id, nil, errors.New("unknown")) },
	} {
		t.Run(name, func(t *testing.T) {
			w, r := withFiles(t)
			id := w.files.put("grid.csv", 100)
			a := w.send(fileDraft(id))
			meanwhile(w, id)
			w.stop()
			w.start()
			if w.files.of(id).at == 0 {
				w.net.await(t, "the file to be asked for again", func() bool { return w.files.of(id).asked >= 2 })
				if len(w.net.to(r.addr)) != 0 {
					t.Fatal("sealed before the broker has the file")
				}
				w.files.arrive(id, forever, true)
			}
			w.net.await(t, "the message", func() bool { return w.status(a.ID).State == gateway.StateAccepted })
			if ids := r.catchUp(w).ids(); len(ids) != 1 || ids[0] != a.ID {
				t.Fatalf("ids %v", ids)
			}
		})
	}
}

// failCommit lets the file arrive while the store fails.
func failCommit(w *world, id string, before, after error) {
	var n atomic.Int64
	fail := func(err error) func(*outbox.Commit) error {
		return func(*outbox.Commit) error {
			n.Add(1)
			return err
		}
	}
	w.store.set(fail(before), fail(after))
	w.files.arrive(id, forever, true)
	w.net.await(w.t.(*testing.T), "the failing commit", func() bool { return n.Load() > 0 })
}

func TestFileThatExpiredIsBroughtAgain(t *testing.T) {
	w, r := withFiles(t)
	w.book.set(func() { w.book.fail = envelope.BadPackage.Errorf("absent") })
	id := w.files.put("grid.csv", 100)
	w.files.arrive(id, w.now()+2*retention, false)
	a := w.send(fileDraft(id))
	w.net.await(t, "the reason", func() bool { return w.status(a.ID).Code == string(envelope.BadPackage) })
	w.clock.Advance(6 * 24 * time.Hour) // within the retention, but the parts would be gone too early
	w.files.arrive(id, w.now()+retention/2, false)
	w.book.set(func() { w.book.fail = nil })
	w.net.await(t, "the file to be held back", func() bool { return w.status(a.ID).Code == gateway.CodeUploading })
	if len(w.net.to(r.addr)) != 0 {
		t.Fatal("sealed with parts that end before the message")
	}
	w.files.arrive(id, forever, true)
	w.net.await(t, "the message", func() bool { return w.status(a.ID).State == gateway.StateAccepted })
}

func TestRefusedFilesSayWhy(t *testing.T) {
	w, r := withFiles(t)
	id := w.files.put("grid.csv", 100)
	try := func(d gateway.Draft, want string) {
		t.Helper()
		if _, errs := w.box.Send(background, []gateway.Draft{d}); code(errs[0]) != want {
			t.Fatalf("got %v, want %s", errs[0], want)
		}
	}
	w.files.m[id].bad = problem.New(422, "schema", "row 7, column v")
	try(fileDraft(id), "schema")
	try(fileDraft("00000000-0000-4000-8000-000000000000"), "file_unknown")
	typed := fileDraft(id)
	typed.Type = "image/png"
	try(typed, gateway.CodeDraftInvalid)
	both := fileDraft(id)
	both.Body = json.RawMessage(`{}`)
	try(both, gateway.CodeDraftInvalid)
	if held := must(w.store.Held(background, "", 9)); len(held) != 0 || len(w.net.to(r.addr)) != 0 {
		t.Fatalf("%d held after refusals", len(held))
	}
	// A file that goes between its check and its message is missed at once.
	gone := w.files.put("gone.csv", 100)
	w.files.m[gone].brief = true
	try(fileDraft(gone), "file_unknown")
	if held := must(w.store.Held(background, "", 9)); len(held) != 0 {
		t.Fatalf("%d held for a file that is gone", len(held))
	}
	// What cannot be brought there tells why, and is tried again.
	w.files.m[id].bad = nil
	a := w.send(fileDraft(id))
	w.files.pushed(id, problem.New(429, "quota_exceeded", "full"))
	w.net.await(t, "the reason", func() bool { return w.status(a.ID).Code == "quota_exceeded" })
	w.files.arrive(id, forever, false)
	w.clock.Advance(time.Minute) // the sweep finds it without news
	w.net.await(t, "the message", func() bool { return w.status(a.ID).State == gateway.StateAccepted })
	// What was given up does not wait.
	a = w.send(fileDraft(w.files.put("wind.csv", 100)))
	raw := must(gateway.ParseID(a.ID))
	if err := w.store.Drop(background, raw, "too_large"); err != nil {
		t.Fatal(err)
	}
	if st := w.status(a.ID); st.State != gateway.StateUndelivered || st.Code != "too_large" {
		t.Fatalf("%+v", st)
	}
	w.stop()
	w.files = nil
	w.start()
	try(fileDraft(id), "files_unavailable")
}

func TestLongBodyTravelsAsAnObject(t *testing.T) {
	w, r := withFiles(t)
	long := gateway.Draft{Channel: "telemetry", Body: json.RawMessage(`{"n":1,"s":"` + strings.Repeat("x", 300_000) + `"}`), IdempotencyKey: "k"}
	first := w.send(long)
	if again := w.send(long); again.ID != first.ID || w.files.stored != 1 {
		t.Fatalf("%+v, then %+v; stored %d times", first, again, w.files.stored)
	}
	bad := long
	bad.Body = json.RawMessage(`{"s":"` + strings.Repeat("x", 300_000) + `"}`)
	if _, errs := w.box.Send(background, []gateway.Draft{bad}); code(errs[0]) != "schema" {
		t.Fatal(errs[0])
	}
	bad.Body = json.RawMessage(`{"n":1,"s":"` + strings.Repeat("x", 1<<20) + `"}`)
	if _, errs := w.box.Send(background, []gateway.Draft{bad}); code(errs[0]) != "too_large" {
		t.Fatal(errs[0])
	}
	st := w.status(first.ID)
	if st.File == nil || st.File.Name != "" || st.File.Size != int64(len(long.Body)) || st.File.Type != gateway.TypeJSON {
		t.Fatalf("file %+v", st.File)
	}
	w.files.arrive(st.File.ID, forever, true)
	w.net.await(t, "the message", func() bool { return w.status(first.ID).State == gateway.StateAccepted })
	if f := r.catchUp(w).frames[first.ID]; f.Kind != envelope.KindObject || f.Type != gateway.TypeJSON {
		t.Fatalf("frame %+v", f)
	}
}

func TestPartNotFoundIsBroughtAgain(t *testing.T) {
	w, r := withFiles(t)
	id := w.files.put("grid.csv", 100)
	w.files.arrive(id, forever, false)
	a := w.send(fileDraft(id))
	w.net.await(t, "the message", func() bool { return w.status(a.ID).State == gateway.StateAccepted })
	sid, _ := r.catchUp(w).last()
	lane := r.custody(sid)
	lane.Missing = []envelope.Missing{{First: 0, Last: 0, Why: envelope.WhyBody}}
	if err := w.box.Receipt(background, r.addr, r.receipt(w.now(), lane)); err != nil {
		t.Fatal(err)
	}
	w.net.await(t, "the parts to be brought again", func() bool {
		w.files.mu.Lock()
		defer w.files.mu.Unlock()
		return len(w.files.again) == 1 && w.files.again[0] == id
	})
	w.net.await(t, "the step", func() bool { return strings.Contains(stepNames(w.status(a.ID).Recipients[0].Steps), "resent") })
	if st := w.status(a.ID); st.State == gateway.StateDelivered {
		t.Fatal("delivered without its parts")
	}
}
