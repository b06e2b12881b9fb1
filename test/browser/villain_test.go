package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/participant/villain"
)

// TestVillainsAppear has every attack made while the page of events is open in
// the console of each party: what it left there appears, without a reload.
func TestVillainsAppear(t *testing.T) {
	chromium(t)
	s := startSpine(t)
	ctx := testkit.Context(t)
	admin, err := s.AdminKey()
	if err != nil {
		t.Fatal(err)
	}
	tabs := map[string]*tab{}
	for name, gw := range s.gateways {
		link, err := gw.Link(ctx, nil, "a visitor")
		if err != nil {
			t.Fatal(err)
		}
		b := openTab(t)
		b.do("open the link", chromedp.Navigate(link.URL), chromedp.WaitVisible("#home"))
		b.do("events", chromedp.Navigate(s.urls[name]+"/events"), chromedp.WaitVisible("#events"))
		b.until("the live stream", `document.querySelector('[data-live-state]').dataset.state === "open"`)
		tabs[name] = b
	}
	report, err := villain.Run(ctx, villain.World{Network: s.Network, RPC: s.Chain.URL(),
		Operator: villain.NewOperator(s.Broker.URL(), admin), Gateways: s.gateways, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Held() {
		t.Fatal(report.Attacks)
	}
	for _, name := range villain.Attacks {
		if len(report.Traces[name]) == 0 {
			t.Errorf("attack %s left nothing", name)
		}
		for _, trace := range report.Traces[name] {
			tabs[trace.Party].until(fmt.Sprintf("what attack %s left at the %s: %s", name, market.Called[trace.Party], trace.Code),
				fmt.Sprintf(`[...document.querySelectorAll("#events .events li code")].some(c => c.innerText === %q)`, trace.Code))
		}
	}
}
