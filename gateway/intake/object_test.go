package intake_test

import (
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/internal/problem"
)

// TestObject: a message with a file is in custody, and handed over, once all
// of the file is here; a strict lane waits for it.
func TestObject(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		o := file("network.csv", "text/csv", 20<<20)
		a, b, c := good(1)[0], carries(o), good(1)[0]
		f.s.send(f.grant, f.seal(a).Bytes(), f.seal(b).Bytes(), f.seal(c).Bytes())
		w.settled()
		w.receiveIDs(ids(a)...)
		w.until("its description is taken", func() bool { return w.objects.count() == 1 })
		w.pass(30 * time.Second)
		if l := w.replies.lane(f.core.Session()); l.UpTo != 0 || len(l.Missing) != 0 {
			t.Fatalf("custody of what is not here: %+v", l)
		}
		if e := w.activity.of(b.ID.String()); e.State != gateway.StateWaiting || e.Code != gateway.CodeDownloading || e.Size != o.Size {
			t.Fatalf("activity: %+v", e)
		}
		w.objects.end(o.OID, nil)
		got := w.receive(2)
		m := got[0]
		if m.ID != b.ID.String() || m.Body != nil || m.File == nil || m.File.Name != "network.csv" || m.File.Size != o.Size || !gateway.ValidID(m.File.ID) || m.Late {
			t.Fatalf("handed over as %+v, file %+v", m, m.File)
		}
		if got[1].ID != c.ID.String() {
			t.Fatal("order")
		}
		w.upto(f, 2)
		if e := w.activity.of(b.ID.String()); e.State != "verified" || e.File == nil || e.File.ID != m.File.ID {
			t.Fatalf("activity: %+v", e)
		}
	})
}

// TestObjectPrompt: nothing waits for a file where order does not count.
func TestObjectPrompt(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		ch := w.channel()
		ch.Topic = w.prompt.Name
		w.channels.set(ch)
		s := w.sender()
		f := s.open(func(b *envelope.CoreBody, _ *envelope.BoxText) { b.Topic, b.Record = w.prompt.Name, w.prompt.Digest() })
		o := file("a", "text/csv", 5)
		b, c := carries(o), good(1)[0]
		f.s.send(f.grant, f.seal(b).Bytes(), f.seal(c).Bytes())
		w.receiveIDs(ids(c)...)
		w.until("its description is taken", func() bool { return w.objects.count() == 1 })
		w.objects.end(o.OID, nil)
		w.receiveIDs(ids(b)...)
		w.upto(f, 1)
	})
}

// TestObjectCodes: what is wrong with an object, by name, refuses its frame and
// no other.
func TestObjectCodes(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		f.s.send(f.grant)
		for i, c := range []struct {
			err  error
			code string
			told envelope.Code
		}{
			{envelope.BadPart.Errorf("x"), "part", envelope.BadPart},
			{envelope.Truncated.Errorf("x"), "truncated", envelope.Truncated},
			{envelope.BadObject.Errorf("x"), "object", envelope.BadObject},
			{problem.New(422, "schema", "row 7"), "schema", envelope.BadSchema},
			{problem.New(422, "json_invalid", "x"), "schema", envelope.BadSchema},
			{problem.New(413, "too_large", "x"), "too_large", envelope.BadObject},
		} {
			before := w.events.count(c.code)
			o, fine := file("a", "text/csv", 5), good(1)[0]
			f.s.send(f.seal(carries(o), fine).Bytes())
			w.until("its description is taken", func() bool { return w.objects.count() == i+1 })
			w.objects.end(o.OID, c.err)
			w.receiveIDs(ids(fine)...)
			w.until("event "+c.code, func() bool { return w.events.count(c.code) > before })
			l := w.upto(f, int64(i))
			if r := l.Refused[len(l.Refused)-1]; r.Code != c.told || r.Frame != 0 || r.First != uint64(i) {
				t.Fatalf("%s told as %+v", c.code, r)
			}
		}
	})
}

