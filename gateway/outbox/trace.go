package outbox

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

var _ gateway.Logbook = (*Outbox)(nil)

// errCursor says that a cursor is not one that this log gave.
var errCursor = problem.New(http.StatusUnprocessableEntity, "cursor_invalid", "the cursor is not one that this log gave").
	WithHint("begin without one")

// maxSteps bounds the steps of one trace.
const maxSteps = 1_000

// Trace implements gateway.Logbook for what was sent. The body is there as long
// as somebody may still ask for it. Code: message_unknown.
func (o *Outbox) Trace(ctx context.Context, id string) (*gateway.Trace, error) {
	m, err := o.message(ctx, id)
	if err != nil {
		return nil, err
	}
	t := &gateway.Trace{Entry: gateway.Entry{ID: id, Direction: gateway.Out, Channel: m.Channel}}
	if t.Sent, err = o.status(ctx, m); err != nil {
		return nil, err
	}
	t.At, t.Here, t.State, t.Code, t.File = t.Sent.At, m.At, t.Sent.State, t.Sent.Code, t.Sent.File
	frame, err := o.traceFrame(ctx, m, t)
	if err != nil {
		return nil, err
	}
	if frame != nil {
		t.Type, t.Corr, t.Txn, t.Attrs = frame.Type, frame.Corr, frame.Txn, frame.Attrs
		if !frame.Re.IsZero() {
			t.Re = frame.Re.String()
		}
		if frame.Kind == envelope.KindData {
			t.Body = frame.Body
		}
	}
	if t.File != nil {
		t.Type, t.Size = t.File.Type, t.File.Size
	}
	t.Steps = t.Sent.Steps
	for i := range t.Sent.Recipients {
		r := &t.Sent.Recipients[i]
		if i < entryTo && !slices.Contains(t.To, r.DID) {
			t.To = append(t.To, r.DID)
		}
		for _, s := range r.Steps {
			if len(t.Steps) == maxSteps {
				break
			}
			note := r.DID
			if s.Note != "" {
				note += ": " + s.Note
			}
			t.Steps = append(t.Steps, gateway.Step{At: s.At, Name: s.Name, Note: note})
		}
	}
	t.Count = len(t.Sent.Recipients)
	slices.SortStableFunc(t.Steps, func(a, b gateway.Step) int { return cmp.Compare(a.At, b.At) })
	return t, nil
}

// traceFrame reads a message's frame where it is still here, and fills in what
// is known beside it.
func (o *Outbox) traceFrame(ctx context.Context, m *Message, t *gateway.Trace) (*envelope.Frame, error) {
	if !m.Sealed {
		return o.waitingFrame(ctx, m, t)
	}
	s, err := o.store.Session(ctx, m.SID)
	if err != nil {
		return nil, err
	}
	list, err := o.store.Envelopes(ctx, m.SID, max(0, m.Seq-1), m.Seq, 1<<24)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	env := &list[len(list)-1]
	t.Topic, t.Here = s.Topic, env.At
	if known, err := decodeAbout(env.About, len(env.IDs), env.At); err == nil && m.Idx < len(known) {
		t.Type, t.Size = known[m.Idx].typ, known[m.Idx].size
		if re := known[m.Idx].re; !re.IsZero() {
			t.Re = gateway.FormatID(re)
		}
	}
	prev := envelope.Digest(m.SID)
	if len(list) == 2 {
		prev = list[0].D
	}
	t.Protocol = map[string]string{"session": envelope.Digest(m.SID).String(), "seq": strconv.FormatInt(m.Seq, 10), "index": strconv.Itoa(m.Idx),
		"prev": prev.String(), "digest": envelope.Digest(env.D).String()}
	if core, err := envelope.ParseCore(s.Core); err == nil {
		t.Protocol["certificate"], t.Protocol["record"], t.Protocol["core"] = core.Cert.String(), core.Record.String(), hex.EncodeToString(s.Core)
	}
	if env.Bytes == nil {
		return nil, nil
	}
	e, err := envelope.ParseEnvelope(env.Bytes)
	if err != nil {
		return nil, err
	}
	t.Protocol["signed"], t.Protocol["ciphertext_hash"] = hex.EncodeToString(e.Signed()), e.CiphertextHash().String()
	if s.Secret == nil {
		return nil, nil
	}
	secret, err := o.secret(s)
	if err != nil {
		return nil, err
	}
	opened, err := envelope.NewSessionKeys(s.SID, secret).Open(e)
	if err != nil || m.Idx >= len(opened.Frames) {
		return nil, err
	}
	return &opened.Frames[m.Idx], nil
}

