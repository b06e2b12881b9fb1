package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/digital-spine/spine/internal/testkit"
)

// chromium finds the browser.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	testkit.Skip(t, "no Chromium on this machine (Debian: apt-get install chromium)")
	return ""
}

// tab is one tab of a browser that remembers what it asked for and what it
// complained about.
type tab struct {
	*testing.T
	ctx    context.Context
	clicks int

	mu       sync.Mutex
	requests []string
	troubles []string
}

// patience bounds one step, on machines that are slow or busy.
const patience = 90 * time.Second

// openTab starts a browser with an empty profile.
func openTab(t *testing.T) *tab {
	t.Helper()
	path := chromium(t)
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile(t)), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
	)
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	b := &tab{T: t, ctx: ctx}
	if _, err := chromedp.Run(ctx, enableNetwork); err != nil {
		t.Fatal(err)
	}
	go b.listen(chromedp.Console(ctx))
	err := chromedp.Listen(ctx, func(ev any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			b.requests = append(b.requests, e.Request.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// profile is a folder for a browser's profile. It is removed in the end; the
// browser's children may still write into it for a moment.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "spine-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 100 {
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	return dir
}

func enableNetwork(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	return chromedp.Void{}, err
}

// listen collects errors of the pages' scripts and of the content security
// policy.
func (b *tab) listen(messages func(func(chromedp.ConsoleMessage, error) bool)) {
	for m, err := range messages {
		if err != nil {
			return
		}
		if expected(m.String()) {
			continue
		}
		if m.IsException() || m.Type == "error" || m.Type == "assert" {
			b.mu.Lock()
			b.troubles = append(b.troubles, m.String())
			b.mu.Unlock()
		}
	}
}

// expected reports whether the browser tells of what a test did on purpose: a
// page without a session, a message that does not fit, a network that is away.
func expected(m string) bool {
	for _, s := range []string{"status of 401", "status of 422", "ERR_INTERNET_DISCONNECTED"} {
		if strings.Contains(m, s) {
			return true
		}
	}
	return false
}

// do runs steps within the patience of a test.
func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.picture("failed")
		b.Fatalf("%s: %v\nat %s\n%s", what, err, b.js("location.href"), b.complaints())
	}
}

// click is a click that is counted.
func (b *tab) click(what, selector string) {
	b.Helper()
	b.clicks++
	b.do("click "+what, chromedp.WaitVisible(selector), chromedp.Click(selector))
}

// until waits for a condition in the page.
func (b *tab) until(what, condition string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
		if err == nil && ok {
			return
		}
		select {
		case <-ctx.Done():
			b.picture("failed")
			b.Fatalf("waited in vain for %s (%v)\nat %s\n%s\n%s", what, err, b.js("location.href"), b.js("document.querySelector('main')?.innerText.slice(0, 3000)"), b.complaints())
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// js evaluates an expression to a text.
func (b *tab) js(expression string) string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return s
}

func (b *tab) complaints() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.troubles, "\n")
}

// look sets the window and the theme of the system.
func (b *tab) look(width int64, theme string) {
	b.Helper()
	b.do("emulate", chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
}

// uploads sets the network that uploads go over; without conditions it is the
// machine's own.
func (b *tab) uploads(base string, conditions ...network.Conditions) {
	b.Helper()
	p := network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{}}
	for i := range conditions {
		conditions[i].URLPattern = base + "/api/v1/uploads*"
		p.MatchedNetworkConditions = append(p.MatchedNetworkConditions, &conditions[i])
	}
	b.do("set the network", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, p)
		return err
	}))
}

// picture writes a screenshot, if they are asked for.
func (b *tab) picture(name string) {
	dir := os.Getenv("SPINE_SCREENSHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	img, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		if err = os.MkdirAll(dir, 0o755); err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".png"), img, 0o644)
		}
	}
	if err != nil {
		b.Logf("screenshot %s: %v", name, err)
	}
}

// violation is what axe found wrong.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// axe fails the test for serious and critical violations.
func (b *tab) axe(page string) {
	b.Helper()
	source, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, 2*patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void]("if (!window.axe) {"+string(source)+"}; undefined")); err != nil {
		b.Fatalf("load axe: %v", err)
	}
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](`axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})`+
		`.then(r => JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 5).map(n => ({html: n.html.slice(0, 300), failureSummary: n.failureSummary}))}))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("axe on %s: %v", page, err)
	}
	var list []violation
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		b.Fatal(err)
	}
	for _, v := range list {
		text := fmt.Sprintf("%s: %s (%s): %s", page, v.ID, v.Impact, v.Help)
		for _, n := range v.Nodes {
			text += "\n    " + n.HTML + "\n      " + strings.ReplaceAll(n.Summary, "\n", "\n      ")
		}
		if v.Impact == "serious" || v.Impact == "critical" {
			b.Error(text)
		} else {
			b.Log(text)
		}
	}
}

// onlyAsked fails the test when a page asked anybody but the gateway, or
// complained.
func (b *tab) onlyAsked(base string) {
	b.Helper()
	home, err := url.Parse(base)
	if err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		if strings.HasPrefix(r, "blob:"+base) {
			continue
		}
		if u, err := url.Parse(r); err != nil || u.Host != home.Host {
			b.Errorf("a page asked for %s", r)
		}
	}
	if len(b.requests) == 0 {
		b.Error("no request was seen")
	}
	for _, m := range b.troubles {
		b.Errorf("the browser's console: %s", m)
	}
}
