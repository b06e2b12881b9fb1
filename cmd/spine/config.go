package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/evm/devchain"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/participant/market"
)

type configCmd struct {
	Write configWriteCmd `cmd:"" help:"Write the commented example configuration of every system."`
}

type configWriteCmd struct {
	Dir string `arg:"" help:"Folder to write to; files of these names are replaced."`
}

// Help is shown by spine config write --help.
func (configWriteCmd) Help() string {
	return `Writes chain.yaml, hub.yaml, broker.yaml, gateway.yaml and participant.yaml: every
key with its default and what it is for. Each loads as it is; the same text of
one system is printed by --example, such as spine gateway --example.

Example:

    spine config write /etc/spine
`
}

// systems are the configurations of all systems, by command.
func systems() []struct {
	name string
	cfg  any
} {
	return []struct {
		name string
		cfg  any
	}{
		{"chain", &devchain.Config{}}, {"hub", &hub.Config{}}, {"broker", &broker.Config{}},
		{"gateway", &gateway.Config{}}, {"participant", &market.Config{}},
	}
}

// Run writes the examples.
func (c *configWriteCmd) Run(a *app) error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	for _, s := range systems() {
		file := filepath.Join(c.Dir, s.name+".yaml")
		if err := config.WriteFile(file, []byte(config.Example(s.name, s.cfg)), 0o644); err != nil {
			return err
		}
		if err := a.print(map[string]string{"system": s.name, "file": file}, "%s\n", file); err != nil {
			return err
		}
	}
	return nil
}
