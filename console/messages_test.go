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

func TestAMessageLeadsToWhatItAnswersAndWhatAnswersIt(t *testing.T) {
	const answer = "01890a5d-ac96-774b-bcce-b302099a8058"
	f, asked := logged([]gateway.Entry{{ID: answer, Direction: gateway.In, From: other, Channel: "bids", State: "verified", Re: known}}, "")
	f.answers["GET /log/out/"+known] = gateway.Trace{Entry: gateway.Entry{ID: known, Direction: gateway.Out, To: []string{other}, Count: 1, State: gateway.StateDelivered, At: 5, Here: 7, Re: answer}}
	path := "/messages/out/" + known
	has(t, path, visitTo(t, f, path).Body.String(), `<dt>Answers</dt>`, `href="/find?q=`+answer+`"`, `href="/messages/in/`+answer+`"`, "Network operator", "on bids", "verified")
	for k, want := range map[string]string{"re": known, "direction": "in", "partner": other, "since": "7"} {
		if got := asked.Get(k); got != want {
			t.Errorf("the API is asked for %s %q, want %q", k, got, want)
		}
	}
	// Of a received one, what was sent since.
	f.answers["GET /log/in/"+known] = gateway.Trace{Entry: gateway.Entry{ID: known, Direction: gateway.In, From: other, State: "verified", Here: 9}}
	visitTo(t, f, "/messages/in/"+known)
	if asked.Get("direction") != "out" || asked.Get("partner") != other || asked.Get("since") != "9" {
		t.Errorf("asked for %v", *asked)
	}
	// What is loaded again while the message is under way does not look again.
	*asked = nil
	visitTo(t, f, path+"?part=now")
	if *asked != nil {
		t.Errorf("asked for %v", *asked)
	}

	f, _ = logged(nil, "n.e")
	f.answers["GET /log/out/"+known] = gateway.Trace{Entry: gateway.Entry{ID: known, Direction: gateway.Out, To: []string{other, self}, Count: 2, Here: 7}}
	has(t, "answers that were not all looked for", visitTo(t, f, path).Body.String(), "Not all messages since were looked through", `href="/messages?direction=in&amp;re=`+known+`&amp;since=7"`)
	on := "/messages?direction=in&re=" + known + "&since=7"
	has(t, on, visitTo(t, f, on).Body.String(), "answers to", `name="re" value="`+known+`"`, `name="since" value="7"`, "Look further back", "before=n.e")
	f, _ = logged(nil, "")
	f.answers["GET /log/out/"+known] = gateway.Trace{Entry: gateway.Entry{ID: known, Direction: gateway.Out}}
	has(t, "no answer", visitTo(t, f, path).Body.String(), "Nobody has answered it yet")
	has(t, on, visitTo(t, f, on).Body.String(), "There is no answer")
}
