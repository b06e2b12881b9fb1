package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/participant/market"
)

// serveFlags are the few flags that every system has beside its configuration.
type serveFlags struct {
	Config  string `help:"Configuration file (YAML)." placeholder:"FILE"`
	Data    string `help:"Data directory, in place of the configured one." placeholder:"DIR"`
	Listen  string `help:"Address to listen on, in place of the configured one." placeholder:"ADDR"`
	Network string `help:"Network file, in place of the configured one." placeholder:"FILE"`
	Example bool   `help:"Print a commented configuration file and end."`
	Verbose bool   `short:"v" help:"Log more."`
}

// load fills cfg, or prints the example and returns false.
func (f *serveFlags) load(a *app, name string, cfg any) (bool, error) {
	if f.Example {
		_, err := fmt.Fprint(a.stdout, config.Example(name, cfg))
		return false, err
	}
	return true, config.Load(name, f.Config, cfg)
}

// base makes the logger of a system's process.
func (f *serveFlags) base(a *app) system.Base {
	level := slog.LevelInfo
	if f.Verbose {
		level = slog.LevelDebug
	}
	return system.Base{Log: slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))}
}

// advise tells whoever starts a system without a configuration where one is.
func (f *serveFlags) advise(err error) error {
	if f.Config != "" || problem.CodeOf(err) != "internal" || hintOf(err, problem.From(err)) != "" {
		return err
	}
	return &advised{err, "--example prints a commented configuration to begin with, for --config FILE; each key is also a variable of the environment"}
}

// serve runs a system until the process is told to stop.
func serve[S system.System](a *app, f *serveFlags, make func(context.Context) (S, error)) error {
	s, err := make(a.ctx)
	if err != nil {
		return f.advise(err)
	}
	if err := a.print(map[string]string{"system": s.Name(), "url": s.URL()}, "%s at %s\n", s.Name(), s.URL()); err != nil {
		return errors.Join(err, s.Close())
	}
	return system.Serve(a.ctx, s, nil)
}

type hubCmd struct{ serveFlags }

// Run runs an SSI-Hub.
func (c *hubCmd) Run(a *app) error {
	var cfg hub.Config
	if ok, err := c.load(a, "hub", &cfg); !ok || err != nil {
		return err
	}
	override(&cfg.Data, c.Data)
	override(&cfg.Listen, c.Listen)
	override(&cfg.Network, c.Network)
	return serve(a, &c.serveFlags, func(ctx context.Context) (*system.Hub, error) { return system.NewHub(ctx, cfg, c.base(a)) })
}

type brokerCmd struct{ serveFlags }

// Run runs a message broker.
func (c *brokerCmd) Run(a *app) error {
	var cfg broker.Config
	if ok, err := c.load(a, "broker", &cfg); !ok || err != nil {
		return err
	}
	override(&cfg.Data, c.Data)
	override(&cfg.Listen, c.Listen)
	override(&cfg.Network, c.Network)
	return serve(a, &c.serveFlags, func(ctx context.Context) (*system.Broker, error) { return system.NewBroker(ctx, cfg, c.base(a)) })
}

type gatewayCmd struct{ serveFlags }

// Run runs a client gateway.
func (c *gatewayCmd) Run(a *app) error {
	var cfg gateway.Config
	if ok, err := c.load(a, "gateway", &cfg); !ok || err != nil {
		return err
	}
	override(&cfg.Data, c.Data)
	override(&cfg.Listen, c.Listen)
	override(&cfg.Network, c.Network)
	return serve(a, &c.serveFlags, func(ctx context.Context) (*system.Gateway, error) { return system.NewGateway(ctx, cfg, c.base(a)) })
}

type participantCmd struct {
	Config  string `help:"Configuration file (YAML)." placeholder:"FILE"`
	Data    string `help:"Data directory, in place of the configured one." placeholder:"DIR"`
	Example bool   `help:"Print a commented configuration file and end."`
}

// Run runs one party of the sample market.
func (c *participantCmd) Run(a *app) error {
	var cfg market.Config
	f := serveFlags{Config: c.Config, Example: c.Example}
	if ok, err := f.load(a, "participant", &cfg); !ok || err != nil {
		return err
	}
	override(&cfg.Data, c.Data)
	p, err := market.Open(cfg, f.base(a).Log)
	if err != nil {
		return f.advise(err)
	}
	defer p.Ledger.Close()
	if err := a.print(map[string]string{"system": "participant", "party": cfg.Party, "gateway": cfg.Gateway}, "%s trades through %s\n", cfg.Party, cfg.Gateway); err != nil {
		return err
	}
	return p.Trade(a.ctx, cfg)
}
