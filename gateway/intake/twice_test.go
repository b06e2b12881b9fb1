package intake_test

import (
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
)

// What one judge refused, another that had the same grant does not open.
func TestRefusedAndJudgedTwice(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		hold := make(chan struct{})
		w.book.set(func() { w.book.topicHold = hold })
		f.s.send(f.grant)
		w.settled()
		w.pass(time.Second)
		w.book.set(func() {
			w.book.topicHold, w.book.roleErr = nil, envelope.RoleNotAdmitted.Errorf("not on purpose")
		})
		w.flaky.mu.Lock()
		w.flaky.before = 1
		w.flaky.mu.Unlock()
		f.s.send(f.seal().Bytes())
		w.event(string(envelope.RoleNotAdmitted))
		w.settled()
		w.book.mu.Lock()
		w.book.roleErr = nil
		w.book.mu.Unlock()
		close(hold)
		w.pass(time.Minute)
		f.s.send(f.seal().Bytes())
		w.settled()
		w.pass(time.Minute)
		if l := w.replies.lane(f.core.Session()); l == nil || l.UpTo >= 0 {
			t.Fatalf("a receipt of a session that was refused: %+v", l)
		}
	})
}
