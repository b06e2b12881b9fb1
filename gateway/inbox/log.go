package inbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

var _ gateway.Logbook = (*Inbox)(nil)

// Bounds of one page of the log.
const (
	maxEntries     = 200
	defaultEntries = 50
	placedBatch    = 32 // rows; each has one message or many
	apartBatch     = 100
	maxApart       = 5000 // rows without a place read for one page
)

// spot is where a page of the log begins: in the order of handing over, and
// among what has no place in it, by time. Both are the last entry seen.
type spot struct {
	pos       int64
	posFrame  int
	at, id    int64
	apartLast int
}

var newest = spot{pos: math.MaxInt64 - 1, posFrame: -1, at: math.MaxInt64 - 1, id: math.MaxInt64 - 1, apartLast: -1}

func (s spot) String() string {
	return fmt.Sprintf("%d.%d.%d.%d.%d", s.pos, s.posFrame, s.at, s.id, s.apartLast)
}

func parseSpot(text string) (s spot, err error) {
	if text == "" {
		return newest, nil
	}
	var again string
	if n, _ := fmt.Sscanf(text, "%d.%d.%d.%d.%d%s", &s.pos, &s.posFrame, &s.at, &s.id, &s.apartLast, &again); n != 5 || s.String() != text {
		return s, problem.New(http.StatusUnprocessableEntity, "query_invalid", "before is the next of an earlier answer").With("member", "before")
	}
	return s, nil
}

// Entries returns received messages, newest first: verified ones, ones that
// wait for a body or a file, and ones that were refused after their signature
// held.
func (x *Inbox) Entries(ctx context.Context, f gateway.EntryFilter) ([]gateway.Entry, error) {
	from, err := parseSpot(f.Before)
	if err != nil {
		return nil, err
	}
	if f.Max = min(f.Max, maxEntries); f.Max <= 0 {
		f.Max = defaultEntries
	}
	topic := ""
	if f.Channel != "" {
		ch, err := x.channels.Channel(f.Channel)
		if err != nil {
			return nil, err
		}
		topic = ch.Topic
	}
	if _, err := x.index(ctx); err != nil {
		return nil, err
	}
	placed, err := x.placed(ctx, f, topic, from)
	if err != nil {
		return nil, err
	}
	apart, err := x.apart(ctx, f, topic, from)
	if err != nil {
		return nil, err
	}
	out := make([]gateway.Entry, 0, f.Max)
	at := from
	for len(out) < f.Max && len(placed)+len(apart) > 0 {
		var next *line
		if len(apart) == 0 || len(placed) > 0 && placed[0].row.newer(apart[0].row) {
			next, placed = &placed[0], placed[1:]
			at.pos, at.posFrame = next.row.Pos, next.frame
		} else {
			next, apart = &apart[0], apart[1:]
			at.at, at.id, at.apartLast = next.row.At, next.row.ID, next.frame
		}
		next.entry.Cursor = at.String()
		out = append(out, next.entry)
	}
	return out, nil
}

// line is an entry with where it comes from.
type line struct {
	row   *Row
	frame int
	entry gateway.Entry
}

// newer is the order of the log among rows of both kinds.
func (r *Row) newer(other *Row) bool {
	return r.At > other.At || r.At == other.At && r.ID > other.ID
}

// placed returns lines of what was handed over.
func (x *Inbox) placed(ctx context.Context, f gateway.EntryFilter, topic string, from spot) (out []line, err error) {
	before := from.pos + 1 // the row of the last entry seen may have more
	for len(out) < f.Max {
		var rows []Row
		if f.Partner == "" && topic == "" {
			rows, err = x.store.Placed(ctx, before, placedBatch)
		} else {
			rows, err = x.places(ctx, f, topic, before, placedBatch)
		}
		if err != nil || len(rows) == 0 {
			return out, err
		}
		for i := range rows {
			r := &rows[i]
			before = r.Pos
			last := math.MaxInt
			if r.Pos == from.pos {
				last = from.posFrame
			}
			if out, err = x.lines(ctx, out, r, last, f); err != nil {
				return nil, err
			}
			if len(out) >= f.Max {
				break
			}
		}
	}
	return out, nil
}

