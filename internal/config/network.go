package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/contract"
)

// Defaults and bounds of a network's constants.
const (
	DefaultRetentionMS = 7 * 24 * 3600 * 1000
	DefaultStatusTTLMS = 60_000
	DefaultWire        = 262_144
	DefaultCap         = 1_000_000
	DefaultFileMax     = 10_000_000_000
	MinWire, MaxWire   = 65_536, 1_000_000
	MaxFileMax         = envelope.MaxObject
)

// Contracts are the addresses of the four contracts a network lives on.
type Contracts = contract.Addresses

// Network is the public network file: the trust roots and constants that every
// system of one network has in its configuration. A server that tells another
// value at login stops the gateway.
type Network struct {
	Name        string    `json:"name" yaml:"name"`
	ChainID     uint64    `json:"chainId" yaml:"chain_id"`
	Contracts   Contracts `json:"contracts" yaml:"contracts"`
	Root        string    `json:"root" yaml:"root"`                 // namespace of the organisations, such as iam.ewc
	Hub         string    `json:"hub" yaml:"hub"`                   // base URL, without trailing slash
	Broker      string    `json:"broker" yaml:"broker"`             // base URL, without trailing slash
	NATS        string    `json:"nats" yaml:"nats"`                 // nats:// URL
	RetentionMS int64     `json:"retention_ms" yaml:"retention_ms"` // R, how long the broker keeps a message
	StatusTTLMS int64     `json:"status_ttl_ms" yaml:"status_ttl_ms"`
	Wire        int64     `json:"wire" yaml:"wire"`         // W, bytes of a wire message
	Cap         int64     `json:"cap" yaml:"cap"`           // messages per subject within R
	FileMax     int64     `json:"file_max" yaml:"file_max"` // bytes of one file; 0 in older files: the default
}

// NewNetwork returns a network with default constants.
func NewNetwork(name string, chainID uint64, contracts Contracts) *Network {
	return &Network{Name: name, ChainID: chainID, Contracts: contracts, Root: "iam.ewc",
		RetentionMS: DefaultRetentionMS, StatusTTLMS: DefaultStatusTTLMS, Wire: DefaultWire, Cap: DefaultCap, FileMax: DefaultFileMax}
}

// LoadNetwork reads and checks a network file.
func LoadNetwork(path string) (*Network, error) {
	if path == "" {
		return nil, errors.New("no network file is configured: set network, or make one with spine chain init")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read network file: %w", err)
	}
	var n Network
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&n); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("network file %s: %w", path, err)
	}
	if n.FileMax == 0 {
		n.FileMax = DefaultFileMax
	}
	if err := n.Validate(); err != nil {
		return nil, fmt.Errorf("network file %s: %w", path, err)
	}
	return &n, nil
}

// Save writes the file atomically.
func (n *Network) Save(path string) error {
	if err := n.Validate(); err != nil {
		return err
	}
	b, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	head := "# Trust roots of a digital spine network. Public: every system of the network has a copy.\n"
	return WriteFile(path, append([]byte(head), b...), 0o644)
}

// Validate checks shapes and bounds. URLs may be empty while a network is set up.
func (n *Network) Validate() error {
	if err := n.Contracts.Validate(); err != nil {
		return err
	}
	switch {
	case n.ChainID == 0:
		return errors.New("chain_id is missing")
	case n.Root == "":
		return errors.New("root is missing")
	case n.RetentionMS < 60_000:
		return errors.New("retention_ms is below a minute")
	case n.StatusTTLMS < 1_000:
		return errors.New("status_ttl_ms is below a second")
	case n.Wire < MinWire || n.Wire > MaxWire:
		return fmt.Errorf("wire is not within %d..%d", MinWire, MaxWire)
	case n.Cap < 100:
		return errors.New("cap is below 100")
	case n.FileMax < 0 || n.FileMax > MaxFileMax:
		return fmt.Errorf("file_max is not within 0..%d", int64(MaxFileMax))
	}
	for _, u := range []struct{ key, value string }{{"hub", n.Hub}, {"broker", n.Broker}, {"nats", n.NATS}} {
		if u.value == "" {
			continue
		}
		p, err := url.Parse(u.value)
		if err != nil || p.Host == "" || strings.HasSuffix(u.value, "/") {
			return fmt.Errorf("%s: not a base URL without trailing slash", u.key)
		}
		if err := loopbackOrTLS(p); err != nil {
			return fmt.Errorf("%s: %w", u.key, err)
		}
	}
	return nil
}

// CheckURL refuses a URL, such as one that a server told, that would be called
// in plain text beyond loopback.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return errors.New("not a URL with a host") // its text may hold a token
	}
	return loopbackOrTLS(u)
}

// loopbackOrTLS refuses plain text beyond loopback.
func loopbackOrTLS(u *url.URL) error {
	switch u.Scheme {
	case "https", "tls", "wss":
		return nil
	}
	h := u.Hostname()
	// Only an address says where it leads; a name that begins like one may lead anywhere.
	if ip := net.ParseIP(h); h == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("beyond loopback only with TLS")
}

// WriteFile writes a file so that a crash leaves the old or the new one whole.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Ready is what a system writes to <data>/ready.json when it can be used.
type Ready struct {
	System string            `json:"system"`
	PID    int               `json:"pid"`
	URL    string            `json:"url"`
	Extra  map[string]string `json:"extra,omitempty"`
}

// Write writes the file into the data folder.
func (r Ready) Write(data string) error {
	r.PID = os.Getpid()
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(data, "ready.json"), b, 0o600)
}
