package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

type receiveCmd struct {
	gatewayFlags
	Channel  string        `help:"Channel to receive from, by default all." placeholder:"NAME"`
	Consumer string        `help:"Name of the consumer; each gets every message once." placeholder:"NAME"`
	Max      int           `help:"End after this many messages; by default after those that are there, up to 100." placeholder:"N"`
	Wait     time.Duration `default:"10s" help:"How long to wait for a first message, up to 60s."`
	Follow   bool          `short:"f" help:"Go on until Ctrl-C, or until --max messages."`
	Out      string        `help:"Save files that come with messages in this folder; nothing there is overwritten." placeholder:"DIR" type:"path"`
	NoAck    bool          `name:"no-ack" help:"Do not acknowledge: the messages come again, marked."`

	out  *os.Root
	lost int // messages whose file was gone
}

// Help is shown by spine receive --help.
func (receiveCmd) Help() string {
	return `Takes messages from a gateway, which has opened and checked them, prints one
line each, and acknowledges them once they are printed. With --json the whole
message is printed, its checks included. A message that was not acknowledged
comes again after a while to the same consumer, marked as redelivered.

Example:

    spine receive --endpoints spine.json --as marketoperator --channel hello
    spine receive --channel hello --follow --json | jq .body
    spine receive --channel models --out ./received

With --out a message is acknowledged once its file is complete on disk and its
hash is that of the message; a download that broke off goes on where it was.
A message whose file is no longer at the gateway is printed with lost=file_unknown
and acknowledged, since the file does not come back; the exit status is 1 then.
` + gatewayHelp
}

// How receive pulls.
const (
	pullMax    = 100              // messages of one pull
	pullWait   = 20 * time.Second // one wait of --follow
	waitMax    = time.Minute      // what a gateway allows
	retryAfter = time.Second      // of --follow, when the gateway is away
	lineBody   = 400              // bytes of a body on a line for people
)

// errLost ends a run in which files were gone.
var errLost = problem.New(404, "file_unknown", "the files of some messages are no longer at the gateway").
	WithHint("these messages are printed with lost; have their files sent again")

// Run receives messages.
func (c *receiveCmd) Run(a *app) error {
	err := c.receive(a)
	if err == nil && c.lost > 0 {
		return errLost.With("messages", c.lost)
	}
	return err
}

func (c *receiveCmd) receive(a *app) error {
	if c.Max < 0 || c.Wait < 0 || c.Wait > waitMax {
		return problem.New(400, "arguments", "--max is a number from 1, --wait a time up to 60s").WithHint("to wait for longer: --follow")
	}
	t, err := c.target()
	if err != nil {
		return err
	}
	gw, seen, away, answered := t.client(), 0, false, false
	if err := c.openOut(); err != nil {
		return err
	}
	if c.out != nil {
		if err := goOn(a.ctx, gw, c.out, func(name string) *bar { return newBar(a.stderr, name) }); err != nil {
			return err
		}
	}
	for {
		list, err := gw.Receive(a.ctx, c.pull(seen))
		switch {
		case a.ctx.Err() != nil && c.Follow:
			return nil
		case err == nil:
			away, answered = false, true
		case c.Follow && answered && problem.CodeOf(err) == "unreachable":
			// A gateway that was there is being started again.
			if !away {
				fmt.Fprintln(a.stderr, "spine: the gateway is away, waiting for it")
			}
			away = true
			select {
			case <-a.ctx.Done():
			case <-time.After(retryAfter):
			}
			continue
		default:
			return elsewhere(a.ctx, t, err)
		}
		if err := c.hand(a, gw, list); err != nil {
			return err
		}
		seen += len(list)
		switch {
		case c.Max > 0 && seen >= c.Max:
			return nil
		case c.Follow:
		case seen == 0 && !a.json:
			fmt.Fprintln(a.stderr, "no messages")
			return nil
		case len(list) == 0 || c.Max == 0 && seen >= pullMax:
			return nil
		}
	}
}

