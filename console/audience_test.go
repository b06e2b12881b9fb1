package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/digital-spine/spine/gateway"
)

const third = "did:ethr:0x539:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"

// crowded is an API with a channel that admits two partners and a third member
// that it does not.
func crowded() *fakeAPI {
	f := full()
	yes := &gateway.Standing{Admitted: true, Why: "named"}
	f.answers["GET /channels"] = map[string]any{"channels": []gateway.Channel{{Name: "hello", Topic: "hello.x", Send: &gateway.Admission{}}, {Name: "files", Topic: "files.x", Send: &gateway.Admission{}}}}
	f.answers["GET /channels/hello/members"] = map[string]any{"total": 4, "members": []gateway.Member{{DID: self, Self: true, Send: yes}, {DID: other, Send: yes}, {DID: third, Send: yes}, {DID: "did:x:refused", Send: &gateway.Standing{}}}}
	f.answers["GET /channels/files/members"] = map[string]any{"total": 1, "members": []gateway.Member{{DID: third, Send: yes}}}
	f.answers["POST /messages"] = gateway.Accepted{ID: known, State: gateway.StateAccepted}
	return f
}

// ticked are the values of the boxes that are ticked, and of those that are not.
func ticked(body string) (on, off []string) {
	for _, tag := range regexp.MustCompile(`<input type="checkbox" name="to"[^>]*>`).FindAllString(body, -1) {
		did := regexp.MustCompile(`value="([^"]*)"`).FindStringSubmatch(tag)[1]
		if strings.Contains(tag, " checked") {
			on = append(on, did)
		} else {
			off = append(off, did)
		}
	}
	return on, off
}

func TestWhoMayReceiveIsChosenEverywhere(t *testing.T) {
	f := crowded()
	for _, path := range []string{"/channels/hello", "/files?channel=hello", "/files?part=to&channel=hello", "/files/" + known, "/files/" + known + "?part=to&channel=hello"} {
		on, off := ticked(visitTo(t, f, path).Body.String())
		if !slices.Equal(on, []string{other, third}) || len(off) > 0 {
			t.Errorf("%s: ticked %v, not ticked %v", path, on, off)
		}
	}
	for _, path := range []string{"/channels/hello?to=" + third, "/files?channel=hello&to=" + third} {
		on, off := ticked(visitTo(t, f, path).Body.String())
		if !slices.Equal(on, []string{third}) || !slices.Equal(off, []string{other}) {
			t.Errorf("%s: ticked %v, not ticked %v", path, on, off)
		}
	}
	// Who is answered and is not admitted stays to be seen.
	on, off := ticked(visitTo(t, f, "/channels/hello?to=did:x:gone").Body.String())
	if !slices.Equal(on, []string{"did:x:gone"}) || len(off) != 2 {
		t.Errorf("ticked %v, not ticked %v", on, off)
	}
	body := visitTo(t, f, "/files").Body.String()
	if on, _ := ticked(body); len(on) > 0 {
		t.Errorf("without a channel there is a choice: %v", on)
	}
	hasNot(t, "/files?part=to without a channel", visitTo(t, f, "/files?part=to").Body.String(), "ds-audience")
}

func TestOnlyWhoWasChosenIsSentTo(t *testing.T) {
	everyone := []string{other, third}
	for name, c := range map[string]struct {
		in     url.Values
		status int
		to     []string
	}{
		"everybody":                     {url.Values{"all": {"1"}, "offered": {"2"}, "to": everyone}, http.StatusOK, nil},
		"nobody to list":                {url.Values{"all": {"1"}, "offered": {"0"}}, http.StatusOK, nil},
		"one":                           {url.Values{"offered": {"2"}, "to": {third}}, http.StatusOK, []string{third}},
		"one was taken away, no script": {url.Values{"all": {"1"}, "offered": {"2"}, "to": {other}}, http.StatusOK, []string{other}},
		"each, one by one":              {url.Values{"offered": {"2"}, "to": everyone}, http.StatusOK, everyone},
		"nobody":                        {url.Values{"offered": {"2"}}, http.StatusUnprocessableEntity, nil},
		"all taken away, no script":     {url.Values{"all": {"1"}, "offered": {"2"}}, http.StatusUnprocessableEntity, nil},
		"not a form of ours":            {url.Values{"all": {"1"}, "offered": {"x"}}, http.StatusUnprocessableEntity, nil},
	} {
		for path, more := range map[string]url.Values{
			"/channels/hello/send":      {"op": {"send"}, "mode": {"json"}, "raw": {"{}"}},
			"/files/" + known + "/send": {"channel": {"hello"}, "offered-on": {"hello"}},
		} {
			in := url.Values{"csrf": {csrf}}
			for _, values := range []url.Values{c.in, more} {
				for k, v := range values {
					in[k] = v
				}
			}
			f := crowded()
			w := post(f, path, in, false)
			status := c.status
			if status == http.StatusOK && strings.HasPrefix(path, "/files") {
				status = http.StatusSeeOther
			}
			if w.Code != status {
				t.Errorf("%s, %s: status %d", path, name, w.Code)
			}
			i := slices.Index(f.asked, "POST /messages")
			if i < 0 {
				if c.status == http.StatusOK {
					t.Errorf("%s, %s: nothing was sent", path, name)
				}
				has(t, path+", "+name, w.Body.String(), "nobody is chosen to send to", "no_recipient")
				continue
			}
			var d gateway.Draft
			if err := json.Unmarshal([]byte(f.bodies[i]), &d); err != nil || c.status != http.StatusOK || !slices.Equal(d.To, c.to) {
				t.Errorf("%s, %s: sent to %v, %v", path, name, d.To, err)
			}
		}
	}
}

func TestAChoiceIsNotTakenToAnotherChannel(t *testing.T) {
	f := crowded()
	in := url.Values{"csrf": {csrf}, "channel": {"files"}, "offered-on": {"hello"}, "offered": {"2"}, "all": {"1"}, "to": {other, third}}
	w := post(f, "/files/"+known+"/send", in, false)
	if w.Code != http.StatusUnprocessableEntity || slices.Contains(f.asked, "POST /messages") {
		t.Errorf("status %d, asked %v", w.Code, f.asked)
	}
	if on, off := ticked(w.Body.String()); !slices.Equal(on, []string{third}) || len(off) > 0 {
		t.Errorf("offered are %v, %v", on, off)
	}
	has(t, "the page", w.Body.String(), "those of another channel", `name="offered-on" value="files"`, `<option selected>files</option>`)
}

func TestAChoiceOutlivesTheButtonsThatChangeTheForm(t *testing.T) {
	f := crowded()
	w := post(f, "/channels/hello/send", url.Values{"op": {"sample"}, "mode": {"form"}, "offered": {"2"}, "to": {third}}, true)
	if on, off := ticked(w.Body.String()); !slices.Equal(on, []string{third}) || !slices.Equal(off, []string{other}) {
		t.Errorf("ticked %v, not ticked %v", on, off)
	}
}
