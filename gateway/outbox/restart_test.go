package outbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/outbox"
)

var errDown = &bus.Error{Code: bus.CodeDisconnected, Text: "down"}

// TestKillBetweenCommitAndPublish: the store has the envelopes, the broker has
// not. The next run publishes the same bytes and goes on in a new session.
func TestKillBetweenCommitAndPublish(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.net.set(func(bus.Msg) error { return errDown })
	w.start()
	sent := make(chan gateway.Accepted, 1)
	go func() {
		out, _ := w.box.Send(background, []gateway.Draft{draft(1), draft(2)})
		sent <- out[0]
	}()
	w.net.await(t, "the first try", func() bool { w.net.mu.Lock(); defer w.net.mu.Unlock(); return len(w.net.tried) >= 2 })
	tried := map[string]bool{}
	w.net.mu.Lock()
	for _, m := range w.net.tried {
		tried[string(m.Data)] = true
	}
	w.net.mu.Unlock()
	first := w.answer(sent)
	if first.State != gateway.StateWaiting {
		t.Fatalf("state %s", first.State)
	}
	w.stop()
	w.net.set(nil)
	w.start()
	w.net.await(t, "the same bytes", func() bool { return len(w.net.to(b.addr)) == 2 })
	for _, m := range w.net.to(b.addr) {
		if !tried[string(m)] {
			t.Fatal("published other bytes than before the crash")
		}
	}
	third := w.send(draft(3))
	r := newReader(t, b, w.self).read(w.net.to(b.addr))
	if len(r.order) != 2 {
		t.Fatal("sealed with a secret read from disk")
	}
	_, s := r.last()
	if ids := r.ids(); len(ids) != 3 || ids[0] != first.ID || ids[2] != third.ID || s.text.Prev == nil || s.text.Prev.Seq != 0 {
		t.Fatalf("ids %v, prev %+v", ids, s.text.Prev)
	}
	// What the broker acknowledged is not published again.
	w.stop()
	have := len(w.net.to(b.addr))
	w.start()
	w.send(draft(4))
	if got := len(w.net.to(b.addr)); got != have+2 {
		t.Fatalf("%d wires after a clean restart, want a grant and an envelope", got-have)
	}
}

// TestKillBeforeCommit: nothing happened.
func TestKillBeforeCommit(t *testing.T) {
	w, r, _ := pair(t, 1)
	w.store.set(func(*outbox.Commit) error { return errors.New("disk full") }, nil)
	out, errs := w.box.Send(background, []gateway.Draft{draft(2)})
	if errs[0] == nil || out[0].ID != "" {
		t.Fatalf("accepted without a commit: %+v", out[0])
	}
	w.store.set(nil, nil)
	a := w.send(draft(3))
	r.read(w.net.to(r.addr))
	if _, s := r.last(); s.ids[len(s.ids)-1] != a.ID || len(r.order) != 2 || len(r.ids()) != 2 {
		t.Fatalf("ids %v", r.ids())
	}
}

// TestUnknownCommit: it happened, but the store said otherwise. The message is
// not lost, not sent twice under two numbers, and the session ends.
func TestUnknownCommit(t *testing.T) {
	w, r, _ := pair(t, 1)
	failed := false
	w.store.set(nil, func(*outbox.Commit) error {
		if failed {
			return nil
		}
		failed = true
		return errors.New("outcome unknown")
	})
	sent := make(chan gateway.Accepted, 1)
	go func() { sent <- w.send(draft(2)) }()
	w.net.await(t, "the envelope", func() bool { return len(w.net.to(r.addr)) == 3 })
	second := w.answer(sent)
	third := w.send(draft(3))
	w.net.await(t, "the third", func() bool { return len(w.net.to(r.addr)) == 5 })
	ids := r.read(w.net.to(r.addr)).ids()
	if len(ids) != 3 || ids[1] != second.ID || ids[2] != third.ID || len(r.order) != 2 {
		t.Fatalf("ids %v in %d sessions", ids, len(r.order))
	}
	if _, s := r.last(); s.text.Prev.Seq != 1 {
		t.Fatalf("prev %+v was not read back from the store", s.text.Prev)
	}
}

// TestRestoredStoreRepeatsNothing: a backup is put back. New sessions by rule,
// so no session id, secret or number is used twice; keys and channel stay, so
// a client that repeats gets its ids again.
func TestRestoredStoreRepeatsNothing(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.start()
	w.send(draft(1))
	w.stop()
	backup := copyFiles(t, w.path)
	w.start()
	keyed := draft(2)
	keyed.IdempotencyKey = "k"
	before := w.send(keyed)
	w.send(draft(3))
	w.stop()
	restore(t, w.path, backup)
	w.start()
	after := w.send(keyed)
	w.send(draft(4))
	if after.ID != before.ID {
		t.Error("a repeated message has another id after the restore")
	}
	r := newReader(t, b, w.self).read(w.net.to(b.addr))
	secrets := map[envelope.Secret]bool{}
	chans := map[envelope.ID]bool{}
	for _, sid := range r.order {
		s := r.sessions[sid]
		if secrets[s.text.Secret] {
			t.Error("a secret was used for two sessions")
		}
		secrets[s.text.Secret] = true
		chans[s.grant.Core.Chan] = true
	}
	if len(r.order) != 3 || len(chans) != 1 {
		t.Fatalf("%d sessions on %d channels", len(r.order), len(chans))
	}
	// The recipient sees the restore: two sessions name the same prev.
	if a, b := r.sessions[r.order[1]].text.Prev, r.sessions[r.order[2]].text.Prev; a.Session != b.Session || a.Seq != b.Seq {
		t.Errorf("prev %+v and %+v", a, b)
	}
}

func copyFiles(t *testing.T, path string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, f := range must(filepath.Glob(path + "*")) {
		files[f] = must(os.ReadFile(f))
	}
	return files
}

func restore(t *testing.T, path string, files map[string][]byte) {
	t.Helper()
	for _, f := range must(filepath.Glob(path + "*")) {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	for f, b := range files {
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
