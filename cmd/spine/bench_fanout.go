package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/participant/market"
)

// benchFanout measures one message to many gateways.
type benchFanout struct {
	Recipients int           `default:"200" help:"Gateways that receive, 8 to 250, all in this process."`
	Bytes      int           `default:"65536" help:"Length of the message's body."`
	Runs       int           `default:"3" help:"Messages each way, of which the median is taken."`
	Most       time.Duration `hidden:"" default:"20m" help:"Bound of everything."`
}

// Help is shown by spine bench fanout --help.
func (benchFanout) Help() string {
	return `Starts a spine with many gateways, each with its own keys, store and listener,
and sends one message to all of them: by a sender that stores its body once at
the broker and sends notices, and by one that sends everybody the whole message.
Told are the bytes that the broker's folder grew by, the time until the sender's
gateway answered (the broker has it for all), and until the last recipient's
participant had it, as handed over by its gateway.`
}

// fanoutWay is one way of sending.
type fanoutWay struct {
	Stored   int64   `json:"broker_bytes"`
	Answered float64 `json:"answered_ms"`
	Last     float64 `json:"last_received_ms"`
}

// fanoutFigures are the result.
type fanoutFigures struct {
	Recipients int       `json:"recipients"`
	Bytes      int       `json:"bytes"`
	Notice     fanoutWay `json:"notice"`
	Inline     fanoutWay `json:"inline"`
	StartS     float64   `json:"start_s"`
	Machine    string    `json:"machine"`
}

