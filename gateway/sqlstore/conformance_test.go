package sqlstore_test

import (
	"testing"

	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/channels"
	"github.com/digital-spine/spine/gateway/conformance"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/gateway/identity"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/gateway/trust"
)

func TestTrustConformance(t *testing.T) {
	conformance.Trust(t, func(t *testing.T) func() trust.Store { return reopening(t, (*sqlstore.Store).Trust) })
}

func TestIdentityConformance(t *testing.T) {
	conformance.Identity(t, func(t *testing.T) func() identity.Store { return reopening(t, (*sqlstore.Store).Identity) })
}

func TestChannelsConformance(t *testing.T) {
	conformance.Channels(t, func(t *testing.T) func() channels.Store { return reopening(t, (*sqlstore.Store).Channels) })
}

func TestEventsConformance(t *testing.T) {
	conformance.Events(t, func(t *testing.T) func() events.Store { return reopening(t, (*sqlstore.Store).Events) })
}

func TestAccessConformance(t *testing.T) {
	conformance.Access(t, func(t *testing.T) func() access.Store { return reopening(t, (*sqlstore.Store).Keys) })
}

func TestSessionsConformance(t *testing.T) {
	type both struct {
		access.SessionStore
		keys access.Store
	}
	conformance.Sessions(t, func(t *testing.T) func() (access.SessionStore, access.Store) {
		open := reopening(t, func(s *sqlstore.Store) both { return both{s.Sessions(), s.Keys()} })
		return func() (access.SessionStore, access.Store) {
			b := open()
			return b.SessionStore, b.keys
		}
	})
}
