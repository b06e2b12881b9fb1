// Package inbox hands verified messages over to applications: it implements
// gateway.Receiver over the rows the intake stored. Consumers are cursors by
// name over a channel; each has its own position, what it holds in flight, and
// explicit acknowledgements that are durable before they are answered.
//
// A message is handed over again when its deadline passes without an
// acknowledgement, also after a restart; it keeps its id and is marked. One
// whose acknowledgement was answered never comes again. Pulls wait on
// notifications, never by polling.
//
// It checks nothing of the protocol: what has no place in the order of handing
// over (a hole in front, a status that is stale) is not seen here at all.
package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// Config tunes the inbox.
type Config struct {
	AckWait    time.Duration `yaml:"ackWait" doc:"time an application has to acknowledge a message before it is handed over again"`
	Keep       time.Duration `yaml:"keep" doc:"how long acknowledged content is kept"`
	CacheBytes int           `yaml:"cacheBytes" doc:"memory for content that was just taken in, in bytes"`
}

// Defaults of Config.
const (
	DefaultAckWait    = 30 * time.Second
	DefaultKeep       = 7 * 24 * time.Hour
	DefaultCacheBytes = 32 << 20
)

// Bounds of one call.
const (
	maxPull     = 1000
	maxWait     = 60 * time.Second
	maxTokens   = 10_000
	maxBatch    = 8 << 20 // bytes of bodies in one answer, unless one message is larger
	maxName     = 128
	maxSessions = 10_000 // session facts in memory
	readAhead   = 256    // rows read at once
)

// Deps are what an inbox works with.
type Deps struct {
	Config   Config
	Store    Store
	Vault    *Vault
	Channels gateway.Channels
	Clock    clockwork.Clock
	Log      *slog.Logger
}

// Inbox is the receiving side of the gateway's API. It implements
// gateway.Receiver.
type Inbox struct {
	cfg      Config
	store    Store
	vault    *Vault
	channels gateway.Channels
	clock    clockwork.Clock
	log      *slog.Logger
	contents *contents

	mu        sync.Mutex
	consumers map[consumerKey]*consumer
	byID      map[int64]*consumer
	sessions  map[int64]*SessionInfo
	wakes     map[string]chan struct{} // by topic, "" for any; closed when it has more
}

type consumerKey struct{ channel, name string }

// consumer is a cursor with its lock.
type consumer struct {
	mu      sync.Mutex
	key     consumerKey
	cur     *cursor
	ahead   []Row // read, not yet in the window
	handing *place
	handRow *Row
	dead    bool          // dropped from memory: look it up again
	freed   chan struct{} // closed when acknowledgements made room
}

var _ gateway.Receiver = (*Inbox)(nil)

// New makes an inbox. It starts nothing.
func New(d Deps) *Inbox {
	c := d.Config
	if c.AckWait <= 0 {
		c.AckWait = DefaultAckWait
	}
	if c.Keep <= 0 {
		c.Keep = DefaultKeep
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = DefaultCacheBytes
	}
	return &Inbox{cfg: c, store: d.Store, vault: d.Vault, channels: d.Channels, clock: d.Clock, log: d.Log,
		contents: newContents(c.CacheBytes), consumers: make(map[consumerKey]*consumer), byID: make(map[int64]*consumer),
		sessions: make(map[int64]*SessionInfo), wakes: make(map[string]chan struct{})}
}

// Offer gives the frames of an entry that was just taken in, so that handing
// it over needs neither a read nor a decryption. They are not changed any more.
func (x *Inbox) Offer(id int64, frames []envelope.Frame) { x.contents.put(id, frames) }

// Released says that entries of the topics got places: waiting pulls wake up.
func (x *Inbox) Released(topics ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range append(topics, "") {
		if ch := x.wakes[t]; ch != nil {
			close(ch)
			delete(x.wakes, t)
		}
	}
}

// wake returns a channel that is closed at the next release on the topic.
func (x *Inbox) wake(topic string) <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	ch := x.wakes[topic]
	if ch == nil {
		ch = make(chan struct{})
		x.wakes[topic] = ch
	}
	return ch
}

// consumer returns a consumer, loading it where it is not in memory.
func (x *Inbox) consumer(ctx context.Context, k consumerKey) (*consumer, error) {
	x.mu.Lock()
	c := x.consumers[k]
	x.mu.Unlock()
	if c != nil {
		return c, nil
	}
	row, err := x.store.Consumer(ctx, k.channel, k.name)
	if err != nil {
		return nil, fmt.Errorf("read consumer: %w", err)
	}
	return x.load(ctx, *row)
}

