package envelope

import (
	"os/exec"
	"testing"

	"github.com/digital-spine/spine/internal/testkit"
)

// TestSecondReader has the vectors read by a program that shares nothing with
// this package but docs/protocol.md.
func TestSecondReader(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		testkit.Skip(t, "the second reader of the vectors needs Node")
	}
	out, err := exec.CommandContext(t.Context(), node, "testdata/reader.mjs", vectorsFile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
