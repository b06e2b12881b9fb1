package contract_test

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"

	"github.com/digital-spine/spine/evm/contract"
)

// TestPublishedInterface checks every selector and event of the interfaces
// that other clients of these contracts were built for.
func TestPublishedInterface(t *testing.T) {
	abis := map[string]abi.ABI{
		"ENSRegistry":         contract.NewENSRegistry().GetABI(),
		"DomainNotifier":      contract.NewDomainNotifier().GetABI(),
		"Resolver":            contract.NewRoleDefinitionResolver().GetABI(),
		"EthereumDIDRegistry": contract.NewEthereumDIDRegistry().GetABI(),
	}
	f, err := os.Open("testdata/interface.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, n := bufio.NewScanner(f), 0
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		n++
		where, kind, id, signature := fields[0], fields[1], fields[2], fields[3]
		if kind == "event" {
			checkEvent(t, abis[where], where, id, signature)
		} else {
			checkMethod(t, abis[where], where, kind, id, signature)
		}
	}
	if n < 79 {
		t.Errorf("only %d entries were checked", n)
	}
}

func checkMethod(t *testing.T, a abi.ABI, where, mutability, id, signature string) {
	t.Helper()
	for _, m := range a.Methods {
		if m.Sig != signature {
			continue
		}
		if got := "0x" + hexOf(m.ID); got != id {
			t.Errorf("%s %s: selector %s, published %s", where, signature, got, id)
		}
		if m.StateMutability != mutability {
			t.Errorf("%s %s: %s, published %s", where, signature, m.StateMutability, mutability)
		}
		return
	}
	t.Errorf("%s has no %s", where, signature)
}

func checkEvent(t *testing.T, a abi.ABI, where, topic, signature string) {
	t.Helper()
	for _, e := range a.Events {
		if e.Sig == signature {
			if !strings.HasPrefix(e.ID.Hex(), topic) {
				t.Errorf("%s %s: topic %s, published %s", where, signature, e.ID, topic)
			}
			return
		}
	}
	t.Errorf("%s has no event %s", where, signature)
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}
