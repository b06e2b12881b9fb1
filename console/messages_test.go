package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
)

// logged answers GET /log and remembers what it was asked for.
func logged(list []gateway.Entry, next string) (*fakeAPI, *url.Values) {
	f, asked := newAPI(), new(url.Values)
	f.answers["GET /log"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = r.URL.Query()
		httpkit.WriteJSON(w, http.StatusOK, map[string]any{"entries": list, "next": next})
	})
	return f, asked
}

func TestMessagesAreFilteredByTheAddress(t *testing.T) {
	f, asked := logged([]gateway.Entry{{ID: known, Direction: gateway.Out, Channel: "hello", State: gateway.StateRefused}}, "n.e")
	path := "/messages?channel=hello&direction=out&partner=" + url.QueryEscape(other) + "&state=refused%2Cunconfirmed%2Cundelivered"
	body := visitTo(t, f, path).Body.String()
	for k, want := range map[string]string{"state": "refused,unconfirmed,undelivered", "channel": "hello", "direction": "out", "partner": other, "before": ""} {
		if got := asked.Get(k); got != want {
			t.Errorf("the API is asked for %s %q, want %q", k, got, want)
		}
	}
	// The filter stands in the form, in what is loaded again, and in the way on.
	has(t, path, body, `<option value="refused,unconfirmed,undelivered" selected>Went wrong</option>`, `/messages?before=n.e&amp;channel=hello`, "state=refused%2Cunconfirmed%2Cundelivered", "part=list", "Look further back", `href="/messages">Clear`)
	hasNot(t, "/messages", visitTo(t, f, "/messages").Body.String(), `href="/messages">Clear`, "Look further back")

	// What is chosen with script is in the address, without what was left open.
	r := httptest.NewRequest(http.MethodGet, "http://gateway.test/messages?direction=&channel=&partner=&state=refused", nil)
	r.Header.Set("HX-Request", "true")
	if got := ask(f, r).Header().Get("HX-Replace-Url"); got != "/messages?state=refused" {
		t.Errorf("the address becomes %q", got)
	}
	// An odd choice that somebody wrote down is kept.
	has(t, "an odd choice", visitTo(t, f, "/messages?state=waiting&state=refused").Body.String(), `<option value="waiting,refused" selected>waiting, refused</option>`)
}

func TestAnEmptyListSaysWhy(t *testing.T) {
	f, _ := logged(nil, "")
	for path, want := range map[string]string{
		"/messages":                              "No message has come or gone yet",
		"/messages?channel=hello":                "No message fits these filters",
		"/messages?state=refused":                "Nothing went wrong here",
		"/messages?state=waiting,accepted":       "Nothing is under way",
		"/messages?direction=in&state=delivered": "Only sent messages can be in this state",
		"/messages?direction=out&state=verified": "Only received messages can be verified",
		"/messages?state=delivered":              "No message fits these filters",
	} {
		has(t, path, visitTo(t, f, path).Body.String(), want)
	}
	f, _ = logged(nil, "n.e")
	has(t, "a list that was not looked through", visitTo(t, f, "/messages?state=refused").Body.String(), "Older ones were not looked at yet", `href="/messages?before=n.e&amp;state=refused"`)
}
