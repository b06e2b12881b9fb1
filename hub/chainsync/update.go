package chainsync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/hub"
)

// update brings the index up to date with one node or identity.
func (s *Sync) update(ctx context.Context, t touched, w why) error {
	now := s.d.Clock.Now().UnixMilli()
	if t.identity != (common.Address{}) {
		if !w.announce {
			return nil
		}
		return s.announced(s.d.Store.Append(ctx, []hub.Event{{Type: hub.EventDID, Subject: s.reader.did(t.identity), At: now}}))
	}
	name, err := s.d.Registry.NameOf(ctx, t.node)
	if errors.Is(err, ens.ErrNotFound) || errors.Is(err, ens.ErrName) {
		if w.removed {
			return s.forget(ctx, t.node, now)
		}
		return nil // a node without a name record is none of ours yet
	}
	if err != nil {
		return err
	}
	n, err := s.reader.Name(ctx, name)
	if errors.Is(err, hub.ErrNameUnknown) {
		return s.drop(ctx, name, now)
	}
	if err != nil {
		return err
	}
	return s.put(ctx, n, now, w.announce)
}

// put writes a name and, for a role, its definition, announcing what changed.
// What is told of already is announced only where the index said otherwise; a
// name that is new then belongs to the first reading of a chain.
func (s *Sync) put(ctx context.Context, n *hub.Name, now int64, announce bool) error {
	old, err := s.d.Store.Name(ctx, n.Name)
	if err != nil && !errors.Is(err, hub.ErrNameUnknown) {
		return err
	}
	if err != nil || old.Kind != n.Kind || old.Owner != n.Owner || string(old.Metadata) != string(n.Metadata) {
		var events []hub.Event
		if announce || err == nil {
			events = []hub.Event{{Type: hub.EventName, Subject: n.Name, At: now}}
		}
		if err := s.announced(s.d.Store.PutName(ctx, n, events)); err != nil {
			return err
		}
	}
	if n.Kind != string(ens.KindRole) {
		return nil
	}
	r, err := s.reader.Role(ctx, n.Name)
	if errors.Is(err, hub.ErrRoleUnknown) || errors.Is(err, ens.ErrName) {
		return nil
	}
	if err != nil {
		return err
	}
	// Whoever asked for the role may have had its definition written before the
	// event came: that it is the same does not mean that it was announced.
	was, err := s.d.Store.Role(ctx, r.Name)
	if err != nil && !errors.Is(err, hub.ErrRoleUnknown) {
		return err
	}
	if err == nil && !announce && same(was, r) {
		return nil
	}
	var events []hub.Event
	if announce || err == nil {
		events = []hub.Event{{Type: hub.EventRole, Role: r.Name, At: now}}
	}
	return s.announced(s.d.Store.PutRole(ctx, r, events))
}

func same(a, b *hub.Role) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// drop forgets a name that nobody owns any more.
func (s *Sync) drop(ctx context.Context, name string, now int64) error {
	if _, err := s.d.Store.Name(ctx, name); errors.Is(err, hub.ErrNameUnknown) {
		return nil
	}
	events := []hub.Event{{Type: hub.EventName, Subject: name, At: now}, {Type: hub.EventRole, Role: name, At: now}}
	return s.announced(s.d.Store.DropName(ctx, name, events))
}

// forget drops the name of a node of which the chain knows nothing any more,
// since it took back that it was ever made.
func (s *Sync) forget(ctx context.Context, node [32]byte, now int64) error {
	return s.names(ctx, func(name string) error {
		if ens.Namehash(name) != node {
			return nil
		}
		return s.drop(ctx, name, now)
	})
}

// names goes through the index.
func (s *Sync) names(ctx context.Context, each func(name string) error) error {
	for after := ""; ; {
		page, err := s.d.Store.Names(ctx, "", after, 1000)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			if err := each(page[i].Name); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Name
	}
}

func (s *Sync) announced(err error) error {
	if err == nil {
		s.d.Wake()
	}
	return err
}
