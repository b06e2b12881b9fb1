package processes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"gopkg.in/yaml.v3"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/evm/devchain"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/participant/market"
)

// Market is a spine and the sample market on it, in nine processes below one
// folder: chain, hub, broker, three gateways, three participants. They share
// the network file, as every participant of a network does, and nothing else.
type Market struct {
	Dir     string
	Network string // file
	Devices int

	Chain, Hub, Broker     *Process
	Gateways, Participants map[string]*Process       // by party
	URLs                   map[string]string         // of the gateways, by party
	Clients                map[string]*client.Client // with the first API key
	DIDs                   map[string]string         // DID -> party

	t testing.TB
}

// anyPort is the address of every server: a free port at the first start, the
// same at the next.
const anyPort = "127.0.0.1:0"

// StartMarket starts the six servers and sets the market up through their
// public interfaces. The participants are described, not started.
func StartMarket(ctx context.Context, t testing.TB, devices int) *Market {
	t.Helper()
	m := &Market{Dir: t.TempDir(), Devices: devices, t: t,
		Gateways: make(map[string]*Process), Participants: make(map[string]*Process),
		URLs: make(map[string]string), Clients: make(map[string]*client.Client), DIDs: make(map[string]string)}
	m.Network = filepath.Join(m.Dir, "network.yaml")

	m.Chain = m.process("chain", m.data("chain"), &devchain.Config{DataDir: m.data("chain"), Listen: anyPort, ChainID: devchain.DefaultChainID,
		Init: devchain.Init{Network: m.Network, Name: "test"}})
	rpc := m.start(ctx, m.Chain).URL

	m.Hub = m.process("hub", m.data("hub"), &hub.Config{Data: m.data("hub"), Listen: anyPort, Network: m.Network, RPC: rpc, MaxBody: 262_144})
	b := &broker.Config{Data: m.data("broker"), Listen: anyPort, Network: m.Network, RPC: rpc}
	b.NATS.Listen = anyPort
	m.Broker = m.process("broker", m.data("broker"), b)
	hubAt, brokerAt := m.start(ctx, m.Hub), m.start(ctx, m.Broker)

	// The servers' addresses are part of what the network's members share.
	n, err := config.LoadNetwork(m.Network)
	m.check(err)
	n.Hub, n.Broker, n.NATS = hubAt.URL, brokerAt.URL, brokerAt.Extra["nats"]
	m.check(n.Save(m.Network))

	for _, party := range market.Parties {
		data := m.data("gateway-" + party)
		g := m.process("gateway-"+party, data, &gateway.Config{Name: party, Data: data, Listen: anyPort, Network: m.Network, RPC: rpc, OutboxMax: 1_000_000, Poll: 250 * time.Millisecond})
		m.Gateways[party] = g
		m.check(g.Start())
	}
	for _, party := range market.Parties {
		g := m.Gateways[party]
		r, err := g.Ready(ctx)
		m.check(err)
		key := filepath.Join(g.Data, "api.key")
		text, err := os.ReadFile(key)
		m.check(err)
		m.URLs[party] = r.URL
		m.Clients[party] = client.New(r.URL, strings.TrimSpace(string(text)))
		m.DIDs[r.Extra["did"]] = party
		data := m.data("participant-" + party)
		m.Participants[party] = m.process("participant-"+party, data, &market.Config{Party: party, Gateway: r.URL, APIKeyFile: key, Data: data,
			Devices: devices, Seed: 1, Every: 200 * time.Millisecond})
	}
	root, err := os.ReadFile(filepath.Join(m.Chain.Data, devchain.FaucetFile))
	m.check(err)
	faucet, err := crypto.HexToECDSA(strings.TrimSpace(string(root)))
	m.check(err)
	setup, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	m.check(market.Setup(setup, market.Chain{RPC: rpc, Contracts: n.Contracts, Root: faucet}, m.Clients))
	return m
}

func (m *Market) data(name string) string { return filepath.Join(m.Dir, name) }

func (m *Market) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// process writes a system's configuration file and describes its process.
func (m *Market) process(name, data string, cfg any) *Process {
	m.t.Helper()
	file := filepath.Join(m.Dir, name+".yaml")
	m.check(configure(file, cfg))
	system, _, _ := strings.Cut(name, "-")
	return NewProcess(m.t, name, data, filepath.Join(m.Dir, name+".log"), system, "--config", file)
}

func configure(file string, cfg any) error {
	b, err := yaml.Marshal(cfg)
	if err != nil {
		return err
	}
	return config.WriteFile(file, b, 0o600)
}

func (m *Market) start(ctx context.Context, p *Process) config.Ready {
	m.t.Helper()
	m.check(p.Start())
	r, err := p.Ready(ctx)
	m.check(err)
	return r
}

// All returns the nine processes.
func (m *Market) All() []*Process {
	all := []*Process{m.Chain, m.Hub, m.Broker}
	for _, party := range market.Parties {
		all = append(all, m.Gateways[party])
	}
	for _, party := range market.Parties {
		all = append(all, m.Participants[party])
	}
	return all
}

// Trade starts the participants for rounds 1 to rounds, 0 for as many as they
// come to. Participants that run are stopped first; they go on with the round
// they were in.
func (m *Market) Trade(ctx context.Context, rounds int) {
	m.t.Helper()
	for _, party := range market.Parties {
		p := m.Participants[party]
		if p.Running() {
			m.check(p.Stop(ctx))
		}
		file := p.Args[len(p.Args)-1]
		b, err := os.ReadFile(file)
		m.check(err)
		var cfg market.Config
		m.check(yaml.Unmarshal(b, &cfg))
		cfg.Rounds = rounds
		m.check(configure(file, &cfg))
		m.check(p.Start())
	}
}

// Rounds returns how many rounds a party has done.
func (m *Market) Rounds(party string) (n int) {
	if b, err := os.ReadFile(filepath.Join(m.Participants[party].Data, "round")); err == nil {
		fmt.Sscan(string(b), &n)
	}
	return n
}

// Ledgers are the files of the participants' ledgers, by party.
func (m *Market) Ledgers() map[string]string {
	files := make(map[string]string)
	for party, p := range m.Participants {
		files[party] = filepath.Join(p.Data, "ledger.jsonl")
	}
	return files
}
