package bus

import (
	"strings"
	"testing"
)

func TestEmbedListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0"} {
		s, err := Embed(t.Context(), EmbedConfig{StoreDir: t.TempDir(), Listen: addr})
		if s != nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "beyond loopback") {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
