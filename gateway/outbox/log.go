package outbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Pages of the log.
const (
	maxEntries = 200
	logPage    = 256 // sessions read at once
)

// logged is an entry with its place in the log: by time, and among equals by
// key.
type logged struct {
	gateway.Entry
	key []byte
}

// place of an entry, as it is told in cursors.
type spot struct {
	at  int64
	key []byte
}

// compare orders spots from the oldest.
func (s spot) compare(t spot) int {
	return cmp.Or(cmp.Compare(s.at, t.at), bytes.Compare(s.key, t.key))
}

func (e *logged) spot() spot { return spot{e.Here, e.key} }

// String is the cursor.
func (s spot) String() string { return strconv.FormatInt(s.at, 10) + "." + hex.EncodeToString(s.key) }

// parseSpot reads a cursor; the empty one is above everything.
func parseSpot(cursor string) (spot, error) {
	if cursor == "" {
		return spot{at: math.MaxInt64 >> 1}, nil
	}
	number, text, ok := strings.Cut(cursor, ".")
	at, err := strconv.ParseInt(number, 10, 64)
	key, err2 := hex.DecodeString(text)
	if !ok || err != nil || err2 != nil || at < 0 || at > math.MaxInt64>>1 || len(key) == 0 || len(key) > 64 {
		return spot{}, errCursor
	}
	return spot{at, key}, nil
}

// Keys begin with what they are of: waiting messages come before sealed ones of
// the same time.
const (
	keySealed  = 1
	keyWaiting = 2
)

const sealedKeySize = 1 + 32 + 4 + 2

