package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/participant/villain"
)

// spine is a market to look at.
type spine struct {
	*system.Spine
	gateways map[string]*client.Client
	dids     map[string]string
	urls     map[string]string
}

func startSpine(t *testing.T) *spine {
	t.Helper()
	ctx := testkit.Context(t)
	s, err := system.StartSpine(ctx, t.TempDir(), market.Parties, system.Base{Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("spine: %v", err)
		}
	})
	out := &spine{Spine: s, gateways: map[string]*client.Client{}, dids: map[string]string{}, urls: map[string]string{}}
	for _, g := range s.Gateways {
		out.gateways[g.Name()], out.dids[g.Name()], out.urls[g.Name()] = client.New(g.URL(), g.APIKey()), g.DID(), g.URL()
	}
	if err := market.Setup(ctx, market.Chain{RPC: s.Chain.URL(), Contracts: s.Network.Contracts, Root: s.Chain.Faucet()}, out.gateways); err != nil {
		t.Fatal(err)
	}
	for _, gw := range out.gateways {
		for name, did := range out.dids {
			if err := gw.PutContact(ctx, did, market.Called[name]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// hello sends a first message from one party to another.
func (s *spine) hello(t *testing.T, from, to string, n int) string {
	t.Helper()
	a, err := s.gateways[from].Send(testkit.Context(t), gateway.Draft{Channel: "hello", To: []string{s.dids[to]}, Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))})
	if err != nil {
		t.Fatal(err)
	}
	return a.ID
}

// TestConsole walks through the console of a market operator.
func TestConsole(t *testing.T) {
	chromium(t)
	s := startSpine(t)
	b := openTab(t)
	base := s.urls[market.MarketOperator]
	link, err := s.gateways[market.MarketOperator].Link(testkit.Context(t), nil, "a visitor")
	if err != nil {
		t.Fatal(err)
	}
	b.look(1440, "light")

	// Without a link there is nothing to see.
	b.do("open without a session", chromedp.Navigate(base+"/messages"), chromedp.WaitVisible("#token"))
	b.picture("sign-in")
	b.axe("sign-in")

	b.do("open the link", chromedp.Navigate(link.URL), chromedp.WaitVisible("#home"))
	if strings.Contains(b.js("location.href + document.documentElement.innerHTML"), link.Token) {
		t.Error("the token of the link is still in the page or its address")
	}

	received := seeItArrive(b, s)
	sent := sendOne(b, s)
	answered(b, s, received, sent)
	filtered(b, base)
	problemsByField(b, base)
	keyboard(b, base)
	file := sendFile(b, s)
	sendFileToOne(b, s)
	villainAppears(b, s)
	b.onlyAsked(base)

	everyPage(b, base, map[string]string{
		"home": "/", "partners": "/partners", "channels": "/channels", "channel": "/channels/hello", "channel-telemetry": "/channels/telemetry", "messages": "/messages",
		"message-in": "/messages/in/" + received, "message-out": "/messages/out/" + sent, "files": "/files", "file": "/files/" + file, "events": "/events",
	})
	b.onlyAsked(base)

	b.look(1440, "light")
	b.do("sign out", chromedp.Navigate(base+"/"), chromedp.WaitVisible(".side footer form button"), chromedp.Click(".side footer form button"), chromedp.WaitVisible("#token"))
	again := openTab(t)
	again.do("follow the link again", chromedp.Navigate(link.URL), chromedp.WaitVisible("#token"))
	if !strings.Contains(again.js("document.body.innerText"), "session_invalid") {
		t.Error("a link that was used opens the console again")
	}
}

// seeItArrive watches a message arrive, opens it and reads its checks: within
// three clicks from the opened link.
func seeItArrive(b *tab, s *spine) string {
	b.clicks = 0
	b.until("the live stream", `document.querySelector('[data-live-state]').dataset.state === "open"`)
	id := s.hello(b.T, market.Aggregator, market.MarketOperator, 7)
	row := "#m-in-" + id
	b.do("see the message arrive", chromedp.WaitVisible(row))
	b.click("the message", row+" a.cover")
	b.do("see the message", chromedp.WaitVisible("#checks-title"))
	b.click("a check", ".checks details summary")
	b.until("its evidence", `document.querySelector(".checks details[open] .evidence dd")`)
	if b.clicks > 3 {
		b.Errorf("it took %d clicks to read a message's checks", b.clicks)
	}
	if got := b.js(`document.querySelector('[data-testid="passed"]').innerText`); !strings.HasSuffix(got, "checks passed") || strings.HasPrefix(got, "0 ") {
		b.Errorf("checks: %q", got)
	}
	if got := b.js(`document.querySelectorAll(".checks .badge.bad").length`); got != "0" {
		b.Errorf("%s checks failed", got)
	}
	if got := b.js(`document.querySelector(".tree").innerText`); !strings.Contains(got, "n: 7") {
		b.Errorf("content: %q", got)
	}
	return id
}

// sendOne sends a message with the form and sees it delivered and verified by
// the other side.
func sendOne(b *tab, s *spine) string {
	b.do("home", chromedp.Navigate(s.urls[market.MarketOperator]+"/"), chromedp.WaitVisible("#home"))
	b.clicks = 0
	b.click("Channels", `.nav a[href="/channels"]`)
	b.click("hello", `a[href="/channels/hello"]`)
	b.click("Send", `#sendbox [data-testid="send"]`)
	if b.clicks > 3 {
		b.Errorf("it took %d clicks to send a message", b.clicks)
	}
	b.until("delivery, told live", `document.querySelector('[data-testid="sent-state"]')?.innerText.includes("delivered")`)
	b.click("the message", `[data-testid="sent-link"]`)
	b.until("each recipient's state", `(l => l.length > 0 && [...l].every(e => e.innerText.includes("delivered")))(document.querySelectorAll('[data-testid="recipient-state"]'))`)
	id := b.js(`location.pathname.split("/").pop()`)
	for _, to := range []string{market.Aggregator, market.NetworkOperator} {
		trace, err := s.gateways[to].Trace(testkit.Context(b.T), gateway.In, id)
		if err != nil {
			b.Fatalf("the %s's side: %v", to, err)
		}
		if trace.State != "verified" {
			b.Errorf("the %s's side: %s", to, trace.State)
		}
	}
	return id
}

// answered answers a received message and goes from each to the other; an answer
// that comes is told on the page of what it answers.
func answered(b *tab, s *spine, received, sent string) {
	base := s.urls[market.MarketOperator]
	b.do("the received message", chromedp.Navigate(base+"/messages/in/"+received), chromedp.WaitVisible("#answers"))
	b.do("answer it", chromedp.Click(`a[href*="re=`+received+`"]`), chromedp.WaitVisible("#sendbox"))
	if got := b.js(`document.querySelector("[data-audience-says]").innerText`); got != market.Called[market.Aggregator] {
		b.Errorf("the answer goes to %q", got)
	}
	b.click("Send", `#sendbox [data-testid="send"]`)
	b.click("the answer", `[data-testid="sent-link"]`)
	b.until("what it answers", `document.querySelector('a[href="/find?q=`+received+`"]')`)
	id := b.js(`location.pathname.split("/").pop()`)
	b.click("what it answers", `a[href="/find?q=`+received+`"]`)
	b.until("the way back", `location.pathname === "/messages/in/`+received+`" && document.querySelector('#answers a[href="/messages/out/`+id+`"]')`)
	b.axe("message with an answer")
	b.picture("message-answered")

	b.do("the sent message", chromedp.Navigate(base+"/messages/out/"+sent), chromedp.WaitVisible("#answers"))
	b.until("the live stream", `document.querySelector('[data-live-state]').dataset.state === "open"`)
	a, err := s.gateways[market.Aggregator].Send(testkit.Context(b.T), gateway.Draft{Channel: "hello", To: []string{s.dids[market.MarketOperator]}, Body: json.RawMessage(`{"n":8}`), Re: sent})
	if err != nil {
		b.Fatal(err)
	}
	b.until("the answer", `document.querySelector('#answers a[href="/messages/in/`+a.ID+`"]')`)
}

// filtered looks for messages in a state, which then stands in the address.
func filtered(b *tab, base string) {
	b.do("messages", chromedp.Navigate(base+"/messages"), chromedp.WaitVisible("#list tbody"))
	choose := func(state string) {
		b.js(`(s => { s.value = "` + state + `"; s.dispatchEvent(new Event("change", {bubbles: true})) })(document.querySelector("#state"))`)
	}
	choose("delivered")
	b.until("the filter in the address", `location.search === "?state=delivered" && document.querySelector("#clear a")`)
	b.until("delivered messages only", `(l => l.length > 0 && [...l].every(e => e.innerText.includes("delivered")))(document.querySelectorAll("#list tbody .badge"))`)
	choose("undelivered")
	b.until("why there is none", `document.querySelector("#list .empty")?.innerText.includes("Nothing went wrong here")`)
	b.click("Clear", "#clear a")
	b.until("all messages", `location.search === "" && document.querySelectorAll("#list tbody tr").length > 2`)
}

// problemsByField sees what is wrong beside the field that it concerns.
func problemsByField(b *tab, base string) {
	field := `input[name="/n"]`
	b.do("type nonsense", chromedp.Navigate(base+"/channels/hello"), chromedp.WaitVisible(field), chromedp.Clear(field), chromedp.SendKeys(field, "seven"))
	b.click("Send", `#sendbox [data-testid="send"]`)
	b.until("the problem beside its field", `document.querySelector('input[name="/n"]')?.getAttribute("aria-invalid") === "true" && document.querySelector('input[name="/n"]').closest(".field").querySelector(".problem")`)
	if got := b.js(`document.querySelector('input[name="/n"]').value`); got != "seven" {
		b.Errorf("what was typed became %q", got)
	}
	b.picture("channel-problem")
	b.axe("channel with a problem")
	b.click("JSON", `#sendbox button[value="json"]`)
	b.do("the same as JSON", chromedp.WaitVisible(`#sendbox textarea[name="raw"]`))
	if got := b.js(`document.querySelector('#sendbox textarea').value`); !strings.Contains(got, `"seven"`) {
		b.Errorf("as JSON: %s", got)
	}
}

// keyboard goes about without a mouse.
func keyboard(b *tab, base string) {
	b.do("home", chromedp.Navigate(base+"/"), chromedp.WaitVisible("#home"), chromedp.KeyEvent(kb.Tab))
	if got := b.js(`document.activeElement.className`); got != "skip" {
		b.Errorf("the first stop of the keyboard is %q, not the link to the content", got)
	}
	b.do("open the palette", chromedp.KeyEvent("k", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.WaitVisible("dialog.palette[open]"))
	b.until("its entries", `document.querySelectorAll("#palette-list [data-path]").length > 5`)
	b.axe("palette")
	b.picture("palette")
	b.do("search", chromedp.SendKeys("dialog.palette input", "dark theme"), chromedp.KeyEvent(kb.Enter))
	b.until("the dark theme", `document.documentElement.dataset.theme === "dark"`)
	b.do("open the palette", chromedp.KeyEvent("k", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.WaitVisible("dialog.palette[open]"))
	b.until("its entries", `document.querySelectorAll("#palette-list [data-path]").length > 5`)
	b.do("search", chromedp.SendKeys("dialog.palette input", "system"), chromedp.KeyEvent(kb.Enter))
	b.until("the system's theme", `!document.documentElement.dataset.theme`)
	b.do("open the palette", chromedp.KeyEvent("k", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.WaitVisible("dialog.palette[open]"))
	b.until("its entries", `document.querySelectorAll("#palette-list [data-path]").length > 5`)
	b.do("search", chromedp.SendKeys("dialog.palette input", "send on hello"), chromedp.KeyEvent(kb.Enter))
	b.until("the channel", `location.pathname === "/channels/hello"`)
}

// sendFile sends a file whose upload breaks off on the way, and has it checked.
func sendFile(b *tab, s *spine) string {
	base := s.urls[market.MarketOperator]
	path := filepath.Join(b.TempDir(), "readings.csv")
	if err := os.WriteFile(path, []byte(strings.Repeat("meter,kWh\n4711,12.5\n", 20_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.uploads(base, network.Conditions{UploadThroughput: 60_000, DownloadThroughput: -1})
	b.do("choose a file", chromedp.Navigate(base+"/files"), chromedp.WaitReady("[data-upload-input]"))
	b.js(`document.querySelector("ds-upload").dataset.maxChunk = "20000"`)
	b.do("choose a file", chromedp.SetUploadFiles("[data-upload-input]", []string{path}))
	b.until("progress", `document.querySelector(".upload progress")?.value > 20000`)
	b.uploads(base, network.Conditions{Offline: true, UploadThroughput: -1, DownloadThroughput: -1})
	b.until("the break to be told", `document.querySelector(".upload")?.innerText.includes("trying again")`)
	b.uploads(base)
	b.until("the file in the list", `[...document.querySelectorAll("#files tbody tr")].some(r => r.innerText.includes("readings.csv") && r.innerText.includes("stored"))`)
	b.click("the file", `#files tbody a.cover`)
	b.do("see the file", chromedp.WaitVisible("#file"))
	b.click("Read and check again", `a[hx-target="#verification"]`)
	b.until("the verdict", `document.querySelector("#verification .badge.ok")`)
	id := b.js(`location.pathname.split("/").pop()`)
	got, err := s.gateways[market.MarketOperator].File(testkit.Context(b.T), id)
	if err != nil || got.Name != "readings.csv" {
		b.Fatalf("the API says of the file: %+v, %v", got, err)
	}
	if sum := b.js(`document.querySelector("#file .facts").innerText`); !strings.Contains(sum, got.SHA256) {
		b.Errorf("the page does not show the hash %s", got.SHA256)
	}
	return id
}

// sendFileToOne uploads a file for one of those whom the channel admits.
func sendFileToOne(b *tab, s *spine) {
	base, to := s.urls[market.MarketOperator], s.dids[market.NetworkOperator]
	path := filepath.Join(b.TempDir(), "for-one.bin")
	if err := os.WriteFile(path, []byte("for one"), 0o600); err != nil {
		b.Fatal(err)
	}
	b.do("choose a channel", chromedp.Navigate(base+"/files"), chromedp.WaitReady("[data-upload-input]"))
	b.js(`(c => { c.value = "files"; c.dispatchEvent(new Event("change", {bubbles: true})) })(document.querySelector("#upload-channel"))`)
	b.until("everybody ticked", `(l => l.length === 2 && [...l].every(i => i.checked))(document.querySelectorAll('#upload-to input[name="to"]'))`)
	b.click("the choice", "#upload-to summary")
	b.click("everybody", "#upload-to [data-audience-all]")
	b.do("choose a file for nobody", chromedp.SetUploadFiles("[data-upload-input]", []string{path}))
	b.until("that nobody is chosen", `document.querySelector("#upload-to .problem:not([hidden])")?.innerText.includes("at least one")`)
	b.click("one recipient", `#upload-to input[value="`+to+`"]`)
	if got := b.js(`document.querySelector("[data-audience-says]").innerText`); got != market.Called[market.NetworkOperator] {
		b.Errorf("the choice says %q", got)
	}
	b.axe("files with a choice")
	b.picture("files-choice")
	b.do("choose a file", chromedp.SetUploadFiles("[data-upload-input]", []string{path}))
	b.until("the message", `document.querySelector('.upload a[href^="/messages/out/"]')`)
	id := b.js(`document.querySelector('.upload a[href^="/messages/out/"]').href.split("/").pop()`)
	var sent *gateway.Trace
	testkit.Eventually(b.T, testkit.Context(b.T), "its recipients", func() bool {
		t, err := s.gateways[market.MarketOperator].Trace(testkit.Context(b.T), gateway.Out, id)
		if err != nil {
			b.Fatal(err)
		}
		sent = t
		return t.Sent != nil && len(t.Sent.Recipients) > 0
	})
	if r := sent.Sent.Recipients; len(r) != 1 || r[0].DID != to {
		b.Errorf("a file for one goes to %+v", r)
	}
}

// villainAppears sees on the page of events, while it happens, that somebody
// without a role tries to be heard.
func villainAppears(b *tab, s *spine) {
	ctx := testkit.Context(b.T)
	b.do("events", chromedp.Navigate(s.urls[market.MarketOperator]+"/events"), chromedp.WaitVisible("#events"))
	b.until("the live stream", `document.querySelector('[data-live-state]').dataset.state === "open"`)
	v, err := villain.NewImpostor(ctx, s.Network)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	session, err := v.Open(ctx, market.TopicName("hello"), s.dids[market.MarketOperator])
	if err != nil {
		b.Fatal(err)
	}
	if _, err := session.Send(ctx, []byte(`{"n":666}`)); err != nil {
		b.Fatal(err)
	}
	b.until("the refusal", `document.querySelector("#events .events li code")`)
	line := b.js(`document.querySelector("#events .events li").innerText`)
	code := b.js(`document.querySelector("#events .events li code").innerText`)
	title := b.js(`document.querySelector("#events .events li strong").innerText`)
	if title == code || !strings.Contains(title, " ") || !strings.Contains(line, "Do:") {
		b.Errorf("a refusal is not told in plain words: %q", line)
	}
	if strings.Contains(b.js("document.body.innerText"), "666") {
		b.Error("content is in the events")
	}
	b.until("the count beside Events", `document.querySelector('.nav a[href="/events"] .count')`)
}

// everyPage looks at each page in both themes and at two widths.
func everyPage(b *tab, base string, pages map[string]string) {
	for name, path := range pages {
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{1440, 390} {
				at := fmt.Sprintf("%s-%s-%d", name, theme, width)
				b.look(width, theme)
				b.do(at, chromedp.Navigate(base+path), chromedp.WaitReady("main"))
				b.until(at+" to be whole", `document.readyState === "complete" && document.fonts.status === "loaded"`)
				if name == "home" {
					b.until("plots", `document.querySelectorAll("ds-plot canvas").length === 2`)
				}
				b.picture(at)
				if over := b.js(`document.documentElement.scrollWidth - document.documentElement.clientWidth`); over != "0" {
					b.Errorf("%s is %s px wider than the window", at, over)
				}
				if width == 1440 || theme == "light" {
					b.axe(at)
				}
			}
		}
	}
}
