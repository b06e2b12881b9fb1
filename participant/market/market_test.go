package market

import (
	"bytes"
	"testing"

	"github.com/digital-spine/spine/schema"
)

// compile returns the compiled schema of a topic.
func compile(t testing.TB, topic string) schema.Streamer {
	t.Helper()
	text, err := Schema(topic)
	if err != nil {
		t.Fatal(err)
	}
	v, err := schema.Compile(Kind(topic), "root.json", []schema.File{{Name: "root.json", Data: text}})
	if err != nil {
		t.Fatalf("%s: %v", topic, err)
	}
	return v.(schema.Streamer)
}

func TestSchemasCompile(t *testing.T) {
	for _, topic := range Topics {
		compile(t, topic)
	}
}

func TestNetworkModelFitsItsTopic(t *testing.T) {
	v := compile(t, "network")
	for _, rows := range []int{1, 2, 121, ModelRows} {
		var a, b bytes.Buffer
		if err := WriteNetworkModel(&a, rows, 1); err != nil {
			t.Fatal(err)
		}
		if err := v.ValidateReader(bytes.NewReader(a.Bytes()), "text/csv"); err != nil {
			t.Errorf("%d rows: %v", rows, err)
		}
		if n := bytes.Count(a.Bytes(), []byte("\r\n")); n != rows+1 {
			t.Errorf("%d rows gave %d lines", rows, n)
		}
		if err := WriteNetworkModel(&b, rows, 1); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%d rows: the same seed gave other bytes (%v)", rows, err)
		}
	}
}

// TestDocumentsFitTheirTopics trades some rounds without a spine.
func TestDocumentsFitTheirTopics(t *testing.T) {
	telemetry, envelope, bidding, answer := compile(t, "telemetry"), compile(t, "envelope"), compile(t, "bid"), compile(t, "dispatch")
	f := Fleet{Size: 100, Seed: 1}
	var sim simulation
	for n := 1; n <= 40; n++ {
		start := RoundStart(n)
		if err := sim.advance(f, start); err != nil {
			t.Fatal(err)
		}
		for i := range f.Size {
			if doc := Telemetry(nil, sim.fleet.Reading(i)); telemetry.Validate(doc) != nil {
				t.Fatalf("%v: %s", telemetry.Validate(doc), doc)
			}
		}
		for i := range EnvelopesPerRound {
			doc, err := operatingEnvelope(n, i, pointsOf(i, sim.fleet.Sites()), start)
			if err != nil {
				t.Fatal(err)
			}
			if err := envelope.Validate(doc); err != nil {
				t.Fatalf("%v: %s", err, doc)
			}
			if err := sim.take(doc); err != nil {
				t.Fatal(err)
			}
		}
		doc, err := bid("bid-r1-1", start, offers(float64(n-1)))
		if err != nil {
			t.Fatal(err)
		}
		if err := bidding.Validate(doc); err != nil {
			t.Fatalf("%v: %s", err, doc)
		}
		if doc, err = dispatch(doc); err != nil {
			t.Fatal(err)
		}
		if err := answer.Validate(doc); err != nil {
			t.Fatalf("%v: %s", err, doc)
		}
	}
	// At noon the fleet visibly obeys.
	tot := sim.fleet.Totals()
	if tot.Bound != sim.fleet.Sites() || tot.Limited == 0 || tot.Breaches > 0 || -tot.PV >= tot.Possible {
		t.Errorf("the fleet does not show that it obeys: %+v", tot)
	}
	t.Logf("%+v", tot)
	for n := range sim.fleet.Sites() {
		p := sim.fleet.Point(n)
		if p.Low < p.Limit.Min-1e-6 || p.High > p.Limit.Max+1e-6 {
			t.Errorf("point %d: %+v", n, p)
		}
	}
}