// Run measures.
func (c *benchFanout) Run(a *app) error {
	if c.Recipients < 8 || c.Recipients > 250 || c.Bytes < 1 || c.Bytes > 120_000 || c.Runs < 1 {
		return errors.New("--recipients is not within 8 to 250, or --bytes not within 1 to 120000")
	}
	ctx, cancel := context.WithTimeoutCause(a.ctx, c.Most, fmt.Errorf("the measurement took longer than %s", c.Most))
	defer cancel()
	dir, err := os.MkdirTemp("", "spine-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	begin := time.Now()
	f, err := startFanout(ctx, dir, c.Recipients)
	if err != nil {
		return errors.Join(orCause(ctx, err), f.close())
	}
	out := fanoutFigures{Recipients: c.Recipients, Bytes: c.Bytes, StartS: math.Round(10*time.Since(begin).Seconds()) / 10, Machine: machine()}
	for _, w := range []struct {
		to   *fanoutWay
		from *client.Client
	}{{&out.Notice, f.notice}, {&out.Inline, f.inline}} {
		if *w.to, err = f.measure(ctx, w.from, c.Bytes, c.Runs); err != nil {
			return errors.Join(orCause(ctx, err), f.close())
		}
	}
	if err := f.close(); err != nil {
		return err
	}
	return a.print(out, "%d bytes to %d gateways      stored at the broker    answered    last received\n"+
		"  body once, notices    %14d B  %10.0f ms  %10.0f ms\n  whole in every mailbox%14d B  %10.0f ms  %10.0f ms\n%s\n",
		c.Bytes, c.Recipients, out.Notice.Stored, out.Notice.Answered, out.Notice.Last, out.Inline.Stored, out.Inline.Answered, out.Inline.Last, out.Machine)
}

// fanout is a spine with two senders and many recipients.
type fanout struct {
	spine          *system.Spine
	notice, inline *client.Client
	recipients     []*client.Client
	stop           context.CancelFunc
	wg             sync.WaitGroup
}

// fanoutName is the channel and topic of the messages.
const fanoutName = "fanout"

func startFanout(ctx context.Context, dir string, n int) (*fanout, error) {
	f := &fanout{}
	base := system.Base{Log: slog.New(slog.DiscardHandler)}
	names := append([]string(nil), market.Parties...)
	for i := range n {
		names = append(names, fmt.Sprintf("recipient%03d", i))
	}
	var err error
	if f.spine, err = system.StartSpine(ctx, filepath.Join(dir, "spine"), names, base); err != nil {
		return f, err
	}
	parties := make(map[string]*client.Client)
	var dids []string
	for i, g := range f.spine.Gateways {
		c := client.New(g.URL(), g.APIKey())
		if i < len(market.Parties) {
			parties[g.Name()] = c
			continue
		}
		f.recipients = append(f.recipients, c)
		dids = append(dids, g.DID())
	}
	chain := market.Chain{RPC: f.spine.Chain.URL(), Contracts: f.spine.Network.Contracts, Root: f.spine.Chain.Faucet()}
	if err := market.Setup(ctx, chain, parties); err != nil {
		return f, err
	}
	f.notice = parties[market.MarketOperator]
	other, err := f.second(ctx, dir, base)
	if err != nil {
		return f, err
	}
	topic := market.TopicName(fanoutName)
	if err := f.notice.PutTopic(ctx, topic, client.Topic{Version: market.Version, Schema: json.RawMessage(`{"type":"object"}`)}); err != nil {
		return f, err
	}
	senders := []string{f.spine.Gateways[0].DID(), other.DID()}
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(8)
	for _, c := range f.recipients {
		all.Go(func() error {
			return c.PutChannel(ctx, gateway.Channel{Name: fanoutName, Topic: topic, Receive: &gateway.Admission{DIDs: senders}})
		})
	}
	for _, c := range []*client.Client{f.notice, f.inline} {
		all.Go(func() error {
			return c.PutChannel(ctx, gateway.Channel{Name: fanoutName, Topic: topic, Send: &gateway.Admission{DIDs: dids}})
		})
	}
	return f, all.Wait()
}

// second starts the sender that stores no bodies.
func (f *fanout) second(ctx context.Context, dir string, base system.Base) (*system.Gateway, error) {
	base.Inline = true
	g, err := system.NewGateway(ctx, gateway.Config{Name: "inline", Listen: "127.0.0.1:0", Data: filepath.Join(dir, "inline"),
		Network: filepath.Join(f.spine.Data, system.NetworkFile), RPC: f.spine.Chain.URL()}, base)
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	f.wg.Go(func() { _ = g.Run(run) })
	f.inline = client.New(g.URL(), g.APIKey())
	return g, nil
}

func (f *fanout) close() error {
	if f.stop != nil {
		f.stop()
		f.wg.Wait()
	}
	if f.spine == nil {
		return nil
	}
	return f.spine.Close()
}

// measure sends a first message, which opens the session, and then those that
// count.
func (f *fanout) measure(ctx context.Context, from *client.Client, size, runs int) (way fanoutWay, err error) {
	if _, err := f.one(ctx, from, 64); err != nil {
		return way, fmt.Errorf("first message: %w", err)
	}
	var stored, answered, last []float64
	for range runs {
		before, err := folderSize(filepath.Join(f.spine.Data, "broker"))
		if err != nil {
			return way, err
		}
		w, err := f.one(ctx, from, size)
		if err != nil {
			return way, err
		}
		after, err := folderSize(filepath.Join(f.spine.Data, "broker"))
		if err != nil {
			return way, err
		}
		stored, answered, last = append(stored, float64(after-before)), append(answered, w.Answered), append(last, w.Last)
	}
	return fanoutWay{int64(median(stored)), median(answered), median(last)}, nil
}

// one sends a message and waits until every recipient's participant has it.
func (f *fanout) one(ctx context.Context, from *client.Client, size int) (way fanoutWay, err error) {
	body := fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("x", max(0, size-len(`{"text":""}`))))
	begin := time.Now()
	var id string
	sent := make(chan struct{})
	all, ctx := errgroup.WithContext(ctx)
	for _, c := range f.recipients {
		all.Go(func() error {
			for {
				list, err := c.Receive(ctx, client.Receive{Channel: fanoutName, Max: 10, Wait: 20 * time.Second})
				if err != nil {
					return err
				}
				at := time.Since(begin)
				if len(list) == 0 {
					continue
				}
				<-sent
				for _, m := range list {
					if err := c.Ack(ctx, m.Ack); err != nil {
						return err
					}
					if m.ID != id {
						continue
					}
					if len(m.Body) != len(body) {
						return fmt.Errorf("a body of %d bytes arrived, %d were sent", len(m.Body), len(body))
					}
					f.later(&way, at)
					return nil
				}
			}
		})
	}
	a, err := from.Send(ctx, gateway.Draft{Channel: fanoutName, Body: body})
	way.Answered = milliseconds(time.Since(begin))
	id = a.ID
	close(sent)
	return way, errors.Join(err, all.Wait())
}

var fanoutMu sync.Mutex

// later keeps the latest time.
func (f *fanout) later(w *fanoutWay, at time.Duration) {
	fanoutMu.Lock()
	defer fanoutMu.Unlock()
	w.Last = max(w.Last, milliseconds(at))
}

func milliseconds(d time.Duration) float64 { return math.Round(10*d.Seconds()*1000) / 10 }

// folderSize adds the lengths of all files below a folder.
func folderSize(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return ignoreGone(err)
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return ignoreGone(err)
	})
	return total, err
}

// ignoreGone forgives a file that went while it was looked at.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
