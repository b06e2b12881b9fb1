package bus

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
)

// FuzzDelivery reads replies as a hostile server could write them.
func FuzzDelivery(f *testing.F) {
	f.Add("$JS.ACK.MB_01.i-x.1.2.3.4.5")
	f.Add("$JS.ACK.MB_01.i-x.1.2.3.4.5.6")
	f.Add("$JS.ACK.MB_01.i-x.")
	f.Add("")
	const head = "$JS.ACK.MB_01.i-x."
	f.Fuzz(func(t *testing.T, reply string) {
		a, ok := parseAck(head, reply)
		if !ok {
			return
		}
		again := fmt.Sprintf("%s%d.%d.%d.%d.%d", head, a.delivered, a.stream, a.consumer, uint64(a.created), a.pending)
		if b, ok := parseAck(head, again); !ok || a != b {
			t.Fatalf("%q reads as %+v, written again as %+v", reply, a, b)
		}
	})
}

// FuzzAcknowledgement judges answers as a hostile server could send them.
func FuzzAcknowledgement(f *testing.F) {
	for _, s := range []string{`{"stream":"MB_01","seq":5}`, `{"error":{"code":503,"err_code":10077}}`, `{`, ``, `{"stream":"MB_01","seq":-1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &round{lane: &lane{pp: 1}, items: make([]*item, 1)}
		if err := r.check(&nats.Msg{Data: data}, 0); err == nil && r.lane.last == 0 {
			t.Fatalf("%q was taken without a sequence", data)
		}
	})
}

func TestAcknowledgementsAreJudged(t *testing.T) {
	none := &nats.Msg{Header: nats.Header{"Status": {"503"}}}
	for _, tc := range []struct {
		name  string
		batch bool
		last  uint64
		m     *nats.Msg
		want  Code
	}{
		{"stored", false, 4, &nats.Msg{Data: []byte(`{"stream":"MB_01","seq":5}`)}, ""},
		{"another stream", false, 0, &nats.Msg{Data: []byte(`{"stream":"MB_02","seq":5}`)}, CodeBadAck},
		{"duplicate", false, 0, &nats.Msg{Data: []byte(`{"stream":"MB_01","seq":5,"duplicate":true}`)}, CodeBadAck},
		{"sequence of before", false, 5, &nats.Msg{Data: []byte(`{"stream":"MB_01","seq":5}`)}, CodeBadAck},
		{"batch", true, 0, &nats.Msg{Data: []byte(`{"stream":"MB_01","seq":5,"batch":"x","count":2}`)}, ""},
		{"half a batch", true, 0, &nats.Msg{Data: []byte(`{"stream":"MB_01","seq":5,"batch":"x","count":1}`)}, CodeBadAck},
		{"mailbox full", false, 0, &nats.Msg{Data: []byte(`{"error":{"code":503,"err_code":10077,"description":"maximum messages per subject exceeded"}}`)}, CodeMailboxFull},
		{"partition full", false, 0, &nats.Msg{Data: []byte(`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`)}, CodeStreamFull},
		{"too large", false, 0, &nats.Msg{Data: []byte(`{"error":{"code":400,"err_code":10054,"description":"x"}}`)}, CodeTooLarge},
		{"batch refused", true, 0, &nats.Msg{Data: []byte(`{"error":{"code":429,"err_code":10210,"description":"x"}}`)}, CodeRefused},
		{"nobody there", false, 0, none, CodeNoMailbox},
		{"no JSON", false, 0, &nats.Msg{Data: []byte(`+OK`)}, CodeBadAck},
	} {
		r := &round{lane: &lane{pp: 1, last: tc.last}, items: make([]*item, 2), batch: tc.batch}
		if got := CodeOf(r.check(tc.m, 0)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	// A stream that was rolled back is refused once, then taken as it is.
	r := &round{lane: &lane{pp: 1, last: 100}, items: make([]*item, 1)}
	m := &nats.Msg{Data: []byte(`{"stream":"MB_01","seq":7}`)}
	if CodeOf(r.check(m, 0)) != CodeBadAck || r.check(m, 0) != nil {
		t.Error("a rolled back stream blocks for good")
	}
}
