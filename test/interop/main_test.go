package interop

import (
	"os"
	"testing"

	"github.com/digital-spine/spine/test/processes"
)

func TestMain(m *testing.M) {
	status := m.Run()
	processes.Remove()
	os.Exit(status)
}
