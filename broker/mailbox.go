package broker

import (
	"context"

	"github.com/digital-spine/spine/bus"
)

// State tells a session what waits in its mailbox.
func (b *Broker) State(ctx context.Context, s *Session) (MailboxState, error) {
	return b.Plane.State(ctx, s.PP, s.Addr)
}

// Remake makes a session's consumer again, so that it delivers from seq, or from
// the first message when seq is 0. An intake that was restored from a backup, or
// whose consumer went with a server, asks for it.
func (b *Broker) Remake(ctx context.Context, s *Session, seq uint64) error {
	if !b.writes.allow(s.DID) {
		return ErrThrottled
	}
	return b.Plane.Remake(ctx, s.PP, s.Addr, seq)
}

// ensure makes the mailbox of an instance at its first login, and finds it later.
func (b *Broker) ensure(ctx context.Context, did string, inst uint64, addr string) (Mailbox, error) {
	now := b.now()
	m, created, err := b.Store.EnsureMailbox(ctx, Mailbox{Addr: addr, DID: did, Inst: inst, Created: now, Login: now,
		PP: bus.DefaultPartition(addr, b.partitions())}, b.Limits.Mailboxes)
	if err != nil {
		return m, err
	}
	if created {
		b.Log.Info("new mailbox", "did", did, "inst", inst, "mailbox", addr, "partition", m.PP)
	}
	// Idempotent and cheap when it is there: a crash between the two heals here.
	return m, b.Plane.Open(ctx, m.PP, addr)
}

func (b *Broker) partitions() int {
	if b.Partitions < 1 || b.Partitions > 100 {
		return bus.Partitions
	}
	return b.Partitions
}
