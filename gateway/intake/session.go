package intake

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/trust"
)

// session is a session id in memory.
type session struct {
	row   SessionRow
	led   *Ledger
	core  *envelope.Core // nil while unknown
	lane  *lane          // nil while unknown
	lined bool           // one of the lane's sessions that are not settled
	info  *inbox.SessionInfo
	keys  *envelope.SessionKeys // nil until open, and after S was destroyed
	topic *trust.Topic
	ready bool // keys and topic are in memory: envelopes can be judged

	standing   error // E7, as of standingAt
	standingAt int64
	checking   bool   // the book is looking it up
	outdated   bool   // something changed since it was asked
	stalled    string // code for which handing over waits
	stallT     int64  // handing over waits until this time is not ahead any more, ms

	bad []badBytes // numbers that came damaged

	// The numbers up to the highest that was seen before the session was open.
	tailSince, tailAt int64
	tailAsked         int
	judge             bool  // queued or with a judge
	regrant           bool  // open without its secret, and granted again
	judgeAt           int64 // next try, ms
	tries             int
	dirty             bool // changed in this round
	whole             bool // more than Ledger and Due changed
	stored            bool // has a row
	kept              bool // the row says that something is unsettled
	onWay             int  // receipts on their way that tell of it
	advance           bool // stored entries may get places

	over     bool  // what a mark named past the retention was reported
	pursue   bool  // something awaited may be looked for now
	pursueAt int64 // when to look again, ms; 0: not by itself
}

// badBytes is a number asked for again because it came damaged.
type badBytes struct {
	seq     uint64
	since   int64
	asked   int
	nextAsk int64
}

// lane is a lane group in memory.
type lane struct {
	row      LaneRow
	sessions []*session // not settled, in the order of handing over
	held     int        // sessions in memory that are of it, settled or not
}

// strangerKey is a session id with the mailbox that named it: whoever else
// knows the id must not be asked in place of the session's own sender.
type strangerKey struct {
	sid    envelope.Digest
	sender string
}

// named is a session id that an envelope named and no grant opened.
type named struct {
	sid     envelope.Digest
	sender  string
	since   int64
	highest uint64
	asked   int
	nextAsk int64
	told    bool // session_unknown was reported
}

// standingTTL is how long a verdict on a session's standing is used without
// asking the book again, which pushes changes anyway.
const standingTTL = 1000 // ms

func (s *session) sid() envelope.Digest { return s.row.SID }

func (s *session) peer() peerKey {
	if s.core == nil {
		return peerKey{}
	}
	return peerKey{s.core.From, s.core.Inst}
}

// entryID is the row id of one of its envelopes.
func (s *session) entryID(seq uint64) int64 { return s.row.ID*inbox.MaxSeq + int64(seq) }

// touch marks the session for writing; whole when more than its ledger changed.
func (x *Intake) touch(s *session, whole bool) {
	if !s.dirty {
		s.dirty = true
		x.dirty = append(x.dirty, s)
	}
	s.whole = s.whole || whole || !s.stored
}

// collectDirty puts what changed into the round.
func (x *Intake) collectDirty() {
	for _, s := range x.dirty {
		if !s.dirty { // forgotten meanwhile
			continue
		}
		row := s.row
		row.Due = s.row.Due || !x.quiet(s) // what is unsettled is taken up after a restart
		s.kept = row.Due
		s.led.Bad = s.led.Bad[:0]
		for _, b := range s.bad {
			s.led.Bad = append(s.led.Bad, b.seq)
		}
		row.Ledger, row.Stable = s.led.encode(), !s.whole
		if s.info != nil && !row.Stable {
			row.Info = s.info.Encode()
		}
		x.r.Sessions = append(x.r.Sessions, row)
		s.dirty, s.whole, s.stored = false, false, true
	}
	x.dirty = x.dirty[:0]
	x.evict()
}

// evict drops sessions that nothing waits for when too many are in memory.
func (x *Intake) evict() {
	for n := len(x.lru); n > 0 && len(x.byID)-len(x.active) > maxLoaded; n-- {
		id := x.lru[0]
		x.lru = x.lru[1:]
		s := x.byID[id]
		switch {
		case s == nil:
		case x.active[id] != nil || s.judge || s.dirty || s.row.Due:
			x.lru = append(x.lru, id)
		default:
			x.unload(s)
		}
	}
}

