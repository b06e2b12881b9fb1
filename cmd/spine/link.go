package main

import (
	"net/url"
	"time"

	"github.com/digital-spine/spine/gateway"
)

type linkCmd struct {
	gatewayFlags
	Scope []string `help:"What the session may be used for, again for several: send, receive, admin. By default everything." placeholder:"SCOPE" enum:"send,receive,admin"`
	For   string   `help:"Whom the link is for, shown in the console." placeholder:"NAME"`
}

// Help is shown by spine link --help.
func (linkCmd) Help() string {
	return `Prints a link that opens a gateway's console in a browser. Whoever follows it
first is signed in, so it works once, within ten minutes. The session ends 30
minutes after the last click, after 12 hours, or when you sign out.

Example:

    spine link --endpoints spine.json --as aggregator
    spine link --scope receive --for "control room"
` + gatewayHelp
}

// Run makes a link.
func (c *linkCmd) Run(a *app) error {
	t, err := c.target()
	if err != nil {
		return err
	}
	l, err := t.client().Link(a.ctx, c.Scope, c.For)
	if err != nil {
		return err
	}
	// The address that this command reached the gateway at is the one that is
	// known to work from here; behind a proxy the gateway sees another.
	if u, err := url.Parse(l.URL); err == nil {
		l.URL = t.URL + u.RequestURI()
	}
	out := gateway.Link{URL: l.URL, Token: l.Token, Expires: l.Expires}
	return a.print(out, "%s\nIt works once, until %s.\n", l.URL, time.UnixMilli(l.Expires).Format("15:04:05"))
}
