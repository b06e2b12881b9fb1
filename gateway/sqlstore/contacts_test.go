package sqlstore_test

import (
	"testing"

	"github.com/digital-spine/spine/gateway/conformance"
	"github.com/digital-spine/spine/gateway/contacts"
	"github.com/digital-spine/spine/gateway/sqlstore"
)

func TestContactsConformance(t *testing.T) {
	conformance.Contacts(t, func(t *testing.T) func() contacts.Store { return reopening(t, (*sqlstore.Store).Contacts) })
}
