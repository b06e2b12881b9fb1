package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

type sample struct {
	Listen string        `yaml:"listen" default:"127.0.0.1:0" doc:"Address to listen on."`
	Every  time.Duration `yaml:"every" default:"10s" doc:"How often."`
	Peers  []string      `yaml:"peers" doc:"Who."`
	Deep   struct {
		N int64 `yaml:"n" default:"3" doc:"A number."`
	} `yaml:"deep" doc:"Nested."`
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	os.WriteFile(file, []byte("every: 3s\ndeep: {n: 4}\n"), 0o600)
	t.Setenv("SPINE_SAMPLE_DEEP_N", "5")
	t.Setenv("SPINE_SAMPLE_PEERS", "a, b")
	var c sample
	if err := Load("sample", file, &c); err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:0" || c.Every != 3*time.Second || c.Deep.N != 5 || len(c.Peers) != 2 {
		t.Fatalf("loaded %+v", c)
	}
	os.WriteFile(file, []byte("evry: 3s\n"), 0o600)
	if err := Load("sample", file, &sample{}); err == nil {
		t.Error("an unknown key of the file was accepted")
	}
	t.Setenv("SPINE_SAMPLE_LISTN", "x")
	if err := Load("sample", "", &sample{}); err == nil || !strings.Contains(err.Error(), "SPINE_SAMPLE_LISTN") {
		t.Errorf("an unknown variable was accepted: %v", err)
	}
}

func TestExampleLoads(t *testing.T) {
	text := Example("sample", &sample{})
	file := filepath.Join(t.TempDir(), "c.yaml")
	os.WriteFile(file, []byte(text), 0o600)
	var c sample
	if err := Load("sample", file, &c); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if c.Deep.N != 3 {
		t.Fatalf("%+v", c)
	}
}

func TestNetwork(t *testing.T) {
	a := common.HexToAddress("0x1111111111111111111111111111111111111111")
	n := NewNetwork("x", 1337, Contracts{ENSRegistry: a, Resolver: a, DomainNotifier: a, DIDRegistry: a})
	n.Hub = "http://127.0.0.1:80"
	file := filepath.Join(t.TempDir(), "n.yaml")
	if err := n.Save(file); err != nil {
		t.Fatal(err)
	}
	got, err := LoadNetwork(file)
	if err != nil || *got != *n {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, bad := range []func(*Network){
		func(n *Network) { n.Hub = "http://example.org" }, func(n *Network) { n.Broker = "https://example.org/" },
		func(n *Network) { n.Wire = 1 }, func(n *Network) { n.ChainID = 0 }, func(n *Network) { n.Contracts.Resolver = common.Address{} },
	} {
		c := *n
		bad(&c)
		if c.Validate() == nil {
			t.Errorf("accepted %+v", c)
		}
	}
}

func TestPlainTextOnlyOnLoopback(t *testing.T) {
	a := common.HexToAddress("0x1111111111111111111111111111111111111111")
	n := NewNetwork("x", 1337, Contracts{ENSRegistry: a, Resolver: a, DomainNotifier: a, DIDRegistry: a})
	for u, ok := range map[string]bool{
		"http://127.0.0.1:80": true, "http://[::1]:80": true, "http://localhost:80": true, "http://127.8.8.8": true,
		"https://hub.example": true,
		"http://hub.example":  false, "http://127.0.0.1.hub.example": false, "http://127.evil:80": false, "http://0.0.0.0:80": false,
	} {
		if n.Hub = u; (n.Validate() == nil) != ok {
			t.Errorf("%s: %v, taken should be %v", u, n.Validate(), ok)
		}
		if (CheckURL(u) == nil) != ok {
			t.Errorf("%s: %v, taken should be %v", u, CheckURL(u), ok)
		}
	}
}