// pull returns the parameters of the next pull after seen messages.
func (c *receiveCmd) pull(seen int) client.Receive {
	r := client.Receive{Channel: c.Channel, Consumer: c.Consumer, Max: pullMax, Wait: c.Wait}
	if c.Max > 0 {
		r.Max = min(pullMax, c.Max-seen)
	}
	switch {
	case c.Follow:
		r.Wait = pullWait
	case seen > 0:
		r.Wait = 0
	}
	return r
}

// openOut opens the folder for files; nothing is ever saved outside of it.
func (c *receiveCmd) openOut() error {
	if c.Out == "" {
		return nil
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return problem.New(400, "file", "the folder for files cannot be made").Wrap(err)
	}
	var err error
	if c.out, err = os.OpenRoot(c.Out); err != nil {
		return problem.New(400, "file", "the folder for files cannot be opened").Wrap(err)
	}
	return nil
}

// received is a message as it is printed; Saved is the name of its file in the
// folder of --out, Lost the code of why there is none.
type received struct {
	*gateway.Message
	Saved string `json:"saved,omitempty"`
	Lost  string `json:"lost,omitempty"`
}

// hand saves files, prints messages and then acknowledges them: one that could
// not be saved or printed comes again.
func (c *receiveCmd) hand(a *app, gw *client.Client, list []gateway.Message) error {
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	lines.SetEscapeHTML(false)
	tokens := make([]string, 0, len(list))
	var failed error
	for i := range list {
		m := received{Message: &list[i]}
		if m.File != nil && c.out != nil {
			bar := newBar(a.stderr, m.File.Name)
			m.Saved, failed = fetchFile(a.ctx, gw, c.out, m.File, bar.show)
			bar.end()
			if problem.CodeOf(failed) == errLost.Code {
				// It does not come back: kept, the message would fail every run
				// and hold up those behind it.
				m.Lost, failed = errLost.Code, nil
				c.lost++
			}
			if failed != nil {
				break // those before it are done with
			}
		}
		if a.json {
			if err := lines.Encode(m); err != nil {
				return fmt.Errorf("print message: %w", err)
			}
		} else {
			fmt.Fprintln(&out, messageLine(&m))
		}
		tokens = append(tokens, m.Ack)
	}
	if _, err := a.stdout.Write(out.Bytes()); err != nil {
		return fmt.Errorf("print messages: %w", err)
	}
	if !c.NoAck && len(tokens) > 0 {
		if err := gw.Ack(a.ctx, tokens...); err != nil {
			return fmt.Errorf("the messages are printed but not acknowledged, they will come again: %w", err)
		}
	}
	return failed
}

// messageLine is a message for people: when, where, from whom, what, and what
// is known about it. Nothing in it can steer a terminal.
func messageLine(m *received) string {
	body := m.Body
	var compact bytes.Buffer
	switch {
	case m.File != nil:
		body = fmt.Appendf(nil, "file %q, %d bytes", m.File.Name, m.File.Size)
	case json.Compact(&compact, body) == nil:
		body = compact.Bytes()
	}
	fields := []string{time.UnixMilli(m.At).Format("2006-01-02 15:04:05"), printable(m.Channel), printable(m.From), clip(printable(string(body)), lineBody)}
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, name+"="+printable(value))
		}
	}
	add("id", m.ID)
	add("re", m.Re)
	add("corr", m.Corr)
	if m.Type != gateway.TypeJSON {
		add("type", m.Type)
	}
	if m.File != nil {
		add("sha256", m.File.SHA256)
		add("saved", m.Saved)
		add("lost", m.Lost)
	}
	good := 0
	for name, result := range m.Checks {
		if result == "ok" {
			good++
		} else {
			add("unchecked", name)
		}
	}
	add("checks", fmt.Sprintf("%d/%d", good, len(m.Checks)))
	if m.Redelivered {
		fields = append(fields, "redelivered")
	}
	if m.Late {
		fields = append(fields, "late")
	}
	return strings.Join(fields, "  ")
}