func (x *Inbox) load(ctx context.Context, row ConsumerRow) (*consumer, error) {
	acks, err := x.store.Acks(ctx, row.ID)
	if err != nil {
		return nil, fmt.Errorf("read acknowledgements: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	k := consumerKey{row.Channel, row.Name}
	if c := x.consumers[k]; c != nil {
		return c, nil
	}
	c := &consumer{key: k, cur: newCursor(row, acks), freed: make(chan struct{})}
	x.consumers[k], x.byID[row.ID] = c, c
	return c, nil
}

// drop forgets a consumer whose memory may differ from the store.
func (x *Inbox) drop(c *consumer) {
	c.dead = true
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.consumers[c.key] == c {
		delete(x.consumers, c.key)
		delete(x.byID, c.cur.row.ID)
	}
}

// Pull hands over up to max messages of the consumer's channel. With none
// there it waits for wait at most, and answers an empty list when nothing came.
func (x *Inbox) Pull(ctx context.Context, who gateway.Consumer, max int, wait time.Duration) ([]gateway.Message, error) {
	if who.Name == "" {
		who.Name = gateway.DefaultConsumer
	}
	if len(who.Name) > maxName {
		return nil, problem.New(http.StatusUnprocessableEntity, "consumer_invalid", fmt.Sprintf("a consumer's name has at most %d bytes", maxName))
	}
	if max <= 0 || max > maxPull {
		max = maxPull
	}
	until := x.clock.Now().Add(min(wait, maxWait))
	for {
		changed := x.channels.Changed()
		topic := ""
		if who.Channel != "" {
			ch, err := x.channels.Channel(who.Channel)
			if err != nil {
				return nil, err
			}
			topic = ch.Topic
		}
		wake := x.wake(topic)
		c, err := x.consumer(ctx, consumerKey{who.Channel, who.Name})
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if c.dead {
			c.mu.Unlock()
			continue
		}
		msgs, err := x.collect(ctx, c, max, who.AutoAck)
		due, flying := c.cur.nextDeadline()
		freed := c.freed
		c.mu.Unlock()
		if err != nil || len(msgs) > 0 {
			return msgs, err
		}
		now := x.clock.Now()
		left := until.Sub(now)
		if left <= 0 {
			return []gateway.Message{}, nil
		}
		if flying {
			left = min(left, due.Sub(now))
		}
		timer := x.clock.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-wake:
		case <-changed:
		case <-freed:
		case <-timer.Chan():
		}
		timer.Stop()
	}
}

// collect gathers what can be handed over now and notes it durably, so that a
// later process knows what may have been seen. c.mu is held.
func (x *Inbox) collect(ctx context.Context, c *consumer, max int, auto bool) ([]gateway.Message, error) {
	now := x.clock.Now()
	handed, handedFrame := c.cur.row.Handed, c.cur.row.HandedFrame
	var out []gateway.Message
	var refs []frameRef
	bytes := 0
	for len(out) < max && bytes < maxBatch {
		f := c.cur.overdue(now)
		if f == nil {
			break
		}
		m, err := x.again(ctx, c, f.pos, f.frame)
		if err != nil {
			return nil, err
		}
		if m == nil { // pruned, or no longer admitted: nothing to hand over
			c.cur.ack(f.pos, f.frame)
			continue
		}
		c.cur.hand(f.pos, f.frame, now.Add(x.cfg.AckWait))
		out, refs = append(out, *m), append(refs, frameRef{f.pos, f.frame})
		bytes += len(m.Body)
	}
	for len(out) < max && bytes < maxBatch && !c.cur.full() {
		ok, err := x.advance(ctx, c)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		p, row := c.handing, c.handRow
		frames, err := x.frames(ctx, row)
		if err != nil {
			return nil, err
		}
		info, err := x.session(ctx, row.Session())
		if err != nil {
			return nil, err
		}
		ch := x.channel(c.key.channel, info)
		if ch == nil || len(frames) < p.size { // no longer admitted, or pruned
			for f := range p.size {
				c.cur.ack(p.pos, f)
			}
			p.next = p.size
			continue
		}
		for ; p.next < p.size && len(out) < max && bytes < maxBatch && !c.cur.full(); p.next++ {
			if p.done(p.next) {
				continue
			}
			again := c.cur.before(p.pos, p.next)
			c.cur.hand(p.pos, p.next, now.Add(x.cfg.AckWait))
			out = append(out, message(c.cur.row.ID, ch.Name, row, info, p.next, &frames[p.next], again))
			refs = append(refs, frameRef{p.pos, p.next})
			bytes += len(frames[p.next].Body)
		}
	}
	if auto && len(out) > 0 {
		return out, x.acknowledge(ctx, c, refs)
	}
	if c.cur.row.Handed != handed || c.cur.row.HandedFrame != handedFrame {
		c.cur.settle()
		if err := x.store.CommitCursors(ctx, &Change{Consumers: []ConsumerRow{c.cur.row}}); err != nil {
			x.drop(c)
			return nil, fmt.Errorf("store what is handed over: %w", err)
		}
	}
	return out, nil
}

// advance makes c.handing a place with frames to hand over; false when there
// is none.
func (x *Inbox) advance(ctx context.Context, c *consumer) (bool, error) {
	if c.handing != nil && c.handing.next < c.handing.size {
		return true, nil
	}
	for {
		if len(c.ahead) == 0 {
			rows, err := x.store.Ready(ctx, c.cur.read, readAhead)
			if err != nil {
				return false, fmt.Errorf("read inbox: %w", err)
			}
			if len(rows) == 0 {
				return false, nil
			}
			c.ahead = rows
		}
		row := c.ahead[0]
		c.ahead = c.ahead[1:]
		info, err := x.session(ctx, row.Session())
		if err != nil {
			return false, err
		}
		if info == nil || x.channel(c.key.channel, info) == nil {
			c.cur.pass(row.Pos)
			continue
		}
		faults, err := DecodeFaults(row.Verdict)
		if err != nil {
			return false, fmt.Errorf("read verdict: %w", err)
		}
		skip := make([]int, 0, len(faults))
		for _, f := range faults {
			skip = append(skip, f.Frame)
		}
		p := c.cur.add(row.Pos, row.Size, skip)
		if p.left == 0 {
			continue
		}
		c.handing, c.handRow = p, &row
		return true, nil
	}
}

// again returns a message that was handed over before, nil when it is gone.
func (x *Inbox) again(ctx context.Context, c *consumer, pos int64, frame int) (*gateway.Message, error) {
	row, err := x.store.At(ctx, pos)
	if err != nil || row == nil {
		return nil, err
	}
	info, err := x.session(ctx, row.Session())
	if err != nil || info == nil {
		return nil, err
	}
	frames, err := x.frames(ctx, row)
	ch := x.channel(c.key.channel, info)
	if err != nil || ch == nil || frame >= len(frames) {
		return nil, err
	}
	m := message(c.cur.row.ID, ch.Name, row, info, frame, &frames[frame], true)
	return &m, nil
}

// frames returns the opened frames of a row.
func (x *Inbox) frames(ctx context.Context, row *Row) ([]envelope.Frame, error) {
	if f := x.contents.get(row.ID); f != nil {
		return f, nil
	}
	body, err := x.store.Body(ctx, row.ID)
	if err != nil {
		return nil, fmt.Errorf("read content: %w", err)
	}
	if body == nil {
		return nil, nil
	}
	plain, err := x.vault.Open(row.Key, EntryAAD(row.ID), body)
	if err != nil {
		return nil, fmt.Errorf("open stored content: %w", err)
	}
	_, raw, err := Unpack(plain)
	if err != nil {
		return nil, err
	}
	frames := make([]envelope.Frame, len(raw))
	for i, b := range raw {
		f, err := envelope.ParseFrame(b)
		if err != nil {
			return nil, fmt.Errorf("stored frame %d: %w", i, err)
		}
		frames[i] = *f
	}
	x.contents.put(row.ID, frames)
	return frames, nil
}

// session returns what is known of a session, nil when it is forgotten.
func (x *Inbox) session(ctx context.Context, id int64) (*SessionInfo, error) {
	x.mu.Lock()
	info := x.sessions[id]
	x.mu.Unlock()
	if info != nil {
		return info, nil
	}
	info, err := x.store.SessionInfo(ctx, id)
	if err != nil || info == nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.sessions) >= maxSessions {
		clear(x.sessions)
	}
	x.sessions[id] = info
	return info, nil
}

