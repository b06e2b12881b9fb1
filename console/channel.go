package console

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/console/form"
	"github.com/digital-spine/spine/console/pages"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// channels lists the channels.
func (c *Console) channels(v *visit) error {
	p := &pages.Channels{Frame: v.frame("Channels", "/channels", nil)}
	list, err := v.api.Channels(v.r.Context())
	p.Err = err
	lines := map[string]*pages.ChannelLine{}
	for _, ch := range list {
		lines[ch.Name] = &pages.ChannelLine{Channel: ch}
	}
	if o, err := v.api.Overview(v.r.Context(), 15); err != nil {
		p.Edges = err
	} else {
		p.Alarms = alarms(o)
		minutes := pages.Minutes(o)
		for _, e := range o.Edges {
			if l := lines[e.Channel]; l != nil {
				if e.Direction == gateway.In {
					l.In += float64(e.Count) / minutes
				} else {
					l.Out += float64(e.Count) / minutes
				}
				l.Last = max(l.Last, e.Last)
			}
		}
	}
	for _, ch := range list {
		p.List = append(p.List, *lines[ch.Name])
	}
	if v.part() == "list" {
		return v.show(http.StatusOK, pages.ChannelList(p))
	}
	return v.show(http.StatusOK, pages.ChannelsPage(p))
}

// tailed is how many messages a channel's page begins with.
const tailed = 15

// channel shows one channel.
func (c *Console) channel(v *visit) error {
	return c.channelWith(v, http.StatusOK, nil)
}

// channelWith shows a channel with a send box that was filled in, or a new one.
func (c *Console) channelWith(v *visit, status int, box *pages.SendBox) error {
	name := v.r.PathValue("name")
	p := &pages.Channel{Frame: v.frame(name, "/channels", &components.Crumb{Name: "Channels", Path: "/channels"})}
	ch, err := v.api.Channel(v.r.Context(), name)
	if err != nil {
		p.Err = err
		return v.show(problem.From(err).Status, pages.ChannelPage(p))
	}
	p.Channel = *ch
	p.Topic, p.TopicErr = v.api.ShowTopic(v.r.Context(), ch.Topic, ch.Version)
	if p.TopicErr != nil {
		p.Topic = nil
	}
	p.Members, p.Total, p.MembersErr = v.api.Members(v.r.Context(), name, maxListed)
	var list []gateway.Entry
	list, _, p.RecentErr = v.api.Log(v.r.Context(), client.LogFilter{Channel: name, Max: tailed})
	for _, e := range list {
		if t, err := v.api.Trace(v.r.Context(), e.Direction, e.ID); err == nil {
			p.Recent = append(p.Recent, traced(t))
		} else {
			p.Recent = append(p.Recent, pages.Row{Entry: e})
		}
	}
	sample := `{}`
	if ch.Send != nil {
		if box == nil {
			q := v.r.URL.Query()
			box = v.newBox(ch, p.Topic, p.TopicErr)
			box.Re, box.Audience = q.Get("re"), only(name, q["to"])
		}
		v.offerFrom(&box.Audience, p.Members, p.Total, p.MembersErr)
		p.Send = box
		if box.Raw != "" {
			sample = box.Raw
		}
	}
	p.Snippets = channelSnippets(v.base(), ch, sample)
	return v.show(status, pages.ChannelPage(p))
}

// newBox is a send box with a sample that fits the topic's schema.
func (v *visit) newBox(ch *gateway.Channel, t *client.TopicRecord, topicErr error) *pages.SendBox {
	b := &pages.SendBox{Audience: everybody(ch.Name), CSRF: v.session.CSRF, Mode: "form", Key: rand.Text()}
	s, err := schemaOf(t, topicErr)
	switch {
	case t != nil && t.Kind != "" && t.Kind != "json":
		b.NotJSON = true
		return b
	case err != nil:
		b.Mode, b.SchemaErr, b.Raw = "json", err, "{}"
		return b
	}
	b.Examples = len(s.Examples())
	b.Fill(s, s.Sample(form.Sampler{Now: time.Now()}))
	b.Snippets = sendSnippets(v.base(), gateway.Draft{Channel: ch.Name, To: b.To, Body: json.RawMessage(b.Raw)})
	return b
}

// schemaOf reads a topic's schema for a form.
func schemaOf(t *client.TopicRecord, err error) (*form.Schema, error) {
	if err != nil {
		return nil, err
	}
	s, err := form.Parse(t.Schema)
	if err != nil {
		return nil, problem.New(http.StatusUnprocessableEntity, "schema_invalid", "the topic's schema cannot be shown as a form").WithHint("enter the content as JSON").Wrap(err)
	}
	return s, nil
}

