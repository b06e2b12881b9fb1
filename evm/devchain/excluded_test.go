//go:build nochain

package devchain_test

import (
	"errors"
	"testing"

	"github.com/digital-spine/spine/evm/devchain"
)

func TestExcluded(t *testing.T) {
	if _, err := devchain.Start(t.Context(), devchain.Config{}); !errors.Is(err, devchain.ErrExcluded) {
		t.Error(err)
	}
}
