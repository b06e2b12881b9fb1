package console

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/console/form"
	"github.com/digital-spine/spine/gateway"
)

// quote makes a text one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// literal makes a text a Go string.
func literal(s string) string {
	if strconv.CanBackquote(s) && strings.ContainsAny(s, `"\`) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

// auth is how a command shows its key, which never stands in a page.
const auth = `-H "Authorization: Bearer $SPINE_API_KEY"`

// compact returns JSON without white space.
func compact(doc json.RawMessage) string {
	v, err := form.ParseJSON(doc)
	if err != nil {
		return string(doc)
	}
	return form.Text(v)
}

// sendSnippets says how to send a draft.
func sendSnippets(base string, d gateway.Draft) []components.Snippet {
	body := compact(d.Body)
	d.Body = json.RawMessage(body)
	doc, err := json.Marshal(d)
	if err != nil {
		return nil
	}
	to, cli := "", ""
	for _, did := range d.To {
		to += "\tTo:      []string{" + literal(did) + "},\n"
		cli += " --to " + quote(did)
	}
	if d.Re != "" {
		to += "\tRe:      " + literal(d.Re) + ",\n"
		cli += " --re " + d.Re
	}
	return []components.Snippet{
		{Name: "curl", Code: fmt.Sprintf("curl %s/api/v1/messages \\\n  %s \\\n  -H 'Content-Type: application/json' \\\n  -d %s", base, auth, quote(string(doc)))},
		{Name: "Go", Code: fmt.Sprintf("gw := client.New(%s, os.Getenv(\"SPINE_API_KEY\"))\nsent, err := gw.Send(ctx, gateway.Draft{\n\tChannel: %s,\n%s\tBody:    json.RawMessage(%s),\n})",
			literal(base), literal(d.Channel), to, literal(body))},
		{Name: "spine", Code: fmt.Sprintf("export SPINE_URL=%s\nspine send --channel %s%s %s", base, quote(d.Channel), cli, quote(body))},
	}
}

// channelSnippets says how to use a channel.
func channelSnippets(base string, ch *gateway.Channel, sample string) []components.Snippet {
	var out []components.Snippet
	var curl, golang, cli []string
	if ch.Receive != nil {
		curl = append(curl, fmt.Sprintf("# receive: wait up to 10 s for the next messages\ncurl '%s/api/v1/messages?channel=%s&wait=10s' \\\n  %s", base, ch.Name, auth))
		golang = append(golang, fmt.Sprintf("gw := client.New(%s, os.Getenv(\"SPINE_API_KEY\"))\nstream, err := gw.Stream(ctx, client.Receive{Channel: %s})\nfor {\n\tm, err := stream.Next(ctx)\n\tif err != nil {\n\t\treturn err\n\t}\n\t// m.From is proved, m.Body fits the topic's schema.\n\tif err := stream.Ack(ctx, m.Ack); err != nil {\n\t\treturn err\n\t}\n}", literal(base), literal(ch.Name)))
		cli = append(cli, fmt.Sprintf("export SPINE_URL=%s\nspine receive --channel %s --follow --json", base, quote(ch.Name)))
	}
	if ch.Send != nil {
		s := sendSnippets(base, gateway.Draft{Channel: ch.Name, Body: json.RawMessage(sample)})
		if len(s) == 3 {
			curl, golang, cli = append(curl, "# send to everybody whom the channel admits\n"+s[0].Code), append(golang, s[1].Code), append(cli, s[2].Code)
		}
	}
	for _, l := range []struct {
		name  string
		parts []string
	}{{"curl", curl}, {"Go", golang}, {"spine", cli}} {
		out = append(out, components.Snippet{Name: l.name, Code: strings.Join(l.parts, "\n\n")})
	}
	return out
}

// traceSnippets says how to ask for what a message's page shows, and how to
// send it again.
func traceSnippets(base, direction, id string, t *gateway.Trace) []components.Snippet {
	out := []components.Snippet{{Name: "curl", Code: fmt.Sprintf("curl %s/api/v1/log/%s/%s \\\n  %s", base, direction, id, auth)}}
	out = append(out, components.Snippet{Name: "Go", Code: fmt.Sprintf("gw := client.New(%s, os.Getenv(\"SPINE_API_KEY\"))\ntrace, err := gw.Trace(ctx, %s, %s)", literal(base), literal(direction), literal(id))})
	cli := fmt.Sprintf("export SPINE_URL=%s\nspine status %s", base, id)
	if direction == gateway.In {
		cli = fmt.Sprintf("export SPINE_URL=%s\nspine receive --channel %s --json", base, quote(t.Channel))
	}
	return append(out, components.Snippet{Name: "spine", Code: cli})
}

// fileSnippets says how to take a file.
func fileSnippets(base, id, name string) []components.Snippet {
	if name == "" {
		name = "file"
	}
	return []components.Snippet{
		{Name: "curl", Code: fmt.Sprintf("curl %s/api/v1/files/%s/content \\\n  %s \\\n  -o %s", base, id, auth, quote(name))},
		{Name: "spine", Code: fmt.Sprintf("export SPINE_URL=%s\nspine receive --out .", base)},
	}
}
