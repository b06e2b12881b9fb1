package jetstream

import (
	"time"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/bus"
)

// Admitter decides connection attempts; *broker.Broker does.
type Admitter interface {
	Admit(broker.Connecting) (*broker.Session, error)
}

// Admit answers the bus server's question who a client is and what it may do:
// its rights end with its token.
func Admit(by Admitter) func(bus.Attempt) (bus.Grant, error) {
	return func(a bus.Attempt) (bus.Grant, error) {
		s, err := by.Admit(broker.Connecting{Token: a.Token, NKey: a.NKey, Nonce: a.Nonce, Sig: a.Sig})
		if err != nil {
			return bus.Grant{}, err
		}
		perm := s.Permissions()
		return bus.Grant{Name: s.Addr, Publish: perm.Publish, Subscribe: perm.Subscribe, Until: time.UnixMilli(s.Expire)}, nil
	}
}
