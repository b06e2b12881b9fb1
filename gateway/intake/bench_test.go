package intake_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/gateway"
)

// BenchmarkIntake measures intake and handing over: bytes from the mailbox to
// acknowledged messages, with a real store that syncs every commit.
func BenchmarkIntake(b *testing.B) {
	for _, frames := range []int{1, 10, 200} {
		b.Run(fmt.Sprintf("frames=%d", frames), func(b *testing.B) {
			w := newWorld(b)
			const lanes = 16
			flows := make([]*flow, lanes)
			for i := range flows {
				flows[i] = w.sender().open()
				flows[i].s.send(flows[i].grant, flows[i].seal().Bytes())
			}
			w.drain(b, lanes)
			pad := strings.Repeat("x", 1000)
			total := max(b.N, frames)
			type wire struct {
				subject string
				data    []byte
			}
			var wires []wire
			n := 0
			for i := 0; n < total; i++ {
				f := flows[i%lanes]
				fs := good(frames)
				for j := range fs {
					fs[j].Body = []byte(fmt.Sprintf(`{"n":%d,"pad":"%s"}`, j, pad))
				}
				wires = append(wires, wire{w.subject(f.s.addr), f.seal(fs...).Bytes()})
				n += frames
			}
			b.ResetTimer()
			start := time.Now()
			go func() {
				for i := 0; i < len(wires); i += 200 {
					w.mail.mu.Lock()
					for _, x := range wires[i:min(i+200, len(wires))] {
						w.mail.seq++
						w.mail.add(w.mail.seq, x.subject, x.data, false)
					}
					close(w.mail.wake)
					w.mail.wake = make(chan struct{})
					w.mail.mu.Unlock()
				}
			}()
			w.drain(b, n)
			b.StopTimer()
			b.ReportMetric(float64(n)/time.Since(start).Seconds(), "msg/s")
		})
	}
}

// drain pulls and acknowledges until n messages came.
func (w *world) drain(b *testing.B, n int) {
	for n > 0 {
		got, err := w.inbox.Pull(w.ctx, gateway.Consumer{Name: "app", Channel: "telemetry"}, 1000, 10*time.Second)
		if err != nil {
			b.Fatal(err)
		}
		if len(got) == 0 {
			w.clock.Advance(time.Millisecond)
			continue
		}
		tokens := make([]string, len(got))
		for i := range got {
			tokens[i] = got[i].Ack
		}
		if err := w.inbox.Ack(w.ctx, tokens); err != nil {
			b.Fatal(err)
		}
		n -= len(got)
	}
}
