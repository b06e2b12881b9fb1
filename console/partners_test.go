package console

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/digital-spine/spine/gateway"
)

// busy is an API whose gateway has n partners: partner i exchanged i messages
// on two channels together, and the overview lists the quietest first.
func busy(n int) *fakeAPI {
	f, o := newAPI(), overview()
	for i := range n {
		did := fmt.Sprintf("did:x:p%02d", i)
		o.Partners = append(o.Partners, gateway.Partner{DID: did, Last: int64(1000 - i)})
		if i > 0 {
			o.Edges = append(o.Edges, gateway.Edge{From: did, To: self, Channel: "a", Direction: gateway.In, Count: int64(i), Refused: int64(i % 2)})
			o.Edges = append(o.Edges, gateway.Edge{From: self, To: did, Channel: "b", Direction: gateway.Out, Count: int64(i)})
		}
	}
	f.answers["GET /overview"] = o
	return f
}

var place = regexp.MustCompile(`<circle class="node" cx="([0-9.]+)" cy="([0-9.]+)"`)

func TestTheMapDrawsTheBusiestAndSaysSo(t *testing.T) {
	for n, drawn := range map[int]int{1: 1, 2: 2, 5: 5, 8: 8, 9: 9, 15: 15, 16: 16, 17: 16, 40: 16} {
		body := visitTo(t, busy(n), "/").Body.String()
		at := place.FindAllString(body, -1)
		if len(at) != drawn+1 || len(slices.Compact(slices.Sorted(slices.Values(at)))) != drawn+1 {
			t.Errorf("of %d partners the map draws %d, or some at one place", n, len(at)-1)
		}
		for i := range n {
			is := strings.Contains(body, fmt.Sprintf(`<a href="/messages?partner=did%%3Ax%%3Ap%02d"><circle`, i))
			if want := i >= n-drawn; is != want {
				t.Errorf("of %d partners, whose number is how busy they are, number %d is drawn: %t", n, i, is)
			}
		}
		switch {
		case n <= 16:
			hasNot(t, fmt.Sprint(n, " partners"), body, "Drawn are the")
		case n == 17:
			has(t, "17 partners", body, "Drawn are the 16 busiest", `<a href="/partners">1 other partner</a>`)
		default:
			has(t, "40 partners", body, "Drawn are the 16 busiest", `<a href="/partners">24 others</a>`)
		}
	}
}

func TestAllPartnersAreListedTheBusiestFirst(t *testing.T) {
	body := visitTo(t, busy(40), "/partners").Body.String()
	var got []string
	for _, m := range regexp.MustCompile(`<tr class="linked" id="p-([^"]*)"`).FindAllStringSubmatch(body, -1) {
		got = append(got, m[1])
	}
	want := []string{}
	for i := 39; i >= 0; i-- {
		want = append(want, fmt.Sprintf("did:x:p%02d", i))
	}
	// Who has a name here and was not heard from comes last.
	if want = append(want, other); !slices.Equal(got, want) {
		t.Errorf("listed are %v", got)
	}
	has(t, "the list", body, "41 partners", "Network operator", "nothing in the last 15 minutes", `href="/messages?partner=did%3Ax%3Ap39"`, `<span class="tag">a</span>`)
	f := newAPI()
	delete(f.answers, "GET /contacts")
	has(t, "an empty list", visitTo(t, f, "/partners").Body.String(), "Nobody to be seen yet")
}
