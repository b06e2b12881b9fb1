package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// benchSync is the sync_interval of both sides.
const benchSync = "always"

// benchBytes is the size of a document.
const benchBytes = 1024

// benchHead is the start of an operating envelope as the sample market's network
// operator sends it, up to a text that fills it up to 1 KB.
const benchHead = `{"MessageDocumentHeader":{"creationDateTime":"2026-06-01T06:00:00Z","MetaInformation":{"documentType":"min-max-envelope",` +
	`"Asset":{"type":"CONNECTION-AGREEMENT-POINT","operatorId":"EDGE-DNSP","meterId":"NMI00000001"}}},"MarketDocument":{"mRID":"doe-000000000000","revisionNumber":"1",` +
	`"lastModifiedDateTime":"2026-06-01T06:00:00Z","sender_MarketParticipant.mRID":{"value":"EDGE-DNSP","codingScheme":"NAT"},` +
	`"receiver_MarketParticipant.mRID":{"value":"EDGE-AGG","codingScheme":"NAT"},"process.processType":"A14",` +
	`"period.timeInterval":{"start":"2026-06-01T06:00:00Z","end":"2026-06-01T06:05:00Z"},"TimeSeries_Series":[{"mRID":"1","businessType":"C76","curveType":"A01","flowDirection.direction":"A03","registeredResource.mRID":{"value":"NMI00000001","codingScheme":"NAT"},` +
	`"Series":[{"Period":[{"resolution":"PT5M",` +
	`"timeInterval":{"start":"2026-06-01T06:00:00Z","end":"2026-06-01T06:05:00Z"},` +
	`"Point":[{"position":1,"min_Quantity.quantity":-5,"max_Quantity.quantity":7}]}]}]}],"description":"`

// benchTemplate is a whole document.
var benchTemplate = func() []byte {
	b := append(make([]byte, 0, benchBytes), benchHead...)
	for len(b) < benchBytes-len(`"}}`) {
		b = append(b, 'x')
	}
	return append(b, `"}}`...)
}()

// appendDocument appends a document that has the number n.
func appendDocument(b []byte, n int64) []byte {
	b = append(b, benchTemplate...)
	digits := b[len(b)-benchBytes+benchNumber:][:12]
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// benchNumber is where the number stands.
var benchNumber = strings.Index(benchHead, "doe-") + len("doe-")

// processCPU returns the processor time this process has used, to 10 ms; 0
// where the system does not tell.
func processCPU() time.Duration {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	// Fields after the command's name; the 14th and 15th of all are user and
	// system time in ticks of 10 ms.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		return 0
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// load sends from a number of callers for a time, and waits until all of it was
// acknowledged by the receiver. It returns messages a second over the whole of
// it, so that nothing is counted which was only sent. taken is the receiver's
// count of acknowledged messages; send sends n messages.
func load(ctx context.Context, callers, n int, length time.Duration, taken *counter, send func(ctx context.Context) error) (float64, error) {
	begin, from := time.Now(), taken.n.Load()
	var sent atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		wg.Go(func() {
			for time.Since(begin) < length && errs[i] == nil {
				if errs[i] = send(ctx); errs[i] == nil {
					sent.Add(int64(n))
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, fmt.Errorf("send: %w", orCause(ctx, err))
		}
	}
	if err := taken.wait(ctx, from+sent.Load()); err != nil {
		return 0, err
	}
	return float64(sent.Load()) / time.Since(begin).Seconds(), nil
}

// counter counts what the receiver acknowledged.
type counter struct {
	n    atomic.Int64
	more chan struct{} // something was added
	fail chan error    // the receiver ended
}

func newCounter() *counter {
	return &counter{more: make(chan struct{}, 1), fail: make(chan error, 1)}
}

func (c *counter) add(n int) {
	c.n.Add(int64(n))
	select {
	case c.more <- struct{}{}:
	default:
	}
}

func (c *counter) broken(err error) {
	select {
	case c.fail <- err:
	default:
	}
}

// wait returns when n were counted.
func (c *counter) wait(ctx context.Context, n int64) error {
	for c.n.Load() < n {
		select {
		case <-c.more:
		case err := <-c.fail:
			return fmt.Errorf("receive: %w", orCause(ctx, err))
		case <-ctx.Done():
			return fmt.Errorf("%d of %d messages have not arrived: %w", n-c.n.Load(), n, context.Cause(ctx))
		}
	}
	return nil
}

// orCause prefers why ctx ended.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil && !strings.Contains(err.Error(), "longer than") {
		return context.Cause(ctx)
	}
	return err
}

// oneByOne measures messages that have the path for themselves: send returns
// once the message was accepted, arrived gives the time it was received at.
func oneByOne(ctx context.Context, samples int, length time.Duration, send func(context.Context) error, arrived <-chan time.Time) ([]float64, error) {
	all := make([]float64, 0, samples)
	for begin := time.Now(); len(all) < samples && (time.Since(begin) < length || len(all) == 0); {
		sent := time.Now()
		if err := send(ctx); err != nil {
			return nil, fmt.Errorf("send: %w", orCause(ctx, err))
		}
		select {
		case at := <-arrived:
			all = append(all, float64(at.Sub(sent).Microseconds())/1000)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return all, nil
}
