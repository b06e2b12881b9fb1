package intake

import (
	"context"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/inbox"
)

// errChecking is the standing of a session whose look-up has not answered yet.
var errChecking = envelope.StatusStale.Errorf("the sender's standing is being looked up")

// checking is why messages wait while the standing is looked up.
const checking = "checking"

// standingPatience is how long the loop waits for the book, which as a rule
// answers from memory.
const standingPatience = 20 * time.Millisecond

// standingOf is the book's answer about a session.
type standingOf struct {
	s   *session // which may be in memory no longer
	err error
}

// standing is E7: what the book says of the session now, and whether a local
// channel still admits its sender. When the book has to look something up, the
// session's messages wait, not the intake.
func (x *Intake) standing(ctx context.Context, s *session) error {
	now := x.now()
	if s.checking {
		return errChecking
	}
	if s.standingAt > 0 && now-s.standingAt < standingTTL && now >= s.standingAt {
		return s.standing
	}
	creds := make([]envelope.Digest, len(s.led.Creds))
	for i, c := range s.led.Creds {
		copy(creds[i][:], c)
	}
	core := s.core
	answer := make(chan error, 1)
	go func() { answer <- x.d.Trust.Standing(ctx, core.From, core.Inst, core.Cert, creds, now) }()
	select {
	case err := <-answer:
		x.stands(s, err)
		return s.standing
	case <-x.d.Clock.After(standingPatience):
	}
	s.checking, s.outdated = true, false
	go func() {
		select {
		case err := <-answer:
			select {
			case x.standings <- standingOf{s, err}:
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
	}()
	return errChecking
}

// stands takes the book's answer.
func (x *Intake) stands(s *session, err error) {
	s.standing, s.standingAt, s.checking = err, max(x.now(), 1), false
	if err == nil && !x.admitted(s.info) {
		s.standing = envelope.RoleNotAdmitted.Errorf("no local channel admits the sender any more")
	}
	if s.outdated {
		s.standingAt, s.outdated = 0, false // it may be the answer of before a change: the book is asked again
	}
}

// admitted is G10: some local channel takes messages of this session.
func (x *Intake) admitted(info *inbox.SessionInfo) bool {
	for _, c := range x.receiving(info.Topic) {
		if inbox.Admits(&c, info) {
			return true
		}
	}
	return false
}
