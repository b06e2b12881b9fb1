package devchain_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/digital-spine/spine/internal/testkit"
)

// TestTagLeavesTheNodeOut: with the tag nochain neither this package nor the
// binary holds a node.
func TestTagLeavesTheNodeOut(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		testkit.Skip(t, "the go command is not at hand")
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-tags", "nochain", ".", "../../cmd/spine").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		switch strings.TrimSpace(dep) {
		case "github.com/ethereum/go-ethereum/eth", "github.com/ethereum/go-ethereum/node", "github.com/ethereum/go-ethereum/core/vm":
			t.Errorf("%s is linked", strings.TrimSpace(dep))
		}
	}
}
