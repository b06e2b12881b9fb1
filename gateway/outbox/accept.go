package outbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/problem"
)

// sending is one Send: its messages by lane, and what became of each.
type sending struct {
	o      *Outbox
	drafts []gateway.Draft
	out    []gateway.Accepted
	errs   []error
	call   *call
	items  []*item // nil where the result is known already
	rows   []Lane
	same   map[int]int // a draft that repeats an earlier one of the batch
	held   [][16]byte
	chans  map[string]*prepared
}

// prepared is what the drafts of one channel share.
type prepared struct {
	ch    *gateway.Channel
	topic *trust.Topic
	rows  map[string]Lane
}

// Send implements gateway.Sender. A message is accepted when it is durable:
// state accepted when the broker has stored it for every recipient within two
// seconds, else waiting.
func (o *Outbox) Send(ctx context.Context, drafts []gateway.Draft) ([]gateway.Accepted, []error) {
	n := len(drafts)
	s := &sending{o: o, drafts: drafts, out: make([]gateway.Accepted, n), errs: make([]error, n), call: newCall(n),
		items: make([]*item, n), rows: make([]Lane, n), chans: make(map[string]*prepared, 1)}
	for i := range drafts {
		if s.rows[i], s.items[i], s.errs[i] = s.accept(ctx, &drafts[i]); s.errs[i] != nil {
			s.items[i] = nil
		}
	}
	defer func() { o.release(s.held) }()
	s.once(ctx)
	s.attach(ctx)
	s.queue(ctx)
	s.collect()
	return s.out, s.errs
}

// queue hands the messages to their lanes and waits until the broker has them,
// or for as long as an answer may take; durable they are in any case.
func (s *sending) queue(ctx context.Context) {
	lanes := make(map[laneKey]*lane, 1)
	items := make(map[*lane][]*item, 1)
	var order []*lane
	for i, it := range s.items {
		if it == nil {
			s.call.finish(i, failed, s.errs[i])
			continue
		}
		it.call, it.pos = s.call, i
		key := laneKey{s.rows[i].Chan, s.rows[i].Topic}
		l := lanes[key]
		if l == nil {
			l = s.o.lane(s.rows[i])
			defer l.pins.Add(-1)
			lanes[key] = l
			order = append(order, l)
		}
		items[l] = append(items[l], it)
	}
	if len(order) == 0 {
		return
	}
	for _, l := range order {
		l.add(ctx, items[l])
	}
	timer := s.o.clock.NewTimer(answerWithin)
	defer timer.Stop()
	select {
	case <-s.call.settled:
		return
	case <-timer.Chan():
	case <-ctx.Done():
	}
	select {
	case <-s.call.durable:
	default:
		// Not sealed in time: somebody's papers are slow to come. What is in
		// memory only must be on disk before anybody is answered.
		for _, l := range order {
			l.evict(ctx, "")
			l.kick()
		}
		<-s.call.durable
	}
}

// collect turns stages into answers.
func (s *sending) collect() {
	for i, it := range s.items {
		if it == nil {
			continue
		}
		s.out[i].ID = gateway.FormatID(it.id)
		switch stage, err := s.call.result(i); stage {
		case failed:
			s.out[i], s.errs[i] = gateway.Accepted{}, err
		case stored:
			s.out[i].State = gateway.StateAccepted
		default:
			s.out[i].State = gateway.StateWaiting
			s.o.tellWaiting(s.rows[i], it, "")
		}
	}
	for i, j := range s.same {
		if s.errs[i] == nil {
			s.out[i], s.errs[i] = s.out[j], s.errs[j]
		}
	}
}

