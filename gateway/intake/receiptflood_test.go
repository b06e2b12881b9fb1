package intake_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/trust"
)

// One sender's receipts that cannot be judged, however many, leave the mailbox
// to the others: the broker delivers only so much that is not acknowledged. A
// receipt of another sender is dealt with meanwhile.
func TestReceiptsOfOneDoNotFillTheMailbox(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		bad, good := w.sender(), w.sender()
		receipt := func(s *sender, at int64) []byte {
			return must(envelope.NewReceipt(background, edSigner{s.key}, envelope.ReceiptBody{Cert: s.cert.Digest(), Package: s.pkg.Digest(), At: at,
				Lanes: []envelope.Lane{{UpTo: -1}}})).Bytes()
		}
		asked := 0
		w.sink.mu.Lock()
		w.sink.judge = func(sender string) error {
			if sender == good.addr {
				return nil
			}
			asked++
			return fmt.Errorf("%w: %w", envelope.BadCert.Errorf("absent"), trust.ErrAbsent)
		}
		w.sink.mu.Unlock()
		one := receipt(bad, 1)
		for i := range 30 {
			var many [][]byte
			for j := range 100 {
				if many = append(many, one); j%2 == 0 {
					many[j] = receipt(bad, int64(1+i*100+j))
				}
			}
			bad.send(many...)
			w.pass(100 * time.Millisecond)
		}
		good.send(receipt(good, 1))
		w.until("the other's is dealt with", func() bool { w.sink.mu.Lock(); defer w.sink.mu.Unlock(); return w.sink.got == 1 })
		w.mail.mu.Lock()
		n := len(w.mail.unack)
		w.mail.mu.Unlock()
		if n == 0 || n > 200 || asked > 20 {
			t.Fatalf("%d receipts of one sender are not acknowledged, %d were asked about", n, asked)
		}
	})
}
