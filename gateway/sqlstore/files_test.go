package sqlstore_test

import (
	"testing"

	"github.com/digital-spine/spine/gateway/conformance"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/gateway/sqlstore"
)

func TestFilesConformance(t *testing.T) {
	conformance.Files(t, func(t *testing.T) func() files.Store { return reopening(t, (*sqlstore.Store).Files) })
}
