package outbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/problem"
)

// Codes of messages that wait.
var (
	errNoPackage = problem.New(503, string(envelope.BadPackage), "a recipient has no usable certificate or key package yet")
	errLater     = problem.New(503, "session_ended", "a recipient refused the last session; a new one is opened within a minute")
)

// plan is for whom and under what a session is sealed.
type plan struct {
	topic   *trust.Topic
	members []trust.Member // sorted by address
	left    []string       // DIDs without a usable instance
	creds   []envelope.Digest
	cert    *envelope.Certificate
	base    [32]byte // all of it but the members
}

// admitted is who may be sent to on a channel, with the credential relied on
// (zero where the channel names the DID).
type admitted map[string]envelope.Digest

// admit finds the DIDs that the channel's send admission lets in.
func (o *Outbox) admit(ctx context.Context, ch *gateway.Channel) (admitted, error) {
	if ch.Send == nil {
		return nil, gateway.NotSending(ch.Name)
	}
	out := make(admitted)
	var failed error
	for _, role := range ch.Send.Roles {
		holders, err := o.trust.Holders(ctx, role)
		if err != nil {
			failed = err // holders may still be some of them
		}
		for _, h := range holders {
			out[h.DID] = h.Credential
		}
	}
	for _, did := range ch.Send.DIDs {
		out[did] = envelope.Digest{}
	}
	return out, failed
}

// recipients narrows who is admitted by the client's selection.
func (a admitted) recipients(channel string, to []string, self string) ([]string, error) {
	if len(to) > 0 {
		for _, did := range to {
			if _, ok := a[did]; !ok {
				return nil, gateway.RecipientNotAdmitted(did)
			}
		}
		return to, nil
	}
	out := make([]string, 0, len(a))
	for did := range a {
		if did != self {
			out = append(out, did)
		}
	}
	if len(out) == 0 {
		return nil, gateway.NoRecipient(channel)
	}
	slices.Sort(out)
	return out, nil
}

// plan computes for whom a lane is sealed now.
func (o *Outbox) plan(ctx context.Context, l *lane) (*plan, error) {
	ch, err := o.channels.Channel(l.Channel)
	if err != nil {
		return nil, err
	}
	p := &plan{cert: o.self.Certificate()}
	if p.cert == nil {
		return nil, problem.New(503, "not_ready", "this gateway has no instance certificate yet")
	}
	if p.topic, err = o.trust.Current(ctx, ch.Topic, ch.Version); err != nil {
		return nil, err
	}
	a, failed := o.admit(ctx, ch)
	dids, err := a.recipients(ch.Name, l.to, o.self.DID())
	if err != nil {
		if failed != nil {
			return nil, failed
		}
		return nil, err
	}
	if failed != nil && len(l.to) == 0 {
		return nil, failed // part of the set is unknown
	}
	if len(dids) > envelope.MaxRecipients {
		return nil, problem.New(422, string(envelope.TooLarge), "too many recipients for one session")
	}
	if err := o.instances(ctx, p, dids); err != nil {
		return nil, err
	}
	if len(p.members) == 0 || ch.RequiresAll() && len(p.left) > 0 {
		return nil, errNoPackage
	}
	if p.creds, err = o.credentials(ctx, ch.Topic); err != nil {
		return nil, err
	}
	p.base = p.fingerprint()
	return p, nil
}

// instances fills the members of a plan, looking several DIDs up at a time.
func (o *Outbox) instances(ctx context.Context, p *plan, dids []string) error {
	type found struct {
		members []trust.Member
		err     error
	}
	results := make([]found, len(dids))
	slots := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, did := range dids {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			m, err := o.trust.Instances(ctx, did)
			results[i] = found{m, err}
		})
	}
	wg.Wait()
	for i, r := range results {
		n := len(p.members)
		for _, m := range r.members {
			if m.Addr != o.self.Addr() && m.Certificate != nil && m.Package != nil {
				p.members = append(p.members, m)
			}
		}
		if len(p.members) > n {
			continue
		}
		if errors.Is(r.err, context.Canceled) {
			return r.err
		}
		p.left = append(p.left, dids[i])
	}
	slices.SortFunc(p.members, func(a, b trust.Member) int { return strings.Compare(a.Addr, b.Addr) })
	return nil
}

// credentials are the own role credentials shown to recipients: those of the
// topic's namespace, else all; others would tell too much.
func (o *Outbox) credentials(ctx context.Context, topic string) ([]envelope.Digest, error) {
	own, err := o.trust.Own(ctx)
	_, ns, _ := strings.Cut(topic, ".")
	isNear := func(role string) bool { return strings.HasSuffix(role, ".roles."+ns) }
	var near, all []envelope.Digest
	for _, v := range own {
		all = append(all, v.Digest)
		if isNear(v.Role) {
			near = append(near, v.Digest)
		}
	}
	// What is sealed without a credential that recipients ask for is refused for
	// good: better to wait until it can be judged.
	var some *trust.Unjudged
	if err != nil && (!errors.As(err, &some) || len(near) == 0 || slices.ContainsFunc(some.Roles, isNear)) {
		return nil, err
	}
	if len(near) > 0 {
		all = near
	}
	slices.SortFunc(all, func(a, b envelope.Digest) int { return bytes.Compare(a[:], b[:]) })
	return all[:min(len(all), envelope.MaxCreds)], nil
}

// fingerprint covers what a session rests on besides its members.
func (p *plan) fingerprint() (out [32]byte) {
	h := sha256.New()
	cert := p.cert.Digest()
	h.Write(cert[:])
	h.Write(p.topic.Digest[:])
	for _, c := range p.creds {
		h.Write(c[:])
	}
	h.Sum(out[:0])
	return out
}

// seat is what makes a member the same member: its floor counts, a raised one
// ends every session with its older certificates.
type seat struct {
	addr  string
	floor uint64
}

func seats(members []trust.Member) []seat {
	out := make([]seat, len(members))
	for i, m := range members {
		out[i] = seat{m.Addr, m.Certificate.Floor}
	}
	return out
}

// growth tells how the members changed: same, or only more of them.
func growth(old, now []seat) (same, grown bool) {
	if slices.Equal(old, now) {
		return true, false
	}
	set := make(map[seat]struct{}, len(now))
	for _, s := range now {
		set[s] = struct{}{}
	}
	for _, s := range old {
		if _, ok := set[s]; !ok {
			return false, false
		}
	}
	return false, true
}
