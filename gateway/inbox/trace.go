package inbox

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strconv"

	"github.com/fxamacker/cbor/v2"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// Trace returns all that is known of a received message: what happened to it,
// and every check with what it rests on; code message_unknown. It also takes
// the id under which the log has an envelope whose messages could not be read.
func (x *Inbox) Trace(ctx context.Context, id string) (*gateway.Trace, error) {
	raw, err := gateway.ParseID(id)
	if err != nil {
		return nil, unknown(id)
	}
	row, err := x.rowOf(ctx, raw)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, unknown(id)
	}
	info, err := x.session(ctx, row.Session())
	if err != nil {
		return nil, err
	}
	if info == nil {
		return nil, unknown(id)
	}
	t := &gateway.Trace{Entry: gateway.Entry{ID: id, Direction: gateway.In, Topic: info.Topic, From: info.From, At: row.T, Here: row.At, State: StateVerified}}
	e := &evidence{row: row, info: info}
	if ch := x.channel("", info); ch != nil {
		t.Channel, e.channel = ch.Name, ch.Name
		e.role = admittedBy(ch, info)
	}
	if err := x.prove(ctx, e); err != nil {
		return nil, err
	}
	if err := x.content(ctx, t, e, raw); err != nil {
		return nil, err
	}
	t.Checks = checksOf(e)
	t.Protocol = protocol(e)
	return t, x.steps(ctx, t, e)
}

func unknown(id string) error {
	return problem.New(http.StatusNotFound, gateway.CodeMessageUnknown, "no message of that id was received here").With("id", id[:min(len(id), 64)])
}

// admittedBy says why a channel admits a sender: a role, or its DID.
func admittedBy(ch *gateway.Channel, info *SessionInfo) string {
	if role, ok := ch.Receive.AdmitsAny(info.Roles); ok {
		return role
	}
	return info.From
}

// prove reads what is kept of the envelope and its session.
func (x *Inbox) prove(ctx context.Context, e *evidence) error {
	core, _, err := x.store.Core(ctx, e.row.Session())
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	if len(core) > 0 {
		if e.core, err = envelope.ParseCore(core); err != nil {
			return fmt.Errorf("stored core: %w", err)
		}
	}
	if len(e.row.Proof) < 32 {
		return nil
	}
	signed, ct := e.row.Proof[:len(e.row.Proof)-32], e.row.Proof[len(e.row.Proof)-32:]
	var sign1 [4]cbor.RawMessage
	var payload []byte
	if err := cbor.Unmarshal(signed, &sign1); err != nil {
		return fmt.Errorf("stored proof: %w", err)
	}
	if err := errors.Join(cbor.Unmarshal(sign1[2], &payload), cbor.Unmarshal(sign1[3], &e.sig)); err != nil {
		return fmt.Errorf("stored proof: %w", err)
	}
	if e.header, err = envelope.ParseHeader(payload); err != nil {
		return fmt.Errorf("stored header: %w", err)
	}
	e.ct = ct
	return nil
}

// content adds what the message says, as far as it is here.
func (x *Inbox) content(ctx context.Context, t *gateway.Trace, e *evidence, id [16]byte) error {
	faults, err := DecodeFaults(e.row.Verdict)
	if err != nil {
		return fmt.Errorf("read verdict: %w", err)
	}
	if len(faults) == 1 && faults[0].Frame < 0 {
		t.State, t.Code, e.fault = gateway.StateRefused, faults[0].Code, faults[0].Code
		return nil
	}
	var frames []envelope.Frame
	if e.row.Content {
		if frames, err = x.frames(ctx, e.row); err != nil && !errors.Is(err, ErrKeyGone) {
			return err
		}
	}
	if len(frames) == 0 {
		if len(e.row.IDs) == 0 {
			t.State, t.Code, e.waits = gateway.StateWaiting, gateway.CodeDownloading, gateway.CodeDownloading
		}
		return nil
	}
	for i := range frames {
		f := &frames[i]
		if f.ID != id && i < len(frames)-1 || f.ID != id && !envelopeOf(e.row, id) {
			continue
		}
		t.Entry = Describe(t.Entry, e.row, i, f, faults, false)
		e.frame, e.found = i, f
		if t.State == gateway.StateRefused {
			e.fault = t.Code
		} else if e.row.Pos == 0 {
			t.State = gateway.StateWaiting
		}
		t.Corr, t.Txn, t.Attrs = f.Corr, f.Txn, f.Attrs
		if f.Kind != envelope.KindObject {
			t.Body = f.Body
			return nil
		}
		return x.contentOfObject(ctx, t, e, f)
	}
	return nil
}