// send does what a button of the send box says: it sends, or shows the box
// again in another form.
func (c *Console) send(v *visit) error {
	in, name := v.r.PostForm, v.r.PathValue("name")
	ch, err := v.api.Channel(v.r.Context(), name)
	if err != nil {
		return err
	}
	topic, topicErr := v.api.ShowTopic(v.r.Context(), ch.Topic, ch.Version)
	s, schemaErr := schemaOf(topic, topicErr)
	b := &pages.SendBox{Audience: chosen(in), CSRF: v.session.CSRF, Re: in.Get("re"), Mode: in.Get("mode"), Raw: in.Get("raw"), Key: in.Get("key"), SchemaErr: schemaErr}
	b.Channel = name
	if b.Mode != "form" || s == nil {
		b.Mode = "json"
	}
	var doc any
	if b.Mode == "form" {
		doc = s.Decode(in)
		b.Raw = form.Indent(doc)
	} else if s != nil {
		doc, _ = form.ParseJSON([]byte(b.Raw))
	}
	status := http.StatusOK
	sampler := form.Sampler{Now: time.Now()}
	op, arg, _ := strings.Cut(in.Get("op"), ":")
	switch {
	case op == "json":
		b.Mode = "json"
	case s == nil && op != "send":
	case op == "form":
		b.Mode = "form"
		if doc == nil && strings.TrimSpace(b.Raw) != "" {
			b.Mode = "json"
			b.Problem = problem.New(http.StatusUnprocessableEntity, "json_syntax", "this is not JSON yet, so there is nothing to show as a form").WithHint("correct it, or fill in a sample")
		}
	case op == "sample":
		doc = s.Sample(sampler)
		b.Raw = form.Indent(doc)
	case op == "example":
		if i, err := strconv.Atoi(arg); err == nil && i >= 0 && i < len(s.Examples()) {
			doc = s.Examples()[i]
			b.Raw = form.Indent(doc)
		}
	case op == "add":
		doc = s.Grow(doc, arg, sampler)
	case op == "remove":
		doc = s.Shrink(doc, arg)
	default:
		body := json.RawMessage(b.Raw)
		if b.Mode == "form" {
			body = json.RawMessage(form.Text(doc))
		}
		status = v.deliver(b, body)
	}
	if s != nil {
		b.Examples = len(s.Examples())
		if b.Mode == "form" {
			b.Fill(s, doc)
			b.Blame()
		}
	}
	if b.Snippets == nil && json.Valid([]byte(b.Raw)) {
		b.Snippets = sendSnippets(v.base(), gateway.Draft{Channel: name, To: b.To, Body: json.RawMessage(b.Raw), Re: b.Re})
	}
	if !v.fragment() {
		return c.channelWith(v, status, b)
	}
	v.offer(&b.Audience)
	return v.show(status, pages.Send(b))
}

// deliver hands the message over and says in the box what came of it.
func (v *visit) deliver(b *pages.SendBox, body json.RawMessage) int {
	if !json.Valid(body) {
		b.Problem = problem.New(http.StatusUnprocessableEntity, "json_syntax", "the content is not JSON").WithHint("look for a missing comma, quote or bracket")
		return http.StatusUnprocessableEntity
	}
	if !b.Everybody && len(b.To) == 0 {
		b.Problem = errNobody
		return http.StatusUnprocessableEntity
	}
	d := gateway.Draft{Channel: b.Channel, To: b.To, Body: body, Re: b.Re, IdempotencyKey: b.Key}
	sent, err := v.api.Send(v.r.Context(), d)
	if err != nil {
		b.Problem = err
		return problem.From(err).Status
	}
	d.IdempotencyKey = ""
	b.Sent, b.Snippets, b.Re, b.Key = &sent, sendSnippets(v.base(), d), "", rand.Text()
	return http.StatusOK
}

// maxRows bounds the rows of one request.
const maxRows = 25

// rows gives rows of the live tail: of the messages named, with their content.
func (c *Console) rows(v *visit) error {
	named := v.r.URL.Query()["m"]
	var out []pages.Row
	for _, m := range named[:min(len(named), maxRows)] {
		direction, id, _ := strings.Cut(m, ".")
		if direction != gateway.In && direction != gateway.Out {
			continue
		}
		if t, err := v.api.Trace(v.r.Context(), direction, id); err == nil && t.Channel == v.r.PathValue("name") {
			r := traced(t)
			r.Fresh = true
			out = append(out, r)
		} else if problem.CodeOf(err) == "session_invalid" {
			return err
		}
	}
	slices.SortStableFunc(out, func(a, b pages.Row) int { return cmp.Compare(b.At, a.At) })
	return v.show(http.StatusOK, pages.OnlyRows(out, v.people))
}

// sortByName sorts DIDs by what people call them.
func sortByName(dids []string, p components.People) {
	slices.SortFunc(dids, func(a, b string) int {
		if p.Known(a) != p.Known(b) {
			if p.Known(a) {
				return -1
			}
			return 1
		}
		return cmp.Compare(strings.ToLower(p.Name(a)), strings.ToLower(p.Name(b)))
	})
}
