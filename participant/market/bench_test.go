package market

import (
	"bytes"
	"testing"
)

// BenchmarkNetworkModel checks a network model against its topic.
func BenchmarkNetworkModel(b *testing.B) {
	var doc bytes.Buffer
	if err := WriteNetworkModel(&doc, 20_000, 1); err != nil {
		b.Fatal(err)
	}
	v := compile(b, "network")
	b.SetBytes(int64(doc.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := v.ValidateReader(bytes.NewReader(doc.Bytes()), "text/csv"); err != nil {
			b.Fatal(err)
		}
	}
}
