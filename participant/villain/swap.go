package villain

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/participant/market"
)

// swapped is the size of the files of which parts are swapped: one part each.
const swapped = 96 << 10

// partSwapped: two files are on their way, and the broker puts a part of the
// one where a part of the other was.
func (x *run) partSwapped(ctx context.Context) error {
	from, to := x.Gateways[market.MarketOperator], x.Gateways[market.Aggregator]
	sender, err := from.Identity(ctx)
	if err != nil {
		return err
	}
	recipient, err := to.Identity(ctx)
	if err != nil {
		return err
	}
	reader, err := x.impostor(ctx)
	if err != nil {
		return err
	}
	w, err := eventsNow(ctx, to)
	if err != nil {
		return err
	}
	before, err := x.Operator.Blobs(ctx)
	if err != nil {
		return err
	}
	known := make(map[envelope.Digest]bool, len(before))
	for _, b := range before {
		known[b.Hash] = true
	}
	if err := x.Operator.Pause(ctx, recipient.Addr); err != nil {
		return err
	}
	for range 2 {
		if err := sendFile(ctx, from, recipient.DID); err != nil {
			return err
		}
	}
	after, err := x.Operator.Blobs(ctx)
	if err != nil {
		return err
	}
	var parts []envelope.Digest
	for _, b := range after {
		if !known[b.Hash] && b.Size > swapped {
			parts = append(parts, b.Hash)
		}
	}
	if len(parts) < 2 {
		return fmt.Errorf("the broker holds %d new parts of two files", len(parts))
	}
	other, err := reader.Blob(ctx, parts[1])
	if err != nil {
		return err
	}
	if err := x.Operator.ReplaceBlob(ctx, parts[0], other); err != nil {
		return err
	}
	if err := x.Operator.Resume(ctx, recipient.Addr); err != nil {
		return err
	}
	code := string(envelope.ContentHash)
	x.trace("part_swapped", market.Aggregator, gateway.Event{Code: code, DID: sender.DID})
	e, err := w.wait(ctx, func(e *gateway.Event) bool { return e.Code == code && e.DID == sender.DID })
	if err == nil && e != nil {
		x.report.Attacks["part_swapped"] = Detected
	}
	return err
}

// sendFile sends a file of random bytes and waits until it is with the broker.
func sendFile(ctx context.Context, from *client.Client, to string) error {
	ctx, cancel := context.WithTimeout(ctx, noticed)
	defer cancel()
	body := make([]byte, swapped)
	rand.Read(body)
	_, a, err := from.Upload(ctx, bytes.NewReader(body), swapped, client.UploadOptions{Name: "swap.bin", Channel: "files", To: []string{to}, Send: true})
	if err != nil {
		return err
	}
	if a == nil {
		return errors.New("the file was not sent")
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		st, err := from.Status(ctx, a.ID)
		if err != nil {
			return err
		}
		if st.State != gateway.StateWaiting {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the file's message is %s (%s)", st.State, st.Code)
		case <-tick.C:
		}
	}
}