// envelopeOf reports whether the id is that of the envelope, not of a message.
func envelopeOf(r *Row, id [16]byte) bool { return string(r.D[:16]) == string(id[:]) }

// contentOfObject adds an object's description, or the body that it was.
func (x *Inbox) contentOfObject(ctx context.Context, t *gateway.Trace, e *evidence, f *envelope.Frame) error {
	o, err := envelope.ParseObject(f.Body)
	if err != nil {
		return nil // refused for that
	}
	e.object = o
	if t.State != gateway.StateRefused && e.row.Fetched == 0 {
		e.waits = gateway.CodeDownloading
		if e.row.Pos == 0 {
			t.Code = gateway.CodeDownloading
		}
		return nil
	}
	if file := fileOf(e.row.Files, e.frame); IsBody(o) && file != "" && x.objects != nil && t.State != gateway.StateRefused {
		if body, err := x.objects.Body(ctx, file, gateway.MaxBody); err == nil {
			t.Body = body
		}
	}
	return nil
}

// steps adds what happened, in order.
func (x *Inbox) steps(ctx context.Context, t *gateway.Trace, e *evidence) error {
	r := e.row
	add := func(at int64, name, note string) {
		t.Steps = append(t.Steps, gateway.Step{At: at, Name: name, Note: note})
	}
	add(r.At, "received", "from "+e.info.From)
	apart := r.Fetched > 0 && e.object == nil
	if apart {
		add(r.Fetched, "fetched", "its body came apart")
	}
	switch {
	case t.State == gateway.StateRefused:
		add(max(r.At, r.Fetched), "refused", t.Code)
		return nil
	case e.found == nil && t.State == gateway.StateWaiting:
		return nil
	case apart:
		add(r.Fetched, "verified", "")
	default:
		add(r.At, "verified", "")
	}
	if r.Fetched > 0 && e.object != nil {
		add(r.Fetched, "fetched", "its file is here")
	}
	if r.Pos == 0 || e.found == nil {
		return nil
	}
	consumers, err := x.store.Consumers(ctx)
	if err != nil {
		return fmt.Errorf("read consumers: %w", err)
	}
	from := len(t.Steps)
	for _, c := range consumers {
		if x.channel(c.Channel, e.info) == nil {
			continue
		}
		handed, acked, err := x.times(ctx, c.ID, r.Pos)
		if err != nil {
			return err
		}
		if c.Handed < r.Pos || c.Handed == r.Pos && c.HandedFrame < e.frame || handed == 0 {
			continue
		}
		add(handed, "handed over", "to consumer "+c.Name)
		if c.Floor >= r.Pos && acked > 0 {
			add(max(acked, handed), "acknowledged", "by consumer "+c.Name)
			continue
		}
		bits, err := x.store.Acked(ctx, c.ID, r.Pos)
		if err != nil {
			return fmt.Errorf("read acknowledgements: %w", err)
		}
		if e.frame/8 < len(bits) && bits[e.frame/8]&(1<<(e.frame%8)) != 0 {
			add(handed, "acknowledged", "by consumer "+c.Name+", before earlier messages")
		}
	}
	sort.SliceStable(t.Steps[from:], func(i, j int) bool { return t.Steps[from+i].At < t.Steps[from+j].At })
	return nil
}

// protocol is the raw form, in hexadecimal.
func protocol(e *evidence) map[string]string {
	p := map[string]string{"session": hex.EncodeToString(e.info.SID[:]), "seq": strconv.FormatUint(e.row.Seq(), 10), "digest": hex.EncodeToString(e.row.D[:])}
	if e.core != nil {
		p["certificate"], p["record"], p["core"] = e.core.Cert.String(), e.core.Record.String(), hex.EncodeToString(e.core.Bytes())
	}
	if e.header != nil {
		p["prev"], p["root"] = e.header.Prev.String(), e.header.Root.String()
		p["signature"], p["ciphertext hash"] = hex.EncodeToString(e.sig), hex.EncodeToString(e.ct)
		p["signed"] = hex.EncodeToString(e.row.Proof[:len(e.row.Proof)-32])
	}
	return p
}
