package bus_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/digital-spine/spine/broker/brokertest"
	"github.com/digital-spine/spine/bus"
)

// BenchmarkPublish has callers that publish one message of 1 KB at a time to
// one mailbox: their messages gather into rounds.
func BenchmarkPublish(b *testing.B) {
	for _, callers := range []int{1, 16, 32, 100, 1000} {
		for _, from := range []int{8, 16, 32, 64} {
			if callers < from && from > 8 {
				continue
			}
			b.Run(fmt.Sprintf("callers=%d/batchfrom=%d", callers, from), func(b *testing.B) {
				br := brokertest.Start(b, "", nil)
				bob, _ := brokertest.Joined(b, br)
				alice := brokertest.New(b, 0)
				alice.Login(b, br)
				c := alice.Connect(b, func(c *bus.ConnConfig) { c.MinBatch = from })
				data := make([]byte, 1024)
				b.SetBytes(1024)
				b.ResetTimer()
				var wg sync.WaitGroup
				for i := range callers {
					wg.Go(func() {
						for n := i; n < b.N; n += callers {
							if err := c.Publish(b.Context(), []bus.Msg{{Subject: alice.Subject(bob), Data: data}})[0]; err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
			})
		}
	}
}

// BenchmarkPull reads stored messages of 1 KB with an acknowledgement each.
func BenchmarkPull(b *testing.B) {
	br := brokertest.Start(b, "", nil)
	alice, ac := brokertest.Joined(b, br)
	bob, bc := brokertest.Joined(b, br)
	data := make([]byte, 1024)
	for left := b.N; left > 0; left -= 1000 {
		msgs := make([]bus.Msg, min(left, 1000))
		for i := range msgs {
			msgs[i] = bus.Msg{Subject: alice.Subject(bob), Data: data}
		}
		for _, err := range ac.Publish(b.Context(), msgs) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(1024)
	b.ResetTimer()
	pull := bob.Pull(b, bc)
	take(b, pull, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}
