package intake

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/problem"
)

// codeStorageFull is Objects' word for a disk or a quota that has no room now.
const codeStorageFull = "storage_full"

// share is what one sender has in progress with Objects.
type share struct {
	n     int
	bytes int64
}

// news is what Objects said about one object.
type news struct {
	row   int64
	frame int
	taken bool // the answer to Take; else it is told that it ended
	file  string
	lazy  bool // may be handed over before its parts are here
	err   error
}

// newsbox gathers news for the loop without blocking who brings them. It holds
// no more than there are objects in progress.
type newsbox struct {
	mu    sync.Mutex
	list  []news
	ready chan struct{}
}

func (b *newsbox) put(n news) {
	b.mu.Lock()
	if len(b.list) < 2*maxAwaitsInAll { // more than can be awaited: not ours
		b.list = append(b.list, n)
	}
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

func (b *newsbox) take() []news {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

// objectKey names a frame for Objects; parseKey reads it.
func objectKey(row int64, frame int) string { return fmt.Sprintf("%d/%d", row, frame) }

func parseKey(key string) (row int64, frame int, ok bool) {
	a, b, ok := strings.Cut(key, "/")
	row, err1 := strconv.ParseInt(a, 10, 64)
	frame, err2 := strconv.Atoi(b)
	return row, frame, ok && err1 == nil && err2 == nil
}

// describes checks the description of an object as far as it goes without its
// parts: its form, and the network's longest file. It returns its size.
func (x *Intake) describes(body []byte) (size int64, err error) {
	o, err := envelope.ParseObject(body)
	if err != nil {
		return 0, err
	}
	if o.Size > x.d.Network.FileMax {
		return 0, envelope.TooLarge.Errorf("an object of %d bytes, at most %d", o.Size, x.d.Network.FileMax)
	}
	return o.Size, nil
}

// pursueObject gives an object's description to Objects, when its sender's
// share and the bounds of all have room. It returns when to try again.
func (x *Intake) pursueObject(s *session, a *Await, o *AwaitObject, now int64) int64 {
	switch {
	case x.d.Objects == nil || o.Done && (o.File != "" || isBad(a.Bad, o.Frame)):
		return 0 // one that is here, and which file it is was not heard, is taken again
	case now < o.next:
		return o.next
	case x.taking >= maxTakes:
		x.crowded = true
		return 0
	}
	if !o.busy {
		mine := x.taken[s.row.Sender]
		if x.takenN >= objectsInAll || mine.n >= objectsPerSender || (mine.n > 0 && mine.bytes+o.Size > objectBytes*x.d.Network.FileMax) {
			x.crowded = true
			return 0
		}
		x.taken[s.row.Sender] = share{mine.n + 1, mine.bytes + o.Size}
		x.takenN++
		o.busy = true
	}
	x.taking++
	x.begun++
	o.next = now + awaitRetry
	t := take{row: s.entryID(a.Seq), frame: o.Frame, info: s.info, topic: s.topic, until: s.row.Expires}
	if ch := x.channelOf(s.info); ch != nil {
		t.channel, t.lazy = ch.Name, ch.Lazy
	}
	x.later(func(ctx context.Context) { go x.takeObject(ctx, t) })
	return o.next
}

// atRest ends what an object takes of its sender's share.
func (x *Intake) atRest(s *session, o *AwaitObject) {
	if !o.busy {
		return
	}
	o.busy, x.freed = false, true
	x.takenN--
	if mine := x.taken[s.row.Sender]; mine.n > 1 {
		x.taken[s.row.Sender] = share{mine.n - 1, mine.bytes - o.Size}
	} else {
		delete(x.taken, s.row.Sender)
	}
}

// take is one description on its way to Objects; it shares nothing with the
// loop.
type take struct {
	row     int64
	frame   int
	info    *inbox.SessionInfo
	topic   *trust.Topic
	channel string
	lazy    bool
	until   int64
}

// takeObject reads a stored description and gives it to Objects.
func (x *Intake) takeObject(ctx context.Context, t take) {
	n := news{row: t.row, frame: t.frame, taken: true}
	defer func() {
		if p := recover(); p != nil {
			n.err = fmt.Errorf("taking an object panicked: %v", p)
		}
		x.news.put(n)
	}()
	f, o, err := x.storedObject(ctx, t.row, t.frame)
	if err != nil {
		n.err = err
		return
	}
	file, err := x.d.Objects.Take(ctx, objectKey(t.row, t.frame), t.info.From, t.channel, gateway.FormatID(f.ID), o,
		t.topic.Record.Schema, t.topic.Schema, t.until)
	if err != nil {
		n.err = err
		return
	}
	n.file, n.lazy = file.ID, t.lazy && !inbox.IsBody(o)
}

// storedObject reads an object's description from the store.
func (x *Intake) storedObject(ctx context.Context, row int64, frame int) (*envelope.Frame, *envelope.Object, error) {
	key, box, err := x.d.Store.Content(ctx, row)
	if err != nil {
		return nil, nil, fmt.Errorf("read content: %w", err)
	}
	plain, err := x.d.Vault.Open(key, inbox.EntryAAD(row), box)
	if err != nil {
		return nil, nil, fmt.Errorf("open stored content: %w", err)
	}
	_, raw, err := inbox.Unpack(plain)
	if err != nil || frame >= len(raw) {
		return nil, nil, fmt.Errorf("stored content: %w", err)
	}
	f, err := envelope.ParseFrame(raw[frame])
	if err != nil {
		return nil, nil, fmt.Errorf("stored frame: %w", err)
	}
	o, err := envelope.ParseObject(f.Body)
	return f, o, err
}

// heardOf takes what Objects said.
func (x *Intake) heardOf(list []news) {
	for _, n := range list {
		s := x.byID[n.row/inbox.MaxSeq]
		if s == nil {
			continue
		}
		a := s.led.awaited(uint64(n.row % inbox.MaxSeq))
		if a == nil {
			continue
		}
		for i := range a.Objects {
			if o := &a.Objects[i]; o.Frame == n.frame && !(o.Done && o.File != "") {
				x.objectNews(s, a, o, n)
				break
			}
		}
	}
}

// roomAgain has what waits for room looked at again once some was made.
func (x *Intake) roomAgain() {
	if !x.crowded || !x.freed {
		return
	}
	x.crowded, x.freed = false, false
	for _, s := range x.active {
		s.pursue = s.pursue || len(s.led.Awaits) > 0
	}
}

// objectNews takes one piece of news.
func (x *Intake) objectNews(s *session, a *Await, o *AwaitObject, n news) {
	now := x.now()
	s.pursue = true
	x.active[s.row.ID] = s
	switch code := problem.CodeOf(n.err); {
	case n.err == nil && n.taken:
		if o.File != n.file {
			o.File = n.file
			x.touch(s, false)
		}
		o.lazy = n.lazy
		x.described(s, a)
	case n.err == nil:
		o.Done = true
		x.touch(s, false)
		x.described(s, a)
	case code == string(envelope.ContentHash):
		x.notThere(s, a, n.err)
		o.next = nextAsk(a.Failed, o.tries, now)
		o.tries++
	case code == codeStorageFull:
		if !o.told {
			o.told = true
			x.report(about(s, gateway.KindState, codeStorageFull, a.Seq, a.Seq, "a file waits until there is room for it: "+problem.From(n.err).Message))
		}
		o.next = now + awaitRetry
	case finalOf(code) != "":
		x.refuseObject(s, a, o, finalOf(code), n.err)
		x.described(s, a)
	default:
		x.log.Debug("an object was not taken", "session", s.sid().String(), "seq", a.Seq, "error", n.err)
		o.next = now + backoff(o.tries)
		o.tries++
	}
}

// finalOf returns the protocol's code for an end of an object that nothing will
// change, "" for others.
func finalOf(code string) envelope.Code {
	switch c := envelope.Code(code); c {
	case envelope.BadPart, envelope.Truncated, envelope.BadObject, envelope.BadSchema, envelope.TooLarge:
		return c
	case envelope.JSONInvalid, envelope.JSONDepth, envelope.JSONDuplicateKey, envelope.BodyEmpty, envelope.BodyTooLarge:
		return envelope.BadSchema
	}
	return ""
}

// refuseObject refuses the frame of an object.
func (x *Intake) refuseObject(s *session, a *Await, o *AwaitObject, code envelope.Code, err error) {
	o.Done = true
	a.Bad = append(a.Bad, inbox.Fault{Frame: o.Frame, Code: string(code)})
	sort.Slice(a.Bad, func(i, j int) bool { return a.Bad[i].Frame < a.Bad[j].Frame })
	if !s.led.refuse(a.Seq, string(told(code)), o.Frame) {
		s.led.stopTelling(a.Seq, a.Before)
	}
	e := about(s, gateway.KindRefused, string(code), a.Seq, a.Seq, detail(err))
	x.report(e)
	x.touch(s, false)
}

// told is how a refusal is told to the sender, where the list tells it of the
// code at all.
func told(code envelope.Code) envelope.Code {
	if code == envelope.TooLarge {
		return envelope.BadObject
	}
	return code
}

// described looks whether an entry may be handed over now: all its objects are
// here, or, on a channel that is lazy, their descriptions.
func (x *Intake) described(s *session, a *Await) {
	done, lazy := true, true
	var files []inbox.FileRef
	for i := range a.Objects {
		o := &a.Objects[i]
		bad := o.Done && isBad(a.Bad, o.Frame)
		done = done && o.Done && (o.File != "" || bad)
		lazy = lazy && (bad || o.File != "" && (o.lazy || o.Done))
		if o.Done {
			x.atRest(s, o)
		}
		if o.File != "" {
			files = append(files, inbox.FileRef{Frame: o.Frame, File: o.File})
		}
	}
	settled := Settle{ID: s.entryID(a.Seq), Files: inbox.EncodeFiles(files), Verdict: inbox.EncodeFaults(a.Bad)}
	switch {
	case done:
		settled.Fetched = x.now()
		if a.Failed > 0 {
			x.report(about(s, gateway.KindRepaired, eventRepaired, a.Seq, a.Seq, fmt.Sprintf("came after %d ms", x.now()-a.Failed)))
		}
		x.arrived(s, a)
		x.arrivedLive(a)
		if !a.Lazy {
			x.handLater(s, a)
		}
	case lazy && !a.Lazy:
		x.arrivedLive(a)
		x.handLater(s, a)
		a.Lazy = true
		x.touch(s, false)
		x.owe(s, false)
	}
	x.r.Settle = append(x.r.Settle, settled)
}

// handLater places a stored entry whose content came.
func (x *Intake) handLater(s *session, a *Await) {
	pos, late := x.settle(s, a)
	if pos > 0 {
		x.r.Release = append(x.r.Release, Release{ID: s.entryID(a.Seq), Pos: pos, Late: late})
		topic := s.core.Topic
		x.later(func(context.Context) { x.d.Inbox.Released(topic) })
	}
}

func isBad(faults []inbox.Fault, frame int) bool {
	for _, f := range faults {
		if f.Frame == frame || f.Frame < 0 {
			return true
		}
	}
	return false
}
