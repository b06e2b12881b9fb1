package market

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLedgerGoesOnAfterAKill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.jsonl")
	l, err := OpenLedger(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.add(Entry{Do: "sent", ID: "a", To: []string{"x", "y"}, At: 1_000}, Entry{Do: "received", ID: "b", Verified: true, At: 5_000}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// A process that is killed leaves half a line.
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"do":"acked","i`); err != nil {
		t.Fatal(err)
	}
	f.Close()

	if l, err = OpenLedger(file); err != nil {
		t.Fatal(err)
	}
	// The request is repeated, the message is handed over again, and again after
	// it was acknowledged.
	for _, e := range []Entry{{Do: "sent", ID: "a", To: []string{"x", "y"}, At: 2_000}, {Do: "received", ID: "b", Redelivered: true, At: 9_000},
		{Do: "acked", ID: "b"}, {Do: "received", ID: "b", Redelivered: true}} {
		if err := l.add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want := Counts{Sent: 2, Received: 1, Verified: 1, Again: 2, Violation: 1}
	if got := l.Counts(); got != want {
		t.Errorf("counted %+v, not %+v", got, want)
	}
	n := 0
	if err := ReadLedger(file, func(Entry) { n++ }); err != nil || n != 6 {
		t.Errorf("read %d entries (%v), not 6: the entry after the half line is lost", n, err)
	}
}

func TestLatencies(t *testing.T) {
	open := func() *Ledger {
		l, err := OpenLedger("")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	from, to, other := open(), open(), open()
	_ = from.add(Entry{Do: "sent", ID: "a", To: []string{"x", "y"}, At: 1_000}, Entry{Do: "sent", ID: "b", To: []string{"x"}, At: 1_000})
	_ = to.add(Entry{Do: "received", ID: "a", At: 3_500}, Entry{Do: "received", ID: "c", At: 3_500})
	_ = other.add(Entry{Do: "received", ID: "a", At: 2_000})
	got := Latencies(from, to, other)
	if len(got) != 2 || got[0]+got[1] != 3.5 {
		t.Errorf("got %v, not 2.5 and 1 ms", got)
	}
}