// unload drops a session from memory.
func (x *Intake) unload(s *session) {
	delete(x.byID, s.row.ID)
	delete(x.bySID, s.sid())
	delete(x.active, s.row.ID)
	for _, a := range s.led.Awaits {
		x.count(s, a, 0)
		x.countFiles(s, a, 0)
		for i := range a.Objects {
			x.atRest(s, &a.Objects[i])
		}
	}
	x.countAwaits(s, -len(s.led.Awaits))
	if l := s.lane; l != nil {
		l.remove(s)
		if l.held--; l.held == 0 {
			delete(x.lanes, l.row.ID)
			x.ids.drop(l.row.ID)
		}
	}
}

// join makes a session one of a lane group; its place in the order is insert's.
func (s *session) join(l *lane) {
	if s.lane != l {
		if s.lane != nil {
			s.lane.remove(s)
			s.lane.held--
		}
		l.held++
	}
	s.lane, s.row.Lane = l, l.row.ID
}

func (l *lane) remove(s *session) {
	s.lined = false
	for i, other := range l.sessions {
		if other == s {
			l.sessions = append(l.sessions[:i], l.sessions[i+1:]...)
			return
		}
	}
}

// insert places a session behind the one it follows, else at the end.
func (l *lane) insert(s *session) {
	l.remove(s)
	s.lined = true
	if p := s.led.Prev; p != nil {
		for i, other := range l.sessions {
			if other.row.SID == p.SID {
				l.sessions = append(l.sessions[:i+1], append([]*session{s}, l.sessions[i+1:]...)...)
				return
			}
		}
	}
	for i, other := range l.sessions { // in front of one that follows it
		if other.led.Prev != nil && other.led.Prev.SID == s.row.SID {
			l.sessions = append(l.sessions[:i], append([]*session{s}, l.sessions[i:]...)...)
			return
		}
	}
	l.sessions = append(l.sessions, s)
}

// find returns the session of a sid, nil when nothing is known of it.
func (x *Intake) find(ctx context.Context, sid envelope.Digest) (*session, error) {
	if s := x.bySID[sid]; s != nil {
		return s, nil
	}
	row, err := x.d.Store.Session(ctx, sid)
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	if row == nil {
		return nil, nil
	}
	return x.adopt(ctx, row)
}

// adopt takes a stored session into memory.
func (x *Intake) adopt(ctx context.Context, row *SessionRow) (*session, error) {
	if s := x.byID[row.ID]; s != nil {
		return s, nil
	}
	s := &session{row: *row, stored: true, kept: row.Due}
	s.regrant = row.State == Open && len(row.Secret) == 0 && len(row.Grant) > 0
	var err error
	if s.led, err = decodeLedger(row.Ledger); err != nil {
		return nil, fmt.Errorf("stored ledger: %w", err)
	}
	if row.Core != nil {
		if s.core, err = envelope.ParseCore(row.Core); err != nil {
			return nil, fmt.Errorf("stored core: %w", err)
		}
	}
	if row.Info != nil {
		if s.info, err = inbox.DecodeInfo(row.Info); err != nil {
			return nil, fmt.Errorf("stored session: %w", err)
		}
	}
	x.byID[row.ID], x.bySID[s.sid()] = s, s
	x.lru = append(x.lru, row.ID)
	for _, seq := range s.led.Bad {
		s.bad = append(s.bad, badBytes{seq: seq, since: x.now(), nextAsk: x.now()})
	}
	x.countAwaits(s, len(s.led.Awaits))
	for _, a := range s.led.Awaits {
		x.count(s, a, a.Len)
		x.countFiles(s, a, len(a.Objects))
	}
	s.pursue = true
	if row.Lane > 0 {
		l, err := x.laneByID(ctx, row.Lane)
		if err != nil {
			return nil, err
		}
		s.join(l)
		l.insert(s)
	}
	return s, nil
}

// create makes a session row for a sid.
func (x *Intake) create(sid envelope.Digest, sender string, state State, expires int64) *session {
	x.last.Session++
	s := &session{row: SessionRow{ID: x.last.Session, SID: sid, State: state, Sender: sender, Since: x.now(), Expires: expires}, led: newLedger(sid)}
	key := strangerKey{sid, sender}
	if n := x.strange[key]; n != nil {
		s.led.Highest = int64(n.highest) + 1
		delete(x.strange, key)
	}
	x.byID[s.row.ID], x.bySID[sid] = s, s
	x.lru = append(x.lru, s.row.ID)
	x.touch(s, true)
	return s
}

