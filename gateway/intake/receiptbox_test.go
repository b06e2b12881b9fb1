package intake

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Whatever comes, and however little of it is dealt with, the receipts that are
// not acknowledged are bounded, each is acknowledged once, the newest of a
// sender is kept, and its turn comes whoever else has many.
func TestReceiptBoxIsBounded(t *testing.T) {
	b := receiptBox{ready: make(chan struct{}, 1)}
	random := rand.New(rand.NewPCG(1, 2))
	out := make(map[uint64]bool) // not acknowledged
	gone := func(seq uint64) {
		if !out[seq] {
			t.Fatalf("%d was acknowledged twice", seq)
		}
		delete(out, seq)
	}
	now, peak := int64(0), 0
	size := func(seq uint64) int { return 100 + int(seq%97)*2000 }
	put := func(sender string, seq uint64) {
		out[seq] = true
		for _, in := range b.put(&receiptIn{sender: sender, stream: "S", seq: seq, wire: make([]byte, size(seq)), size: size(seq), seen: now}) {
			gone(in.seq)
		}
	}
	where := make(map[uint64]string)
	for seq := uint64(1); seq <= 20_000; seq++ {
		now++
		sender := fmt.Sprint(random.IntN(3))
		if seq > 6000 {
			sender = fmt.Sprint(random.IntN(1500))
		}
		where[seq] = sender
		put(sender, seq)
		list := b.held[sender]
		if n := len(list); n > maxReceiptsOf || (n > 0 && list[n-1].seq != seq) {
			t.Fatalf("%d of one sender, its newest is %d", n, list[n-1].seq)
		}
		switch random.IntN(10) {
		case 0:
			if in, _ := b.next(); in != nil {
				b.done(in)
				gone(in.seq)
			}
		case 1, 2, 3: // looked at, and left to come again
			if in, _ := b.next(); in != nil {
				put(where[in.seq], in.seq)
			}
		}
		peak = max(peak, len(out))
		bytes := 0
		for _, list := range b.held {
			for _, h := range list {
				bytes += h.size
			}
		}
		if len(out) > 2*maxReceipts || len(out) != b.all || bytes != b.bytes || bytes > 2*maxReceiptBytes {
			t.Fatalf("%d are not acknowledged, %d are counted, %d bytes as %d", len(out), b.all, bytes, b.bytes)
		}
	}
	if peak < maxReceipts {
		t.Fatalf("there were %d at most", peak)
	}
	put("an honest one", 1<<32)
	last := map[string]bool{}
	for in, _ := b.next(); in.sender != "an honest one"; in, _ = b.next() {
		if last[in.sender] {
			t.Fatal("a sender had two turns before another had one")
		}
		last[in.sender] = true
	}
	for in, _ := b.next(); in != nil; in, _ = b.next() {
	}
	now += lostAfter + 1
	b.mu.Lock()
	b.forget(now - lostAfter)
	b.mu.Unlock()
	if b.all > 0 || b.bytes > 0 || len(b.held) > 0 {
		t.Fatalf("%d with %d bytes of %d senders are counted that the broker forgot", b.all, b.bytes, len(b.held))
	}
}
