package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/digital-spine/spine/bus"
)

// bareBench is JetStream alone: the server a broker embeds, a stream like a
// mailbox's, one connection over loopback to publish and one to consume.
type bareBench struct {
	server  *bus.Server
	out, in *nats.Conn
	js      jetstream.JetStream
	consume jetstream.ConsumeContext
	taken   *counter
	arrived chan time.Time
	doc     []byte
}

const (
	bareStream  = "BENCH"
	bareSubject = "bench.all"
)

func startBare(ctx context.Context, dir string) (made *bareBench, err error) {
	b := &bareBench{taken: newCounter(), arrived: make(chan time.Time, 1), doc: appendDocument(nil, 0)}
	defer func() {
		if err != nil {
			b.close()
			made = nil
		}
	}()
	if b.server, err = bus.Embed(ctx, bus.EmbedConfig{StoreDir: filepath.Join(dir, "bare"), Listen: "127.0.0.1:0", SyncInterval: benchSync}); err != nil {
		return nil, err
	}
	// The broker's own user connects within the process by default; gateways go
	// over loopback, and so does this.
	loopback := func(o *nats.Options) error {
		o.InProcessServer, o.Servers = nil, []string{b.server.URL()}
		return nil
	}
	if b.out, err = b.server.Connect(loopback); err != nil {
		return nil, err
	}
	if b.in, err = b.server.Connect(loopback); err != nil {
		return nil, err
	}
	if b.js, err = jetstream.New(b.out); err != nil {
		return nil, err
	}
	if _, err = b.js.CreateStream(ctx, jetstream.StreamConfig{Name: bareStream, Subjects: []string{bareSubject}, Storage: jetstream.FileStorage,
		Replicas: 1, Retention: jetstream.LimitsPolicy, AllowAtomicPublish: true}); err != nil {
		return nil, err
	}
	in, err := jetstream.New(b.in)
	if err != nil {
		return nil, err
	}
	c, err := in.CreateConsumer(ctx, bareStream, jetstream.ConsumerConfig{Durable: "all", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 20_000})
	if err != nil {
		return nil, err
	}
	b.consume, err = c.Consume(func(m jetstream.Msg) {
		at := time.Now()
		if err := m.Ack(); err != nil {
			b.taken.broken(err)
			return
		}
		b.taken.add(1)
		select {
		case b.arrived <- at:
		default:
		}
	}, jetstream.PullMaxMessages(1000))
	return b, err
}

func (b *bareBench) close() {
	if b.consume != nil {
		b.consume.Stop()
	}
	for _, nc := range []*nats.Conn{b.in, b.out} {
		if nc != nil {
			nc.Close()
		}
	}
	if b.server != nil {
		_ = b.server.Close()
	}
}

// single publishes message by message, each caller waiting for its answer.
func (b *bareBench) single(ctx context.Context, callers int, length time.Duration) (float64, error) {
	return load(ctx, callers, 1, length, b.taken, b.publish)
}

func (b *bareBench) publish(ctx context.Context) error {
	_, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: bareSubject, Data: b.doc})
	return err
}

// batches publishes atomic batches, each caller waiting for its answer.
func (b *bareBench) batches(ctx context.Context, callers, size int, length time.Duration) (float64, error) {
	return load(ctx, callers, size, length, b.taken, func(ctx context.Context) error { return b.batch(ctx, size) })
}

func (b *bareBench) batch(ctx context.Context, size int) error {
	id := []string{rand.Text()}
	for i := 1; i < size; i++ {
		if err := b.out.PublishMsg(&nats.Msg{Subject: bareSubject, Data: b.doc,
			Header: nats.Header{"Nats-Batch-Id": id, "Nats-Batch-Sequence": {strconv.Itoa(i)}}}); err != nil {
			return err
		}
	}
	answer, err := b.out.RequestMsgWithContext(ctx, &nats.Msg{Subject: bareSubject, Data: b.doc,
		Header: nats.Header{"Nats-Batch-Id": id, "Nats-Batch-Sequence": {strconv.Itoa(size)}, "Nats-Batch-Commit": {"1"}}})
	if err != nil {
		return err
	}
	var ack struct {
		Count int              `json:"count"`
		Error *json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return err
	}
	if ack.Error != nil {
		return fmt.Errorf("a batch was refused: %s", *ack.Error)
	}
	if ack.Count != size {
		return errors.New("a batch was not stored whole")
	}
	return nil
}

// latencies measures from the publish to the consumer's handler.
func (b *bareBench) latencies(ctx context.Context, samples int, length time.Duration) ([]float64, error) {
	select {
	case <-b.arrived: // of an earlier measurement
	default:
	}
	return oneByOne(ctx, samples, length, b.publish, b.arrived)
}