// Ack acknowledges messages by the tokens they came with. It returns after
// that is durable. Acknowledging twice is no error.
func (x *Inbox) Ack(ctx context.Context, tokens []string) error {
	if len(tokens) > maxTokens {
		return problem.New(413, "too_large", fmt.Sprintf("at most %d acknowledgements in one call", maxTokens))
	}
	by := make(map[int64][]frameRef)
	for _, t := range tokens {
		id, ref, err := parseToken(t)
		if err != nil {
			return err
		}
		by[id] = append(by[id], ref)
	}
	for id, refs := range by {
		if err := x.ack(ctx, id, refs); err != nil {
			return err
		}
	}
	return nil
}

func (x *Inbox) ack(ctx context.Context, id int64, refs []frameRef) error {
	c, err := x.find(ctx, id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return problem.New(503, "store_failed", "the store did not answer; acknowledge again")
	}
	if err := x.ensure(ctx, c, refs); err != nil {
		return err
	}
	return x.acknowledge(ctx, c, refs)
}

// acknowledge finishes frames durably. c.mu is held.
func (x *Inbox) acknowledge(ctx context.Context, c *consumer, refs []frameRef) error {
	touched := make(map[*place]bool)
	for _, r := range refs {
		if p := c.cur.ack(r.pos, r.frame); p != nil {
			touched[p] = true
		}
	}
	if len(touched) == 0 {
		return nil
	}
	change := &Change{}
	if c.cur.settle() {
		change.Consumers = []ConsumerRow{c.cur.row}
		change.Floors = change.Consumers
	}
	for p := range touched {
		if p.pos > c.cur.row.Floor {
			change.Acks = append(change.Acks, AckRow{Consumer: c.cur.row.ID, Pos: p.pos, Bits: p.encodeBits()})
		}
	}
	if err := x.store.CommitCursors(ctx, change); err != nil {
		x.drop(c)
		return fmt.Errorf("store acknowledgements: %w", err)
	}
	close(c.freed)
	c.freed = make(chan struct{})
	return nil
}

