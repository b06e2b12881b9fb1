package main

import (
	"testing"

	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/schema"
)

// TestBenchDocument makes documents of the size the benchmark speaks of, which
// the market's schema takes.
func TestBenchDocument(t *testing.T) {
	doc := appendDocument([]byte("behind something else"), 1234567)[len("behind something else"):]
	if len(doc) != benchBytes {
		t.Fatalf("the document has %d bytes", len(doc))
	}
	text, err := market.Schema("envelope")
	if err != nil {
		t.Fatal(err)
	}
	v, err := schema.Compile(schema.KindJSON, "envelope.json", []schema.File{{Name: "envelope.json", Data: text}})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Validate(doc); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
}