// apart returns lines of what has no place in the order of handing over.
func (x *Inbox) apart(ctx context.Context, f gateway.EntryFilter, topic string, from spot) (out []line, err error) {
	at, id := from.at, from.id+1
	for n := 0; n < maxApart && len(out) < f.Max; n += apartBatch {
		rows, err := x.store.Apart(ctx, at, id, apartBatch)
		if err != nil || len(rows) == 0 {
			return out, err
		}
		for i := range rows {
			r := &rows[i]
			at, id = r.At, r.ID
			if fits, err := x.fits(ctx, r, f, topic); err != nil {
				return nil, err
			} else if !fits {
				continue
			}
			last := math.MaxInt
			if r.At == from.at && r.ID == from.id {
				last = from.apartLast
			}
			if out, err = x.lines(ctx, out, r, last, f); err != nil {
				return nil, err
			}
			if len(out) >= f.Max {
				break
			}
		}
	}
	return out, nil
}

// fits reports whether a row passes the filter.
func (x *Inbox) fits(ctx context.Context, r *Row, f gateway.EntryFilter, topic string) (bool, error) {
	if topic != "" && r.Topic != topic {
		return false, nil
	}
	if f.Partner == "" && f.Channel == "" {
		return true, nil
	}
	info, err := x.session(ctx, r.Session())
	if err != nil || info == nil {
		return false, err
	}
	if f.Partner != "" && info.From != f.Partner {
		return false, nil
	}
	return f.Channel == "" || x.channel(f.Channel, info) != nil, nil
}

// lines appends the entries of a row below a frame, the last frame first.
func (x *Inbox) lines(ctx context.Context, out []line, r *Row, below int, f gateway.EntryFilter) ([]line, error) {
	info, err := x.session(ctx, r.Session())
	if err != nil || info == nil {
		return out, err
	}
	base := gateway.Entry{Direction: gateway.In, Topic: info.Topic, From: info.From, At: r.T, Here: r.At}
	if ch := x.channel(f.Channel, info); ch != nil {
		base.Channel = ch.Name
	}
	list, err := x.describe(ctx, base, r)
	if err != nil {
		return nil, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].frame < below {
			list[i].row = r
			out = append(out, list[i])
		}
	}
	return out, nil
}

// describe returns the lines of a row, in the order of its frames.
func (x *Inbox) describe(ctx context.Context, base gateway.Entry, r *Row) ([]line, error) {
	faults, err := DecodeFaults(r.Verdict)
	if err != nil {
		return nil, fmt.Errorf("read verdict: %w", err)
	}
	if len(faults) == 1 && faults[0].Frame < 0 {
		base.ID, base.State, base.Code = EntryID(r.D), gateway.StateRefused, faults[0].Code
		return []line{{frame: 0, entry: base}}, nil
	}
	var frames []envelope.Frame
	if r.Content {
		if frames, err = x.frames(ctx, r); err != nil && !errors.Is(err, ErrKeyGone) {
			return nil, err
		}
	}
	if len(frames) == 0 {
		return x.describePruned(ctx, base, r)
	}
	out := make([]line, len(frames))
	for i := range frames {
		e := Describe(base, r, i, &frames[i], faults, false)
		if r.Pos == 0 && e.State == StateVerified {
			e.State = gateway.StateWaiting
			if e.File != nil && r.Fetched == 0 {
				e.Code = gateway.CodeDownloading
			}
		}
		out[i] = line{frame: i, entry: e}
	}
	return out, nil
}

// describePruned describes a row whose content is not here: not yet, or not any
// more.
func (x *Inbox) describePruned(ctx context.Context, base gateway.Entry, r *Row) ([]line, error) {
	full, err := x.store.Row(ctx, r.ID)
	if err != nil || full == nil {
		return nil, err
	}
	if len(full.IDs) == 0 {
		base.ID, base.State, base.Code = EntryID(r.D), gateway.StateWaiting, gateway.CodeDownloading
		return []line{{frame: 0, entry: base}}, nil
	}
	var out []line
	for ids := full.IDs; len(ids) >= 32; ids = ids[32:] {
		e := base
		e.ID, e.State = gateway.FormatID([16]byte(ids[:16])), StateVerified
		out = append(out, line{frame: len(out), entry: e})
	}
	return out, nil
}
