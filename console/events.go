package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/console/pages"
	"github.com/digital-spine/spine/gateway"
)

// events shows what was refused, detected or repaired.
func (c *Console) events(v *visit) error {
	q := v.r.URL.Query()
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64)
	e := &pages.Events{Frame: v.frame("Events", "/events", nil), Filter: client.EventFilter{Before: before, Kind: q.Get("kind"), Code: q.Get("code"), Max: 100}, Codes: v.known()}
	var list []gateway.Event
	list, e.Next, e.Err = v.api.RecentEvents(v.r.Context(), e.Filter)
	e.Groups = pages.Grouped(list)
	if v.part() == "list" {
		return v.show(http.StatusOK, pages.EventList(e))
	}
	if o, err := v.api.Overview(v.r.Context(), 15); err == nil {
		e.Alarms = alarms(o)
		for _, a := range o.Attention {
			if a.Kind == gateway.KindExpiring {
				e.Alarming = append(e.Alarming, a)
			}
		}
	}
	return v.show(http.StatusOK, pages.EventsPage(e))
}

// palette lists what the command palette offers: pages, actions, channels,
// partners and the latest messages.
func (c *Console) palette(v *visit) error {
	items := []pages.Item{
		{Label: "Home", Kind: "page", Path: "/"}, {Label: "Partners", Kind: "page", Path: "/partners"}, {Label: "Channels", Kind: "page", Path: "/channels"}, {Label: "Messages", Kind: "page", Path: "/messages"},
		{Label: "Files", Kind: "page", Path: "/files"}, {Label: "Events", Kind: "page", Path: "/events"},
		{Label: "Received messages", Kind: "view", Path: "/messages?direction=in"}, {Label: "Sent messages", Kind: "view", Path: "/messages?direction=out"},
		{Label: "Messages that went wrong", Kind: "view", Path: "/messages?state=" + pages.Wrong}, {Label: "Messages under way", Kind: "view", Path: "/messages?state=" + pages.UnderWay},
		{Label: "Refused", Kind: "view", Path: "/events?kind=refused"}, {Label: "Detected on the way", Kind: "view", Path: "/events?kind=detected"},
		{Label: "Upload a file", Kind: "action", Path: "/files#drop-title"},
		{Label: "Light theme", Kind: "action", Path: "#theme=light"}, {Label: "Dark theme", Kind: "action", Path: "#theme=dark"}, {Label: "Theme as the system", Kind: "action", Path: "#theme=auto"},
		{Label: "Times in UTC", Kind: "action", Path: "#zone=utc"}, {Label: "Times in local time", Kind: "action", Path: "#zone=local"},
	}
	if all, err := v.api.Channels(v.r.Context()); err == nil {
		for _, ch := range all {
			path := "/channels/" + url.PathEscape(ch.Name)
			items = append(items, pages.Item{Label: ch.Name, Kind: "channel", Path: path})
			if ch.Send != nil {
				items = append(items, pages.Item{Label: "Send on " + ch.Name, Kind: "action", Path: path + "#send"})
			}
		}
	}
	for did, name := range v.people.Names {
		items = append(items, pages.Item{Label: name + "  " + did, Kind: "partner", Path: "/messages?partner=" + url.QueryEscape(did)})
	}
	if entries, _, err := v.api.Log(v.r.Context(), client.LogFilter{Max: 30}); err == nil {
		for _, e := range entries {
			who := v.people.Name(e.From)
			if e.Direction == gateway.Out {
				who = "everybody"
				if len(e.To) > 0 {
					who = v.people.Name(e.To[0])
				}
			}
			items = append(items, pages.Item{Label: e.Channel + " · " + who + " · " + components.Clock(e.At) + " · " + e.ID, Kind: "message " + e.Direction, Path: string(pages.MessageURL(e.Direction, e.ID))})
		}
	}
	return v.show(http.StatusOK, pages.Palette(items))
}

// find goes to what an id names: a message, received or sent, or else a search
// by partner.
func (c *Console) find(v *visit) error {
	q := strings.TrimSpace(v.r.URL.Query().Get("q"))
	to := "/messages"
	switch {
	case gateway.ValidID(strings.ToLower(q)):
		q = strings.ToLower(q)
		to = string(pages.MessageURL(gateway.In, q))
		if _, err := v.api.Trace(v.r.Context(), gateway.In, q); err != nil {
			if _, err := v.api.Trace(v.r.Context(), gateway.Out, q); err == nil {
				to = string(pages.MessageURL(gateway.Out, q))
			}
		}
	case strings.HasPrefix(q, "did:"):
		to = "/messages?partner=" + url.QueryEscape(q)
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}