// TestObjectDescription: a description that breaks a rule or claims more than
// the network's longest file.
func TestObjectDescription(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		long := file("big", "text/csv", envelope.FileMax+1)
		path := carries(file("a", "text/csv", 5))
		o := file("a", "text/csv", 5)
		o.Name = "../a"
		path.Body = o.Bytes()
		fine := good(1)[0]
		f.s.send(f.grant, f.seal(carries(long), path, fine).Bytes())
		w.event("too_large")
		w.event("object")
		w.receiveIDs(ids(fine)...)
		l := w.upto(f, 0)
		if len(l.Refused) != 2 || l.Refused[0].Code != envelope.BadObject || l.Refused[1].Code != envelope.BadObject {
			t.Fatalf("told %+v", l.Refused)
		}
		if w.objects.count() != 0 {
			t.Fatal("its parts were looked for")
		}
	})
}

// TestObjectAbsent: parts that the store has not are asked for with why 4.
func TestObjectAbsent(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		o := file("a", "text/csv", 5)
		b, c := carries(o), good(1)[0]
		e := f.seal(b)
		f.s.send(f.grant, e.Bytes(), f.seal(c).Bytes())
		w.until("its description is taken", func() bool { return w.objects.count() == 1 })
		w.objects.end(o.OID, envelope.ContentHash.Errorf("a part is not there"))
		w.event("content_hash")
		w.asked(f, 0, envelope.WhyBody)
		w.event("gap")
		w.receiveIDs(ids(c)...)
		f.s.send(e.Bytes()) // sent again, its parts are there now
		w.pass(time.Second)
		w.objects.end(o.OID, nil)
		if got := w.receive(1)[0]; got.ID != b.ID.String() || !got.Late {
			t.Fatalf("got %+v", got)
		}
		w.event("repaired")
		w.upto(f, 1)
	})
}

// TestObjectLazy: on a lazy channel the description is enough.
func TestObjectLazy(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		ch := w.channel()
		ch.Lazy = true
		w.channels.set(ch)
		f := w.sender().open()
		o, body := file("a", "text/csv", 5), file("", "application/json", 500_000)
		b, c := carries(o), carries(body)
		f.s.send(f.grant, f.seal(b).Bytes(), f.seal(c).Bytes())
		if m := w.receive(1)[0]; m.ID != b.ID.String() || m.File == nil || !gateway.ValidID(m.File.ID) {
			t.Fatalf("got %+v", m)
		}
		w.upto(f, 0)
		w.objects.end(o.OID, envelope.BadPart.Errorf("x")) // found later
		w.event("part")
		w.told(f, "it is refused", func(l *envelope.Lane) bool { return len(l.Refused) == 1 && l.Refused[0].Code == envelope.BadPart })
		// A body that only travelled apart is waited for.
		w.objects.mu.Lock()
		w.objects.bodies = map[string][]byte{w.objects.byOID[body.OID]: []byte(`{"n":1}`)}
		w.objects.mu.Unlock()
		w.objects.end(body.OID, nil)
		if m := w.receive(1)[0]; m.File != nil || string(m.Body) != `{"n":1}` {
			t.Fatalf("got %+v", m)
		}
		w.upto(f, 1)
	})
}

// TestObjectRestart: what was on its way goes on in the next process, also of
// a message whose body came apart.
func TestObjectRestart(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		o, p := file("a", "text/csv", 5), file("b", "text/csv", 6)
		b, c := carries(o), carries(p)
		apart := f.seal(c, large())
		first := f
		w.bodies.put(apart)
		f.s.send(f.grant, apart.Notice().Bytes(), first.seal(b).Bytes())
		w.until("their descriptions are taken", func() bool { return w.objects.count() == 2 })
		w.settled()
		w.halt()
		w.objects.mu.Lock()
		clear(w.objects.at)
		w.objects.mu.Unlock()
		w.start()
		w.until("their descriptions are taken again", func() bool { return w.objects.count() == 2 })
		w.objects.end(o.OID, nil)
		w.objects.end(p.OID, nil)
		got := w.receive(3)
		if got[0].File == nil || got[0].File.Name != "b" || got[2].File == nil || got[2].File.Name != "a" {
			t.Fatalf("got %+v", got)
		}
		w.upto(f, 1)
	})
}