func sealedKey(sid [32]byte, seq int64, idx int) []byte {
	b := append([]byte{keySealed}, sid[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(seq))
	return binary.BigEndian.AppendUint16(b, uint16(idx))
}

// crowd is a session with what an entry needs of its members.
type crowd struct {
	*SessionHead
	members []Member
	to      []string
	again   bool // some of its messages went on in another session
}

func (o *Outbox) crowd(ctx context.Context, h *SessionHead) (*crowd, error) {
	members, err := o.store.Standing(ctx, h.SID)
	if err != nil {
		return nil, err
	}
	c := &crowd{SessionHead: h, members: members, to: names(members)}
	for i := range members {
		for _, r := range members[i].Refused {
			c.again = c.again || sealAgain[envelope.Code(r.Code)]
		}
	}
	return c, nil
}

// sealedEntries makes the entries of the messages in an envelope, without those
// that went on elsewhere.
func (o *Outbox) sealedEntries(ctx context.Context, c *crowd, env *Envelope) ([]logged, error) {
	list, err := decodeAbout(env.About, len(env.IDs), env.At)
	if err != nil {
		return nil, err
	}
	now := o.now()
	out := make([]logged, 0, len(list))
	for i, a := range list {
		id := env.IDs[i]
		if c.again {
			m, err := o.store.Message(ctx, id)
			if err != nil && !errors.Is(err, ErrNoRow) {
				return nil, err
			}
			if err != nil || !m.Sealed || m.SID != c.SID {
				continue
			}
		}
		e := logged{key: sealedKey(c.SID, env.Seq, i), Entry: gateway.Entry{ID: gateway.FormatID(id), Direction: gateway.Out, Channel: c.Channel,
			Topic: c.Topic, Type: a.typ, To: c.to, Count: len(c.members), At: a.at, Here: env.At, Size: a.size}}
		e.State, e.Code = o.overall(c, &Message{ID: id, At: env.At, SID: c.SID, Seq: env.Seq, Idx: i}, now)
		if !a.re.IsZero() {
			e.Re = gateway.FormatID(a.re)
		}
		if a.object {
			if e.File, err = o.fileOf(ctx, id); err != nil {
				return nil, err
			}
		}
		e.Cursor = e.spot().String()
		out = append(out, e)
	}
	return out, nil
}

// overall is the least advanced state of a message's recipients.
func (o *Outbox) overall(c *crowd, m *Message, now int64) (gateway.State, string) {
	state, code := gateway.StateDelivered, ""
	for i := range c.members {
		s, why := o.state(&c.members[i], &c.Session, m, now)
		if rank[s] < rank[state] {
			state, code = s, why
		}
	}
	return state, code
}

// fileOf describes the file of a message, nil when it has none.
func (o *Outbox) fileOf(ctx context.Context, id [16]byte) (*gateway.File, error) {
	row, err := o.store.File(ctx, id)
	if errors.Is(err, ErrNoRow) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := o.openInfo(id, row)
	if err != nil {
		return nil, err
	}
	f.ID = row.File
	return f, nil
}

// Entries implements gateway.Logbook for what was sent: newest first by the time
// of sealing, or of acceptance while a message waits. Code: cursor_invalid.
func (o *Outbox) Entries(ctx context.Context, f gateway.EntryFilter) ([]gateway.Entry, error) {
	before, err := parseSpot(f.Before)
	if err != nil {
		return nil, err
	}
	max := min(f.Max, maxEntries)
	if max <= 0 {
		max = 50
	}
	filter := LogFilter{Channel: f.Channel, DID: f.Partner}
	p := &page{o: o, before: before, max: max}
	if err := p.waiting(ctx, filter); err != nil {
		return nil, err
	}
	if err := p.sealed(ctx, filter); err != nil {
		return nil, err
	}
	out := make([]gateway.Entry, len(p.list))
	for i := range p.list {
		out[i] = p.list[i].Entry
	}
	return out, nil
}

// page gathers the newest entries below a spot.
type page struct {
	o      *Outbox
	before spot
	max    int
	list   []logged // newest first, at most max
}

// add merges entries in.
func (p *page) add(entries []logged) {
	for i := range entries {
		if entries[i].spot().compare(p.before) < 0 {
			p.list = append(p.list, entries[i])
		}
	}
	slices.SortFunc(p.list, func(a, b logged) int { return b.spot().compare(a.spot()) })
	p.list = p.list[:min(len(p.list), p.max)]
}

// full reports whether nothing from before a time can be among the newest.
func (p *page) full(at int64) bool { return len(p.list) == p.max && p.list[p.max-1].Here > at }

// waiting adds messages that are not sealed.
func (p *page) waiting(ctx context.Context, f LogFilter) error {
	var below []byte
	at := p.before.at
	if k := p.before.key; len(k) > 0 {
		switch {
		case k[0] == keyWaiting:
			below = k[1:]
		case k[0] < keyWaiting:
			at-- // those of the same time come before the cursor
		}
	}
	rows, err := p.o.store.Unsealed(ctx, f, at, below, p.max)
	if err != nil {
		return err
	}
	list := make([]logged, len(rows))
	for i := range rows {
		if list[i], err = p.o.unsealedEntry(ctx, &rows[i]); err != nil {
			return err
		}
	}
	p.add(list)
	return nil
}

func (o *Outbox) unsealedEntry(ctx context.Context, u *Unsealed) (logged, error) {
	to := selection(u.Selection)
	e := logged{key: append([]byte{keyWaiting}, u.ID[:]...), Entry: gateway.Entry{ID: gateway.FormatID(u.ID), Direction: gateway.Out, Channel: u.Channel,
		Topic: u.Topic, Type: u.Type, To: first(to), Count: len(to), State: gateway.StateWaiting, Code: u.Code, At: u.At, Here: u.At, Size: u.Size}}
	if u.Over || o.now() > u.At+o.net.RetentionMS {
		e.State = gateway.StateUndelivered
	}
	var err error
	if u.File != "" {
		e.File, err = o.fileOf(ctx, u.ID)
	}
	e.Cursor = e.spot().String()
	return e, err
}

// sealed adds messages from the sessions, from the one that began last, until
// those left began too long ago to hold anything newer.
func (p *page) sealed(ctx context.Context, f LogFilter) error {
	nbf, n := p.before.at+1, int64(0) // sessions that began later hold nothing below
	for {
		heads, err := p.o.store.Latest(ctx, f, nbf, n, logPage)
		if err != nil {
			return err
		}
		for i := range heads {
			h := &heads[i]
			if p.full(h.NBF + envelope.SessionLife + envelope.SessionGrace) {
				return nil
			}
			if p.full(h.Last) {
				continue
			}
			if err := p.session(ctx, h); err != nil {
				return err
			}
		}
		if len(heads) < logPage {
			return nil
		}
		nbf, n = heads[len(heads)-1].NBF, heads[len(heads)-1].N
	}
}

// session adds the newest messages of one session.
func (p *page) session(ctx context.Context, h *SessionHead) error {
	at, seq := p.before.at, int64(math.MaxInt64)
	if k := p.before.key; len(k) == sealedKeySize && k[0] == keySealed {
		switch bytes.Compare(h.SID[:], k[1:33]) {
		case 0:
			seq = int64(binary.BigEndian.Uint32(k[33:]))
		case 1:
			at-- // its messages of the same time come before the cursor
		}
	}
	var c *crowd
	for {
		list, err := p.o.store.Placed(ctx, h.SID, at, seq, p.max+1)
		if err != nil {
			return err
		}
		if c == nil && len(list) > 0 {
			if c, err = p.o.crowd(ctx, h); err != nil {
				return err
			}
		}
		for i := range list {
			if p.full(list[i].At) {
				return nil
			}
			entries, err := p.o.sealedEntries(ctx, c, &list[i])
			if err != nil {
				return err
			}
			p.add(entries)
		}
		if len(list) <= p.max {
			return nil
		}
		seq = list[len(list)-1].Seq - 1
	}
}
