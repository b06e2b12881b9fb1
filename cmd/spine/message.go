package main

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// maxBody bounds the body that send reads, in bytes; the gateway's own limit is
// lower and says so.
const maxBody = 1 << 20

type sendCmd struct {
	gatewayFlags
	Channel string   `required:"" help:"Channel to send on." placeholder:"NAME"`
	To      []string `help:"Recipient, again for several; by default everybody whom the channel admits." placeholder:"DID" sep:"none"`
	Type    string   `help:"Media type of the body, application/json by default." placeholder:"TYPE"`
	Re      string   `help:"Id of the message that this one answers." placeholder:"ID"`
	Corr    string   `help:"Correlation id, the application's own." placeholder:"TEXT"`
	Key     string   `help:"Idempotency key: sent again with the same key, it is still one message." placeholder:"KEY"`
	File    string   `help:"Send this file, of any size; its upload goes on where it was after an interruption." placeholder:"FILE" xor:"body"`
	From    string   `name:"body-file" help:"File with the body, JSON, in place of BODY." placeholder:"FILE" xor:"body"`
	Body    string   `arg:"" optional:"" help:"Body, JSON; - reads it from standard input."`
}

// Help is shown by spine send --help.
func (sendCmd) Help() string {
	return `Hands one message to a gateway, which seals it for each recipient. The answer is
the message's id and its state, "accepted" (with the broker) or "waiting" (kept
at the gateway until it can go); it is not lost in either. spine status ID tells
what became of it. With --file the file's content is sent, sealed in parts.

Example:

    spine send --endpoints spine.json --as aggregator --channel hello \
      --to marketoperator '{"n":1}'
    spine send --context work --channel models --file model.csv
` + gatewayHelp
}

// Run sends one message.
func (c *sendCmd) Run(a *app) error {
	var body []byte
	var err error
	if c.File != "" && c.Body != "" {
		return problem.New(400, "arguments", "there is a file and a body").WithHint("a file is sent with --file alone; a JSON body that lies in a file with --body-file")
	}
	if c.File == "" {
		if body, err = c.body(a); err != nil {
			return err
		}
	}
	t, err := c.target()
	if err != nil {
		return err
	}
	d := gateway.Draft{Channel: c.Channel, Body: body, Type: c.Type, Re: c.Re, Corr: c.Corr, IdempotencyKey: c.Key}
	for _, who := range c.To {
		did, err := t.did(who)
		if err != nil {
			return err
		}
		d.To = append(d.To, did)
	}
	if c.File != "" {
		return c.sendFile(a, t, d)
	}
	sent, err := t.client().Send(a.ctx, d)
	if err != nil {
		return elsewhere(a.ctx, t, err)
	}
	return a.print(sent, "%s  %s\n", sent.ID, sent.State)
}

// body returns the message's body, one JSON document.
func (c *sendCmd) body(a *app) ([]byte, error) {
	var body []byte
	var err error
	switch {
	case c.From != "" && c.Body != "":
		return nil, problem.New(400, "arguments", "the body is given twice: --body-file and BODY")
	case c.From != "":
		body, err = a.read(c.From, maxBody)
	case c.Body == "-":
		body, err = a.read("-", maxBody)
	case c.Body == "":
		return nil, problem.New(400, "body_empty", "the message has no body").WithHint(`give it as JSON, such as '{"n":1}', with --body-file FILE, or - to read standard input; a file of any kind goes with --file`)
	default:
		body = []byte(c.Body)
	}
	if err != nil {
		return nil, err
	}
	if (c.Body == "-" || c.From != "") && len(bytes.TrimSpace(body)) == 0 {
		return nil, problem.New(400, "body_empty", "there is nothing in "+cmp.Or(c.From, "standard input"))
	}
	if err := schema.CheckJSON(body, schema.Limits{}); err != nil {
		code, hint := problem.CodeOf(err), `quote it for the shell, such as '{"n":1}'; a text is JSON in double quotes: '"hello"'`
		if c.From != "" || c.Body == "-" {
			hint = "look for a missing comma, quote or bracket; a file of any kind goes with --file"
		}
		return nil, problem.New(400, code, "the body is not one JSON document: "+strings.TrimPrefix(err.Error(), code+": ")).WithHint(hint)
	}
	return body, nil
}

type statusCmd struct {
	gatewayFlags
	ID   string        `arg:"" help:"Id of a message that was sent."`
	Wait time.Duration `help:"Wait until every recipient confirmed or refused, at most this long; the exit status is then 1 unless all confirmed." placeholder:"TIME"`
}

// Help is shown by spine status --help.
func (statusCmd) Help() string {
	return `Tells what became of a message, for each recipient: waiting (not with the broker
yet), accepted (with the broker), delivered or refused (by the recipient's
signed receipt), unconfirmed (no receipt after 15 minutes), undelivered.

Example:

    spine status --context work --wait 10s 01a1fe30-9351-7523-9cdb-6a3e6c7e6307
` + gatewayHelp
}

// statusEvery is how often status --wait asks.
const statusEvery = 100 * time.Millisecond

// Run prints the status of one message.
func (c *statusCmd) Run(a *app) error {
	if !gateway.ValidID(c.ID) {
		return problem.New(400, "arguments", "the id of a message is a UUID in lower case").
			WithHint("spine send prints it first, such as 01a1fe30-9351-7523-9cdb-6a3e6c7e6307")
	}
	t, err := c.target()
	if err != nil {
		return err
	}
	gw, end := t.client(), time.Now().Add(c.Wait)
	s, err := gw.Status(a.ctx, c.ID)
	for err == nil && open(s.State) && time.Now().Before(end) {
		select {
		case <-a.ctx.Done():
			end = time.Time{}
			continue
		case <-time.After(statusEvery):
		}
		s, err = gw.Status(a.ctx, c.ID)
	}
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%s  %s  %s", s.ID, s.State, s.Code), " "))
	for _, r := range s.Recipients {
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %s/%d  %s  %s", printable(r.DID), r.Inst, r.State, printable(r.Code)), " "))
	}
	if err := a.print(s, "%s", b.String()); err != nil {
		return err
	}
	if c.Wait > 0 && s.State != gateway.StateDelivered {
		return &exitError{1}
	}
	return nil
}

// open reports whether more may become known about a message soon.
func open(s gateway.State) bool { return s == gateway.StateWaiting || s == gateway.StateAccepted }