// TestObjectNoRoom: a full disk makes files wait, and says so once.
func TestObjectNoRoom(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		o := file("a", "text/csv", 5)
		w.objects.err = problem.New(507, "storage_full", "no room")
		b := carries(o)
		f.s.send(f.grant, f.seal(b).Bytes())
		if e := w.event("storage_full"); !strings.Contains(e.Detail, "no room") || e.DID == "" {
			t.Fatalf("event %+v", e)
		}
		w.objects.mu.Lock()
		w.objects.err = nil
		w.objects.mu.Unlock()
		w.until("its description is taken", func() bool { w.clock.Advance(time.Second); return w.objects.count() == 1 })
		w.objects.end(o.OID, problem.New(507, "storage_full", "no room"))
		w.objects.end(o.OID, nil)
		w.receiveIDs(ids(b)...)
		if n := w.events.count("storage_full"); n != 1 {
			t.Fatalf("told %d times", n)
		}
	})
}

// TestObjectFlood: thousands of files, and claims of 10 GB, take their sender's
// share and hold up nobody else.
func TestObjectFlood(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		bad, fine := w.sender().open(), w.sender().open()
		huge := w.sender().open()
		huge.s.send(huge.grant)
		for range 12 {
			huge.s.send(huge.seal(carries(file("a", "text/csv", envelope.FileMax))).Bytes())
		}
		bad.s.send(bad.grant)
		var wires [][]byte
		for range 1100 { // of 1024 of a session
			wires = append(wires, bad.seal(carries(file("a", "text/csv", 5))).Bytes())
		}
		bad.s.send(wires...)
		w.settled()
		w.event("throttled")
		w.until("a share of them is taken", func() bool { return w.objects.count() == 32+4 })
		w.pass(10 * time.Second)
		if n := w.objects.count(); n != 32+4 {
			t.Fatalf("%d objects in progress", n)
		}
		o := file("a", "text/csv", 5)
		b := carries(o)
		fine.s.send(fine.grant, fine.seal(b).Bytes())
		w.until("the other's is taken", func() bool { return w.objects.count() == 32+4+1 })
		w.objects.end(o.OID, nil)
		w.receiveIDs(ids(b)...)
		// What ends makes room for the next.
		w.objects.mu.Lock()
		var one envelope.ID
		for _, x := range w.objects.at {
			if x.o.Size == 5 && !x.ended {
				one = x.o.OID
				break
			}
		}
		w.objects.mu.Unlock()
		w.objects.end(one, nil)
		w.until("the next is taken", func() bool { return w.objects.count() == 32+4+2 })
	})
}

// TestObjectsOfOneEnvelope: an envelope has room for hundreds of files, and they
// count one by one, also when its body comes apart.
func TestObjectsOfOneEnvelope(t *testing.T) {
	for _, apart := range []bool{false, true} {
		t.Run(map[bool]string{false: "whole", true: "apart"}[apart], func(t *testing.T) {
			held(t, func(t *testing.T, w *world) {
				w.less(8)
				f := w.sender().open()
				f.s.send(f.grant)
				for range intake.MaxFilesPerSender/8/900 + 3 {
					frames := make([]envelope.Frame, 900)
					for i := range frames {
						frames[i] = carries(file("a", "text/csv", 5))
					}
					e := f.seal(frames...)
					if apart {
						w.bodies.put(e)
						f.s.send(e.Notice().Bytes())
					} else {
						f.s.send(e.Bytes())
					}
					w.settled()
				}
				awaited := func() (n int) {
					row := must(w.store.Intake().Session(w.ctx, f.core.Session()))
					return len(row.Ledger)
				}
				w.until("most are noted", func() bool { return awaited() > 50<<10/8 })
				if !apart {
					w.event("throttled")
				}
				w.pass(time.Second)
				if n := awaited(); n > 300<<10/8 {
					t.Fatalf("the ledger has %d bytes", n)
				}
			})
		})
	}
}

// TestStrangeNews: what Objects says about nothing that is awaited, in any
// form, changes nothing.
func TestStrangeNews(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		o := file("a", "text/csv", 5)
		b := carries(o)
		f.s.send(f.grant, f.seal(b).Bytes())
		w.until("its description is taken", func() bool { return w.objects.count() == 1 })
		for _, key := range []string{"", "/", "1", "x/1", "1/x", "-1/-1", "9223372036854775807/0", "1048576/99", "99999999999999999999/0", "1048577/0"} {
			w.objects.tell(key, nil)
			w.objects.tell(key, envelope.BadPart.Errorf("x"))
		}
		w.pass(time.Second)
		w.objects.end(o.OID, nil)
		w.objects.end(o.OID, nil) // twice
		w.receiveIDs(ids(b)...)
		w.upto(f, 0)
	})
}
