package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/console/form"
	"github.com/digital-spine/spine/console/pages"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// home shows what happens now.
func (c *Console) home(v *visit) error {
	h := &pages.Home{Frame: v.frame("Home", "/", nil)}
	h.Plots = true
	if h.Overview, h.OverviewErr = v.api.Overview(v.r.Context(), 15); h.OverviewErr != nil {
		h.Overview = nil
	} else {
		h.Alarms = alarms(h.Overview)
		for _, p := range h.Overview.Partners {
			if p.Name != "" {
				h.People.Names[p.DID] = p.Name
			}
		}
	}
	var list []gateway.Entry
	list, _, h.RecentErr = v.api.Log(v.r.Context(), client.LogFilter{Max: 12})
	h.Recent = rowsOf(list)
	if v.part() == "now" {
		return v.show(http.StatusOK, pages.HomeNow(h))
	}
	return v.show(http.StatusOK, pages.HomePage(h))
}

// partners lists whom this gateway exchanges messages with.
func (c *Console) partners(v *visit) error {
	p := &pages.Partners{Frame: v.frame("Partners", "/", &components.Crumb{Name: "Home", Path: "/"})}
	if p.Overview, p.Err = v.api.Overview(v.r.Context(), 15); p.Err != nil {
		p.Overview = nil
	} else {
		p.Alarms = alarms(p.Overview)
	}
	if v.part() == "list" {
		return v.show(http.StatusOK, pages.PartnerList(p))
	}
	return v.show(http.StatusOK, pages.PartnersPage(p))
}

// alarms counts what needs more than a note.
func alarms(o *gateway.Overview) (n int64) {
	for _, a := range o.Attention {
		if a.Severity != gateway.SeverityInfo {
			n++
		}
	}
	return n
}

func rowsOf(list []gateway.Entry) []pages.Row {
	out := make([]pages.Row, len(list))
	for i, e := range list {
		out[i] = pages.Row{Entry: e}
	}
	return out
}

// shown is how much of a message's content stands in a list, in bytes.
const shown = 400

// traced is a row with the beginning of the message's content.
func traced(t *gateway.Trace) pages.Row {
	r := pages.Row{Entry: t.Entry}
	for _, c := range t.Checks {
		if c.Result == "ok" {
			r.Passed++
		}
	}
	if len(t.Body) > 0 {
		if v, err := form.ParseJSON(t.Body[:min(len(t.Body), 64<<10)]); err == nil {
			r.Content = components.Clip(form.Text(v), shown)
		} else {
			r.Content = components.Clip(strings.ToValidUTF8(string(t.Body[:min(len(t.Body), 4*shown)]), "\ufffd"), shown)
		}
	}
	return r
}

// number reads a number, 0 where there is none.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// states reads states, joined by commas.
func states(values []string) (out []gateway.State) {
	for _, s := range strings.Split(strings.Join(values, ","), ",") {
		if s != "" && !slices.Contains(out, gateway.State(s)) {
			out = append(out, gateway.State(s))
		}
	}
	return out
}

// messages shows the log.
func (c *Console) messages(v *visit) error {
	q := v.r.URL.Query()
	m := &pages.Messages{
		Frame:  v.frame("Messages", "/messages", nil),
		Filter: client.LogFilter{Direction: q.Get("direction"), Channel: q.Get("channel"), Partner: q.Get("partner"), State: states(q["state"]), Re: q.Get("re"), Since: number(q.Get("since")), Before: q.Get("before"), Max: 50},
	}
	if v.fragment() && v.part() == "" {
		v.w.Header().Set("HX-Replace-Url", m.Path())
	}
	var list []gateway.Entry
	list, m.Next, m.Err = v.api.Log(v.r.Context(), m.Filter)
	m.List = rowsOf(list)
	if v.part() == "list" {
		return v.show(http.StatusOK, pages.MessageList(m))
	}
	if all, err := v.api.Channels(v.r.Context()); err == nil {
		for _, ch := range all {
			m.Channels = append(m.Channels, ch.Name)
		}
	}
	seen := map[string]bool{"": true}
	add := func(did string) {
		if !seen[did] {
			seen[did] = true
			m.Partners = append(m.Partners, did)
		}
	}
	add(m.Filter.Partner)
	for did := range v.people.Names {
		add(did)
	}
	for _, e := range list {
		add(e.From)
		for _, to := range e.To {
			add(to)
		}
	}
	sortByName(m.Partners, v.people)
	return v.show(http.StatusOK, pages.MessagesPage(m))
}

// message shows one message.
func (c *Console) message(v *visit) error {
	direction, id := v.r.PathValue("direction"), v.r.PathValue("id")
	if direction != gateway.In && direction != gateway.Out {
		return notFound(v)
	}
	t, err := v.api.Trace(v.r.Context(), direction, id)
	if v.part() == "state" {
		if err != nil {
			return err
		}
		return v.show(http.StatusOK, pages.SentState(gateway.Accepted{ID: id, State: t.State}))
	}
	m := &pages.Message{Frame: v.frame("Message", "/messages", &components.Crumb{Name: "Messages", Path: "/messages"}), Direction: direction, ID: id, Trace: t, Codes: v.known()}
	status := http.StatusOK
	if err != nil {
		m.Err, m.Trace, status = err, nil, problem.From(err).Status
	} else {
		m.Title = "Message " + components.Short(id)
		m.Snippets = traceSnippets(v.base(), direction, id, t)
	}
	if v.part() == "now" {
		return v.show(status, pages.MessageNow(m))
	}
	if m.Trace != nil {
		m.Answers = v.answers(t)
	}
	if v.part() == "answers" {
		return v.show(status, pages.AnswerList(m))
	}
	return v.show(status, pages.MessagePage(m))
}

// answers looks for what answers a message: among what went the other way since,
// with its partner where there is one.
func (v *visit) answers(t *gateway.Trace) *pages.Answers {
	f := client.LogFilter{Direction: gateway.In, Re: t.ID, Since: max(t.Here, t.At), Max: 20}
	if t.Direction == gateway.In {
		f.Direction, f.Partner = gateway.Out, t.From
	} else if len(t.To) == 1 && t.Count <= 1 {
		f.Partner = t.To[0]
	}
	list, next, err := v.api.Log(v.r.Context(), f)
	on := pages.Messages{Filter: f}
	return &pages.Answers{List: rowsOf(list), More: next != "", Err: err, Path: on.Path()}
}