// ensure takes the places of refs into the window when they were handed over
// by an earlier process and not read yet by this one.
func (x *Inbox) ensure(ctx context.Context, c *consumer, refs []frameRef) error {
	far := int64(0)
	for _, r := range refs {
		far = max(far, r.pos)
	}
	if far <= c.cur.read {
		return nil
	}
	if far > c.cur.row.Handed {
		return gateway.AckUnknown()
	}
	for c.cur.read < far {
		p := c.handing
		if ok, err := x.advance(ctx, c); err != nil || !ok {
			return err
		}
		if c.handing == p {
			// The place being handed over is not finished: go on behind it,
			// its remaining frames are in flight from now, due at once.
			for ; p.next < p.size; p.next++ {
				if !p.done(p.next) {
					c.cur.hand(p.pos, p.next, x.clock.Now())
				}
			}
		}
	}
	return nil
}

// find returns a consumer by its id.
func (x *Inbox) find(ctx context.Context, id int64) (*consumer, error) {
	x.mu.Lock()
	c := x.byID[id]
	x.mu.Unlock()
	if c != nil {
		return c, nil
	}
	rows, err := x.store.Consumers(ctx)
	if err != nil {
		return nil, fmt.Errorf("read consumers: %w", err)
	}
	for _, r := range rows {
		if r.ID == id {
			return x.load(ctx, r)
		}
	}
	return nil, gateway.AckUnknown()
}

// channel returns the local channel that admits a session's messages and that
// the consumer reads: the named one, or any for "". nil when there is none.
func (x *Inbox) channel(name string, info *SessionInfo) *gateway.Channel {
	if info == nil {
		return nil
	}
	if name != "" {
		ch, err := x.channels.Channel(name)
		if err != nil || !Admits(ch, info) {
			return nil
		}
		return ch
	}
	all := x.channels.ForTopic(info.Topic)
	for i := range all {
		if Admits(&all[i], info) {
			return &all[i]
		}
	}
	return nil
}

// Admits reports whether a channel takes messages of a session: its topic, its
// version where it names one, and the sender's DID or a verified role (G10).
func Admits(ch *gateway.Channel, info *SessionInfo) bool {
	return ch.Topic == info.Topic && (ch.Version == "" || ch.Version == info.Version) && ch.Receive.Admits(info.From, info.Roles...)
}

// checks are what every message handed over has passed, by name. A message
// that failed any of them is not in the inbox.
func checks() map[string]string {
	return map[string]string{
		"signature": "ok", // E6, of the envelope, under a certificate that passed C1 to C5
		"session":   "ok", // G1 to G8, E3, E7, E8
		"role":      "ok", // G9, G10
		"topic":     "ok", // G7, T1 to T5
		"sequence":  "ok", // E5, E9, G11
		"seal":      "ok", // E10, E11
		"content":   "ok", // E12
		"schema":    "ok", // E13
	}
}

// message builds what the application gets.
func message(consumer int64, channel string, row *Row, info *SessionInfo, frame int, f *envelope.Frame, again bool) gateway.Message {
	return gateway.Message{
		ID: gateway.FormatID(f.ID), From: info.From, Channel: channel, Topic: info.Topic, Version: info.Version,
		Type: f.Type, Body: f.Body, At: f.At, Sent: row.T, Re: optionalID(f.Re), Corr: f.Corr, Txn: f.Txn, Attrs: f.Attrs,
		Checks: checks(), Redelivered: again, Late: row.Late, Ack: token(consumer, row.Pos, frame),
	}
}

// optionalID returns the text of an id, empty for none.
func optionalID(id envelope.ID) string {
	if id.IsZero() {
		return ""
	}
	return gateway.FormatID(id)
}