// once finds the messages whose idempotency key is known. Keys are held in one
// order, so that two batches with the same keys cannot wait for each other.
func (s *sending) once(ctx context.Context) {
	var keyed []int
	for i, it := range s.items {
		if it != nil && it.sum != nil {
			keyed = append(keyed, i)
		}
	}
	slices.SortStableFunc(keyed, func(a, b int) int { return bytes.Compare(s.items[a].id[:], s.items[b].id[:]) })
	last := -1
	for _, i := range keyed {
		it := s.items[i]
		if last >= 0 && s.items[last] != nil && s.items[last].id == it.id {
			if !bytes.Equal(s.items[last].sum, it.sum) {
				s.errs[i] = gateway.IdempotencyConflict()
			} else {
				if s.same == nil {
					s.same = make(map[int]int)
				}
				s.same[i] = last
			}
			s.items[i] = nil
			continue
		}
		state, err := s.o.hold(ctx, it)
		switch {
		case err != nil:
			s.errs[i], s.items[i] = err, nil
		case state != "":
			s.out[i], s.items[i] = gateway.Accepted{ID: gateway.FormatID(it.id), State: state}, nil
		default:
			s.held = append(s.held, it.id)
			last = i
		}
	}
}

// accept checks a draft and makes its frame. Nothing is written yet.
func (s *sending) accept(ctx context.Context, d *gateway.Draft) (row Lane, it *item, err error) {
	o := s.o
	if err := d.Validate(); err != nil {
		return row, nil, err
	}
	limit := envelope.MaxBody(o.net.Wire)
	large := len(d.Body) > limit
	if large && (o.objects == nil || len(d.Body) > gateway.MaxBody) {
		return row, nil, gateway.TooLarge(max(limit, o.longest()))
	}
	if o.usage.bytes.Load() >= o.cfg.MaxBytes || o.usage.waiting.Load() >= o.cfg.MaxWaiting {
		return row, nil, gateway.OutboxFull()
	}
	p, err := s.prepare(ctx, d.Channel)
	if err != nil {
		return row, nil, err
	}
	it = &item{}
	if d.File != "" {
		if it.file, err = o.take(ctx, p, d); err != nil {
			return row, nil, err
		}
	} else if err := p.topic.Schema.Validate(d.Body); err != nil {
		return row, nil, err
	} else if large {
		it.file = &attachment{File: gateway.File{Type: d.MediaType(), Size: int64(len(d.Body))}, body: d.Body}
	}
	named := strings.Join(d.To, " ")
	row, ok := p.rows[named]
	if !ok {
		row = Lane{Topic: p.ch.Topic, Channel: p.ch.Name}
		if row.Selection, err = o.selected(ctx, p.ch, d.To); err != nil {
			return row, nil, err
		}
		row.Chan = o.local.chanID(row.Channel, row.Selection)
		p.rows[named] = row
	}
	if d.IdempotencyKey != "" {
		it.id, it.sum = o.local.messageID(row.Chan, d.IdempotencyKey), contentSum(d)
	} else if it.id, err = freshID(); err != nil {
		return row, nil, err
	}
	it.frame = envelope.Frame{ID: it.id, Type: d.MediaType(), Body: d.Body, At: o.now(), Corr: d.Corr, Txn: d.Txn, Attrs: d.Attrs}
	it.size = int64(len(d.Body))
	if it.file != nil {
		it.frame.Kind, it.frame.Type, it.frame.Body = envelope.KindObject, it.file.Type, nil
		it.size = it.file.Size
	}
	if d.Re != "" {
		if it.frame.Re, err = gateway.ParseID(d.Re); err != nil {
			return row, nil, gateway.DraftInvalid("re", "the id of a message is a UUID in lower case")
		}
	}
	if err := it.frame.Check(o.net.Wire); err != nil {
		return row, nil, err
	}
	var load envelope.Load
	if !load.Add(&it.frame, o.net.Wire) {
		return row, nil, gateway.TooLarge(limit)
	}
	return row, it, nil
}

