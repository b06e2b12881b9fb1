package outbox_test

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digital-spine/spine/gateway"
)

func benchDraft() gateway.Draft {
	return gateway.Draft{Channel: "telemetry", Body: json.RawMessage(`{"n":1,"s":"` + strings.Repeat("x", 1000) + `"}`)}
}

// BenchmarkSingle32 is 32 callers with one 1 KB message each: accept, validate,
// seal, commit with fsync, hand to a bus that takes 0.3 ms.
func BenchmarkSingle32(b *testing.B) {
	w := newWorld(b)
	w.book.admit(newParty(began.UnixMilli()))
	w.config.MaxBytes = 1 << 40
	w.net.delay = 300 * time.Microsecond
	w.net.forget = true
	w.start()
	b.SetParallelism(32 / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		d := []gateway.Draft{benchDraft()}
		for pb.Next() {
			if _, errs := w.box.Send(background, d); errs[0] != nil {
				b.Error(errs[0])
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkBatch500 is two callers with batches of 500 messages of 1 KB.
func BenchmarkBatch500(b *testing.B) {
	w := newWorld(b)
	w.book.admit(newParty(began.UnixMilli()))
	w.config.MaxBytes = 1 << 40
	w.net.delay = 2 * time.Millisecond
	w.net.forget = true
	w.start()
	var n atomic.Int64
	b.SetParallelism(1)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		batch := make([]gateway.Draft, 500)
		for i := range batch {
			batch[i] = benchDraft()
		}
		for pb.Next() {
			if _, errs := w.box.Send(background, batch); errs[0] != nil {
				b.Error(errs[0])
			}
			n.Add(500)
		}
	})
	b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "msg/s")
}