func (x *Intake) laneByID(ctx context.Context, id int64) (*lane, error) {
	if l := x.lanes[id]; l != nil {
		return l, nil
	}
	row, err := x.d.Store.Lane(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read lane: %w", err)
	}
	if row == nil {
		return nil, fmt.Errorf("lane %d is not in the store", id)
	}
	l := &lane{row: *row}
	x.lanes[id] = l
	return l, nil
}

// laneOf returns the lane group of a core, making it where it is new. known
// tells whether it was there before.
func (x *Intake) laneOf(ctx context.Context, c *envelope.Core) (l *lane, known bool, err error) {
	for _, l := range x.lanes {
		if l.row.DID == c.From && l.row.Inst == c.Inst && string(l.row.Chan) == string(c.Chan[:]) && l.row.Topic == c.Topic {
			return l, true, nil
		}
	}
	row, err := x.d.Store.FindLane(ctx, c.From, c.Inst, c.Chan[:], c.Topic)
	if err != nil {
		return nil, false, fmt.Errorf("read lane: %w", err)
	}
	if row != nil {
		l = &lane{row: *row}
		x.lanes[row.ID] = l
		return l, true, nil
	}
	x.last.Lane++
	l = &lane{row: LaneRow{ID: x.last.Lane, DID: c.From, Inst: c.Inst, Chan: c.Chan[:], Topic: c.Topic}}
	x.lanes[l.row.ID] = l
	x.r.Lanes = append(x.r.Lanes, l.row)
	return l, false, nil
}

// windowOf returns the id window of a lane, loading it where it is not in memory.
func (x *Intake) windowOf(ctx context.Context, l *lane) (*window, error) {
	if w := x.ids.lane(l.row.ID); w != nil {
		return w, nil
	}
	now := x.now()
	w := x.ids.open(l.row.ID, now)
	rows, err := x.d.Store.SessionsOf(ctx, l.row.ID, 64)
	if err != nil {
		return nil, fmt.Errorf("read sessions of a lane: %w", err)
	}
	for i := range rows {
		from := rows[i].ID * inbox.MaxSeq
		err := x.d.Store.FrameIDs(ctx, from, from+inbox.MaxSeq-1, now-idAge, func(id int64, ids []byte) {
			for ; len(ids) >= idBytes; ids = ids[idBytes:] {
				x.ids.add(w, x.ids.finger(ids[:16]), id, now)
			}
		})
		if err != nil {
			x.ids.drop(l.row.ID)
			return nil, fmt.Errorf("read frame ids: %w", err)
		}
	}
	return w, nil
}

// Secrets at rest: u64 data key, then the sealed box.
func (x *Intake) sealSecret(sid envelope.Digest, s envelope.Secret) []byte {
	key, box := x.d.Vault.Seal(append([]byte("spine/1 secret "), sid[:]...), s[:])
	return append(binary.BigEndian.AppendUint64(nil, uint64(key)), box...)
}

func (x *Intake) openSecret(sid envelope.Digest, b []byte) (s envelope.Secret, err error) {
	if len(b) < 8 {
		return s, errors.New("no secret is stored")
	}
	plain, err := x.d.Vault.Open(int64(binary.BigEndian.Uint64(b)), append([]byte("spine/1 secret "), sid[:]...), b[8:])
	if err != nil {
		return s, fmt.Errorf("open stored secret: %w", err)
	}
	copy(s[:], plain)
	return s, nil
}

// channels returns the local channels that receive a topic.
func (x *Intake) receiving(topic string) []gateway.Channel {
	var out []gateway.Channel
	for _, c := range x.d.Channels.ForTopic(topic) {
		if c.Receive != nil {
			out = append(out, c)
		}
	}
	return out
}

// refusedRest is the range from a number to the end of a session.
func refusedRest(seq uint64, code envelope.Code) Refusal {
	return Refusal{From: seq, To: envelope.MaxEnvelopes - 1, Code: string(code), Frame: -1}
}
