// Command spine is the whole of a digital spine in one binary: a subcommand for
// each system (chain, hub, broker, gateway, participant), demo to run them all
// in one process, and tools to look at DIDs, names, schemas and messages.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/internal/problem"
)

// cli is every command of the binary. A command is a struct in a file of its
// own with a method Run(*app) error.
type cli struct {
	JSON bool `name:"json" help:"Print results as JSON, one object on one line."`

	Demo        demoCmd        `cmd:"" help:"A whole spine and a market on it, in one process."`
	Chain       chainCmd       `cmd:"" help:"Run the development chain, or put the contracts on any chain."`
	Hub         hubCmd         `cmd:"" help:"Run an SSI-Hub: names, DIDs, roles, credentials."`
	Broker      brokerCmd      `cmd:"" help:"Run a message broker."`
	Gateway     gatewayCmd     `cmd:"" help:"Run a client gateway, a participant's own node."`
	Participant participantCmd `cmd:"" help:"Run one party of the sample market."`
	DID         didCmd         `cmd:"" name:"did" help:"Look at DIDs."`
	ENS         ensCmd         `cmd:"" name:"ens" help:"Look at names and roles."`
	Send        sendCmd        `cmd:"" help:"Send a message through a gateway."`
	Receive     receiveCmd     `cmd:"" help:"Receive messages from a gateway."`
	Status      statusCmd      `cmd:"" help:"What became of a message."`
	Link        linkCmd        `cmd:"" help:"Print a link that opens a gateway's console."`
	Context     contextCmd     `cmd:"" help:"Keep named gateways and their API keys."`
	Schema      schemaCmd      `cmd:"" help:"Check documents against schemas."`
	Bench       benchCmd       `cmd:"" help:"Measure this machine: JetStream alone beside a whole spine."`
	Inspect     inspectCmd     `cmd:"" help:"Print a structure of the protocol readably."`
	Config      configCmd      `cmd:"" help:"Example configurations."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// app is what a command gets: where to print, whether as JSON, and a context
// that ends at Ctrl-C or SIGTERM.
type app struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	json   bool
}

// print writes v as one line of JSON with --json, else the text.
func (a *app) print(v any, format string, args ...any) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(v)
	}
	_, err := fmt.Fprintf(a.stdout, format, args...)
	return err
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main without the process, for tests. It returns the exit status:
// 0 done, 1 failed, 2 not understood, 130 told to stop before it was done.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go obey(ctx, signals, clockwork.NewRealClock(), stop, func() { os.Exit(interrupted) })
	a := &app{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("spine"),
		kong.Description("A digital spine: exchange data in electricity markets without trusting the party in the middle.\n\nStart with: spine demo"),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Bind(a),
	)
	if err != nil {
		fmt.Fprintln(stderr, "spine:", err)
		return 2
	}
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help": // spine help send is spine send --help
		args = append(args[1:len(args):len(args)], "--help")
	case args[0] == "--version":
		args = append([]string{"version"}, args[1:]...)
	}
	kctx, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(stderr, "spine: %v\nTry: %s --help\n", err, asked(err))
		return 2
	}
	a.json = c.JSON
	if err := kctx.Run(a); err != nil {
		return a.fail(err)
	}
	return 0
}

// asked is the command that could not be understood, as far as it was.
func asked(err error) string {
	var e *kong.ParseError
	if errors.As(err, &e) && e.Context != nil {
		for i := len(e.Context.Path) - 1; i >= 0; i-- {
			if n := e.Context.Path[i].Node(); n != nil {
				return n.FullPath()
			}
		}
	}
	return "spine"
}

// obey stops at the first signal. Whoever presses Ctrl-C again after that does
// not want to wait, and what was acknowledged is on disk: quit. A signal that
// comes twice at once is one request (a terminal's whole group gets it, and so
// does whom timeout(1) runs), and a SIGTERM is never impatient: who sends it has
// SIGKILL. It returns when ctx ends by itself.
func obey(ctx context.Context, signals <-chan os.Signal, clock clockwork.Clock, stop, quit func()) {
	select {
	case <-ctx.Done():
		return
	case <-signals:
	}
	first := clock.Now()
	stop()
	for s := range signals {
		if s == os.Interrupt && clock.Since(first) >= sameRequest {
			quit()
			return
		}
	}
}

// sameRequest is how long after a signal another one says the same.
const sameRequest = 250 * time.Millisecond

// interrupted is the exit status of a command that was told to stop before it
// was done, as shells know it of Ctrl-C.
const interrupted = 130

// fail prints an error with its code and hint and returns the exit status.
func (a *app) fail(err error) int {
	var quiet *exitError
	if errors.As(err, &quiet) {
		return quiet.status
	}
	if a.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.stderr, "spine: stopped")
		return interrupted
	}
	p := problem.From(err)
	msg, hint := err.Error(), hintOf(err, p)
	if a.json {
		out := map[string]any{"code": p.Code, "error": msg, "hint": hint}
		for _, k := range []string{"pointer", "keyword"} { // where a document is at fault
			if v, ok := p.Details[k]; ok {
				out[k] = v
			}
		}
		_ = json.NewEncoder(a.stderr).Encode(out)
		return 1
	}
	if at, ok := p.Details["pointer"].(string); ok && at != "" {
		msg += ", at " + at
	}
	for line := range strings.SplitSeq(msg, "\n") { // several that were joined
		fmt.Fprintln(a.stderr, "spine:", printable(line))
	}
	if hint != "" {
		fmt.Fprintln(a.stderr, "hint:", printable(hint))
	}
	return 1
}

// exitError ends the process with a status after everything was said.
type exitError struct{ status int }

// Error implements error.
func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.status) }