// waitingFrame is traceFrame for a message that waits.
func (o *Outbox) waitingFrame(ctx context.Context, m *Message, t *gateway.Trace) (frame *envelope.Frame, err error) {
	at := m.At
	sealed, err := o.store.Frame(ctx, m.ID)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return nil, err
	}
	if err == nil {
		raw, err := o.local.open(m.ID[:], sealed)
		if err != nil {
			return nil, err
		}
		if frame, err = envelope.ParseFrame(raw); err != nil {
			return nil, err
		}
		at = frame.At // earlier than m.At when it was sealed before
	}
	list, err := o.store.Unsealed(ctx, LogFilter{}, at, next(m.ID), 1)
	if err == nil && len(list) > 0 && list[0].ID == m.ID {
		t.Topic, t.Type, t.Size = list[0].Topic, list[0].Type, list[0].Size
	}
	return frame, err
}

// next is the id after one.
func next(id [16]byte) []byte {
	for i := 15; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id[:]
}

// steps fills in what happened to a message and when.
func (o *Outbox) steps(ctx context.Context, st *gateway.MessageStatus, m *Message, members []Member) error {
	st.Steps = append(st.Steps, gateway.Step{At: st.At, Name: "queued"})
	if f, err := o.store.File(ctx, m.ID); err == nil && f.Pushed > 0 {
		st.Steps = append(st.Steps, gateway.Step{At: f.Pushed, Name: "uploaded"})
	} else if err != nil && !errors.Is(err, ErrNoRow) {
		return err
	}
	if !m.Sealed {
		return nil
	}
	st.Steps = append(st.Steps, gateway.Step{At: m.At, Name: "sealed"})
	rows, err := o.store.Steps(ctx, m.SID, m.Seq)
	if err != nil {
		return err
	}
	of := make(map[string][]StepRow, len(members))
	for _, r := range rows {
		of[r.Addr] = append(of[r.Addr], r)
	}
	for i := range members {
		st.Recipients[i].Steps = memberSteps(&members[i], m, of)
	}
	return nil
}

// memberSteps lists what happened for one recipient. What holds for all of them
// counts where it came first.
func memberSteps(mem *Member, m *Message, of map[string][]StepRow) []gateway.Step {
	var out []gateway.Step
	published := int64(0)
	for _, r := range append(slices.Clone(of[mem.Addr]), of[""]...) {
		if r.At < m.At && r.Kind != StepPublished {
			continue // about envelopes before it
		}
		s := gateway.Step{At: r.At}
		switch r.Kind {
		case StepPublished:
			if published == 0 || r.At < published {
				published = r.At
			}
			continue
		case StepCustody:
			if mem.verdict(m.Seq, m.Idx) != "" || !mem.holds(m.Seq) {
				continue
			}
			s.Name = "delivered"
		case StepResent:
			s.Name = "resent"
		case StepRefused:
			if s.Note = mem.verdict(m.Seq, m.Idx); s.Note == "" {
				continue
			}
			s.Name = "refused"
		case StepUnconfirmed:
			s.Name = "unconfirmed"
		case StepUndelivered:
			s.Name = "undelivered"
		}
		out = append(out, s)
	}
	if published > 0 {
		out = slices.Insert(out, 0, gateway.Step{At: published, Name: "published"})
	}
	slices.SortStableFunc(out, func(a, b gateway.Step) int { return cmp.Compare(a.At, b.At) })
	return out
}
