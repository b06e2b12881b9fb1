package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/participant/market"
)

// oursBench is a spine with the sample market on it: the network operator sends
// operating envelopes to the aggregator.
//
// Both participants speak plain HTTP with requests made beforehand and look for
// nothing but acknowledgement tokens in answers: what a customer's system does
// with a message is not the spine's work.
type oursBench struct {
	spine   *system.Spine
	http    *http.Client
	send    endpointOf
	take    endpointOf
	head    []byte // of one message, up to its body
	n       atomic.Int64
	stop    context.CancelFunc
	wg      sync.WaitGroup
	taken   *counter
	arrived chan time.Time
}

// endpointOf is a gateway's API.
type endpointOf struct{ url, key string }

// benchPullers take messages at the same time: one is handed the next while
// another acknowledges.
const benchPullers = 2

func startOurs(ctx context.Context, dir string) (made *oursBench, err error) {
	o := &oursBench{http: httpkit.Client(0), taken: newCounter(), arrived: make(chan time.Time, 1)}
	defer func() {
		if err != nil {
			made, err = nil, errors.Join(err, o.close())
		}
	}()
	if o.spine, err = system.StartSpine(ctx, filepath.Join(dir, "spine"), market.Parties, system.Base{Log: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, err
	}
	gateways := make(map[string]*client.Client)
	for _, g := range o.spine.Gateways {
		gateways[g.Name()] = client.New(g.URL(), g.APIKey())
		switch g.Name() {
		case market.NetworkOperator:
			o.send = endpointOf{g.URL() + "/api/v1", g.APIKey()}
		case market.Aggregator:
			o.take = endpointOf{g.URL() + "/api/v1", g.APIKey()}
			o.head = fmt.Appendf(nil, `{"channel":"envelope","to":[%q],"body":`, g.DID())
		}
	}
	chain := market.Chain{RPC: o.spine.Chain.URL(), Contracts: o.spine.Network.Contracts, Root: o.spine.Chain.Faucet()}
	if err = market.Setup(ctx, chain, gateways); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(ctx)
	o.stop = stop
	for range benchPullers {
		o.wg.Go(func() {
			if err := o.receive(run); err != nil && run.Err() == nil {
				o.taken.broken(err)
			}
		})
	}
	// The first message opens the session and waits until everybody's papers
	// are known: no measurement is about that.
	if err = o.one(ctx); err != nil {
		return nil, fmt.Errorf("send a first message: %w", err)
	}
	if err = o.taken.wait(ctx, 1); err != nil {
		return nil, fmt.Errorf("first message: %w", err)
	}
	return o, nil
}

func (o *oursBench) close() error {
	if o.stop != nil {
		o.stop()
	}
	o.wg.Wait()
	if o.spine == nil {
		return nil
	}
	return o.spine.Close()
}

// call sends a request and returns the answer, unless that is a problem.
func (o *oursBench) call(ctx context.Context, e endpointOf, method, path string, body []byte) ([]byte, error) {
	return httpkit.Do(ctx, o.http, method, e.url+path, e.key, "application/json", body)
}

// draft appends the next message's JSON.
func (o *oursBench) draft(b []byte) []byte {
	b = append(b, o.head...)
	return append(appendDocument(b, o.n.Add(1)), '}')
}

// one sends one message.
func (o *oursBench) one(ctx context.Context) error {
	_, err := o.call(ctx, o.send, http.MethodPost, "/messages", o.draft(nil))
	return err
}

// single sends one message a call.
func (o *oursBench) single(ctx context.Context, callers int, length time.Duration) (float64, error) {
	return load(ctx, callers, 1, length, o.taken, o.one)
}

// batches sends size messages a call.
func (o *oursBench) batches(ctx context.Context, callers, size int, length time.Duration) (float64, error) {
	return load(ctx, callers, size, length, o.taken, func(ctx context.Context) error {
		b := append(make([]byte, 0, size*(benchBytes+256)), `{"messages":[`...)
		for i := range size {
			if i > 0 {
				b = append(b, ',')
			}
			b = o.draft(b)
		}
		answer, err := o.call(ctx, o.send, http.MethodPost, "/messages/batch", append(b, "]}"...))
		if err == nil && (bytes.Contains(answer, []byte(`"problem"`)) || bytes.Count(answer, []byte(`"id"`)) != size) {
			err = fmt.Errorf("a batch was not accepted whole: %.300s", answer)
		}
		return err
	})
}

// latencies measures from the request to the receiving participant.
func (o *oursBench) latencies(ctx context.Context, samples int, length time.Duration) ([]float64, error) {
	select {
	case <-o.arrived: // of an earlier measurement
	default:
	}
	return oneByOne(ctx, samples, length, o.one, o.arrived)
}

// receive is the receiving participant: it takes what is there and acknowledges
// it; counted is what it acknowledged.
func (o *oursBench) receive(ctx context.Context) error {
	for ctx.Err() == nil {
		answer, err := o.call(ctx, o.take, http.MethodGet, "/messages?channel=envelope&max=1000&wait=20s", nil)
		if err != nil {
			return err
		}
		at := time.Now()
		acks, n := ackRequest(answer)
		if n == 0 {
			continue
		}
		select {
		case o.arrived <- at:
		default:
		}
		if bytes.Contains(answer, []byte(`"redelivered":true`)) {
			return errors.New("a message was handed over twice")
		}
		if _, err := o.call(ctx, o.take, http.MethodPost, "/acks", acks); err != nil {
			return err
		}
		o.taken.add(n)
	}
	return nil
}

// ackRequest makes the request that acknowledges every message of an answer.
// The documents of the benchmark hold no member ack.
func ackRequest(answer []byte) (request []byte, n int) {
	const member = `"ack":"`
	request = append(request, `{"acks":[`...)
	for {
		i := bytes.Index(answer, []byte(member))
		if i < 0 {
			return append(request, "]}"...), n
		}
		answer = answer[i+len(member):]
		end := bytes.IndexByte(answer, '"')
		if end < 0 {
			return append(request, "]}"...), n
		}
		if n++; n > 1 {
			request = append(request, ',')
		}
		request = append(append(append(request, '"'), answer[:end]...), '"')
		answer = answer[end:]
	}
}
