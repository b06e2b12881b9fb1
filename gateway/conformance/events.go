package conformance

import (
	"fmt"
	"testing"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/events"
)

// Events is the suite of the ring of events. fresh makes an empty database and
// returns how to open it: each call closes what the call before it returned.
func Events(t *testing.T, fresh func(t *testing.T) (open func() events.Store)) {
	open := fresh(t)
	list := []gateway.Event{
		{At: 5, Kind: gateway.KindRefused, Code: "signature", DID: "did:a", Session: "01", Seq: gateway.Seq(0), Digest: "02", Channel: "ch", Topic: "t", Messages: []string{"m"}, Detail: "why"},
		{At: 4, Kind: gateway.KindRefused, Code: "schema"},
		{At: 6, Kind: gateway.KindDetected, Code: "schema"},
	}
	ok(t, open().Append(ctx, list, 100))
	if list[0].N <= 0 || list[1].N <= list[0].N || list[2].N <= list[1].N {
		t.Fatalf("numbers %d, %d, %d", list[0].N, list[1].N, list[2].N)
	}
	st := open()
	for _, c := range []struct {
		after      int64
		kind, code string
		max        int
		want       []gateway.Event
	}{
		{0, "", "", 10, list},
		{0, "", "", 2, list[:2]},
		{list[0].N, "", "", 10, list[1:]},
		{0, gateway.KindRefused, "", 10, list[:2]},
		{0, "", "schema", 10, list[1:]},
		{0, gateway.KindDetected, "schema", 10, list[2:]},
		{list[2].N, "", "", 10, nil},
	} {
		got, err := st.List(ctx, c.after, c.kind, c.code, c.max)
		ok(t, err)
		if len(c.want) == 0 && len(got) == 0 {
			continue
		}
		same(t, got, c.want)
	}
	for _, c := range []struct {
		before     int64
		kind, code string
		max        int
		want       []gateway.Event
	}{
		{0, "", "", 10, []gateway.Event{list[2], list[1], list[0]}},
		{0, "", "", 1, list[2:]},
		{list[2].N, "", "", 10, []gateway.Event{list[1], list[0]}},
		{0, gateway.KindRefused, "", 10, []gateway.Event{list[1], list[0]}},
		{list[2].N, "", "schema", 10, list[1:2]},
	} {
		got, err := st.Newest(ctx, c.before, c.kind, c.code, c.max)
		ok(t, err)
		same(t, got, c.want)
	}
	counts, err := st.Summary(ctx, 5)
	ok(t, err)
	same(t, counts, []events.Count{{Kind: gateway.KindDetected, Code: "schema", Count: 1, Last: 6}, {Kind: gateway.KindRefused, Code: "signature", Count: 1, Last: 5}})
	more := make([]gateway.Event, 4)
	for i := range more {
		more[i] = gateway.Event{At: 7, Kind: gateway.KindState, Code: fmt.Sprint("c", i)}
	}
	ok(t, st.Append(ctx, more, 2))
	if more[0].N <= list[2].N {
		t.Fatalf("number %d again after %d", more[0].N, list[2].N)
	}
	got, err := open().List(ctx, 0, "", "", 10)
	ok(t, err)
	same(t, got, more[2:])
}