// prepare looks a channel and its topic up, once a batch.
func (s *sending) prepare(ctx context.Context, channel string) (*prepared, error) {
	if p, ok := s.chans[channel]; ok {
		return p, nil
	}
	ch, err := s.o.channels.Channel(channel)
	if err != nil {
		return nil, err
	}
	if ch.Send == nil {
		return nil, gateway.NotSending(ch.Name)
	}
	topic, err := s.o.trust.Current(ctx, ch.Topic, ch.Version)
	if err != nil {
		return nil, noTopic(ch, err)
	}
	p := &prepared{ch: ch, topic: topic, rows: make(map[string]Lane, 1)}
	s.chans[channel] = p
	return p, nil
}

// contentSum is a short digest of what a client asked for, to tell a repeated
// request from another one under the same idempotency key.
func contentSum(d *gateway.Draft) []byte {
	h := sha256.New()
	part := func(b string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		h.Write([]byte(b))
	}
	for _, text := range []string{string(d.Body), d.MediaType(), d.Re, d.Corr, d.Txn} {
		part(text)
	}
	for _, k := range slices.Sorted(maps.Keys(d.Attrs)) {
		part(k)
		part(d.Attrs[k])
	}
	if d.File != "" {
		part("file")
		part(d.File)
	}
	return h.Sum(nil)[:16]
}

// selected brings the recipients named by a client to normal form and checks
// that the channel admits them.
func (o *Outbox) selected(ctx context.Context, ch *gateway.Channel, to []string) (string, error) {
	list := make([]string, 0, len(to))
	for _, did := range to {
		normal, err := ethr.Normalize(did)
		if err != nil {
			return "", gateway.DraftInvalid("to", "a recipient is not a DID of a known form")
		}
		list = append(list, normal)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if o.planned(ch, list) {
		return strings.Join(list, " "), nil
	}
	a, failed := o.admit(ctx, ch)
	if _, err := a.recipients(ch.Name, list, o.self.DID()); err != nil && failed == nil {
		return "", err
	}
	// With an answer missing, the message is accepted and waits for it.
	return strings.Join(list, " "), nil
}

// planned reports whether a lane for this selection sends at present, in which
// case its worker keeps watch over who is admitted.
func (o *Outbox) planned(ch *gateway.Channel, list []string) bool {
	key := laneKey{o.local.chanID(ch.Name, strings.Join(list, " ")), ch.Topic}
	o.mu.Lock()
	l := o.lanes[key]
	o.mu.Unlock()
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open && !l.dirty
}

func selection(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Fields(s)
}

func noTopic(ch *gateway.Channel, err error) error {
	code := problem.CodeOf(err)
	if code == "internal" || code == "" {
		return err
	}
	return problem.New(503, code, "the channel's topic has no record in force that this gateway could verify").
		With("topic", ch.Topic).WithHint("publish the topic with PUT /api/v1/topics/{name}, or wait until the directory and the chain can be reached").Wrap(err)
}

// hold makes sure that a message with an idempotency key is accepted once: it
// waits for another call that has the key, and returns the state of the first
// message when there was one. Else the key is held until release.
func (o *Outbox) hold(ctx context.Context, it *item) (gateway.State, error) {
	for {
		o.mu.Lock()
		busy, ok := o.keys[it.id]
		if !ok {
			o.keys[it.id] = make(chan struct{})
			o.mu.Unlock()
			break
		}
		o.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	m, err := o.store.Message(ctx, it.id)
	if errors.Is(err, ErrNoRow) {
		return "", nil
	}
	o.release([][16]byte{it.id})
	if err != nil {
		return "", err
	}
	if !bytes.Equal(m.Sum, it.sum) {
		return "", gateway.IdempotencyConflict()
	}
	if !m.Sealed {
		return gateway.StateWaiting, nil
	}
	members, err := o.store.Members(ctx, m.SID)
	if err != nil {
		return "", err
	}
	for i := range members {
		if !o.pub.at(&members[i], m.Seq) {
			return gateway.StateWaiting, nil
		}
	}
	return gateway.StateAccepted, nil
}

// release lets others go on that wait for these keys.
func (o *Outbox) release(ids [][16]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		close(o.keys[id])
		delete(o.keys, id)
	}
}
