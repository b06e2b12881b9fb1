package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/problem"
)

// Members says who is on a channel.
type Members interface {
	// Members lists at most max members of a channel, and how many there are.
	Members(ctx context.Context, c *gateway.Channel, max int) ([]gateway.Member, int, error)
}

// Bounds of one list of members.
const (
	defaultMembers = 200
	maxMembers     = 1000
	membersFor     = 20 * time.Second // all look-ups together
	lookAtOnce     = 8
)

// memberPaths registers who is on a channel, and why.
func (a *api) memberPaths() {
	type memberList struct {
		Members []gateway.Member `json:"members"`
		Total   int              `json:"total" doc:"how many there are, also those that are not listed"`
	}
	op := a.operation(access.Admin, http.MethodGet, "channels/{name}/members", "list-members", "Who may be sent to and received from on a channel, and why")
	op.Description += " As this gateway judged it from credentials and chain; it may ask hub, directory and chain."
	register(a, op, func(ctx context.Context, in *struct {
		Named
		Max int `query:"max" minimum:"0" maximum:"1000" doc:"at most this many, default 200"`
	}) (*body[memberList], error) {
		c, err := a.Channels.Channel(in.Name)
		if err != nil {
			return nil, err
		}
		if a.Members == nil {
			return nil, errNotWired
		}
		if in.Max == 0 {
			in.Max = defaultMembers
		}
		ctx, cancel := context.WithTimeout(ctx, membersFor)
		defer cancel()
		l, total, err := a.Members.Members(ctx, c, in.Max)
		if err != nil {
			return nil, err
		}
		for i := range l {
			l[i].Name = a.name(l[i].DID)
		}
		if l == nil {
			l = []gateway.Member{}
		}
		return &body[memberList]{memberList{l, total}}, nil
	})
}

// Directory is what MembersOf asks of the gateway's trust; *trust.Book is one.
type Directory interface {
	Holders(ctx context.Context, role string) ([]trust.Holder, error)
	Look(ctx context.Context, did string) (*trust.Listing, error)
}

// MembersOf judges members by a book of trust; did is the gateway's own.
func MembersOf(did string, book Directory) Members { return membersOf{did, book} }

type membersOf struct {
	did  string
	book Directory
}

// Members implements Members: the DIDs that the channel names, and the holders
// of the roles that it names.
func (m membersOf) Members(ctx context.Context, c *gateway.Channel, max int) ([]gateway.Member, int, error) {
	held := map[string]map[string]trust.Holder{} // by DID, by role
	unjudged := map[string]string{}              // code by role
	dids := map[string]struct{}{}
	for _, a := range []*gateway.Admission{c.Send, c.Receive} {
		if a == nil {
			continue
		}
		for _, d := range a.DIDs {
			dids[d] = struct{}{}
		}
		for _, role := range a.Roles {
			if _, done := unjudged[role]; done {
				continue
			}
			list, err := m.book.Holders(ctx, role)
			unjudged[role] = problem.CodeOf(err)
			var some *trust.Unjudged
			if err != nil && !errors.As(err, &some) && ctx.Err() != nil {
				return nil, 0, err
			}
			for _, h := range list {
				if held[h.DID] == nil {
					held[h.DID] = map[string]trust.Holder{}
				}
				held[h.DID][role] = h
				dids[h.DID] = struct{}{}
			}
		}
	}
	all := make([]string, 0, len(dids))
	for d := range dids {
		all = append(all, d)
	}
	slices.Sort(all)
	out := make([]gateway.Member, min(len(all), max))
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookAtOnce)
	for i := range out {
		d := all[i]
		out[i] = gateway.Member{DID: d, Self: d == m.did, Send: standingOf(c.Send, d, held[d], unjudged), Receive: standingOf(c.Receive, d, held[d], unjudged)}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			m.instances(ctx, &out[i])
		})
	}
	wg.Wait()
	return out, len(all), nil
}

// standingOf says how a DID stands to a condition, as Admission.Admits judges
// it.
func standingOf(a *gateway.Admission, did string, held map[string]trust.Holder, unjudged map[string]string) *gateway.Standing {
	if a == nil {
		return nil
	}
	for _, role := range a.Roles {
		h, ok := held[role]
		if !ok || h.Verified == nil {
			continue
		}
		return &gateway.Standing{Admitted: true, Why: "role", Role: role, Credential: hex.EncodeToString(h.Credential[:]), Issuer: h.Verified.Issuer, ValidUntil: h.Verified.ValidUntil}
	}
	if slices.Contains(a.DIDs, did) {
		return &gateway.Standing{Admitted: true, Why: "named"}
	}
	for _, role := range a.Roles {
		if code := unjudged[role]; code != "" {
			return &gateway.Standing{Code: code} // it may be, once it can be judged
		}
	}
	return &gateway.Standing{Code: string(envelope.RoleNotAdmitted)}
}

// instances fills in where a member can be reached.
func (m membersOf) instances(ctx context.Context, to *gateway.Member) {
	to.Instances = []gateway.Instance{}
	l, err := m.book.Look(ctx, to.DID)
	if err != nil {
		to.Code = problem.CodeOf(err)
		return
	}
	for _, i := range l.Members {
		to.Instances = append(to.Instances, gateway.Instance{Inst: i.Inst, Addr: i.Addr, PackageNotBefore: i.Package.NotBefore, Reachable: true})
	}
	for _, f := range l.Faults {
		to.Instances = append(to.Instances, gateway.Instance{Inst: f.Inst, Code: problem.CodeOf(f.Err)})
	}
	slices.SortFunc(to.Instances, func(x, y gateway.Instance) int { return int(x.Inst) - int(y.Inst) })
}

// expiring is when an own paper is told as ending soon: certificates are
// renewed by themselves five days before their end, packages every day.
const (
	certificateSoon = 4 * 24 * time.Hour
	packageOld      = 48 * time.Hour
	roleSoon        = 7 * 24 * time.Hour
)

type papersOf struct {
	self Self
	book Book
}

// PapersOf watches the certificate, the key package and the roles of an
// identity.
func PapersOf(self Self, book Book) Papers { return papersOf{self, book} }

// Expiring implements Papers.
func (p papersOf) Expiring(ctx context.Context, now time.Time) []Expiry {
	var out []Expiry
	ms := now.UnixMilli()
	if c := p.self.Certificate(); c != nil && c.NotAfter-ms < certificateSoon.Milliseconds() {
		out = append(out, Expiry{Code: "certificate_expiring", Ends: c.NotAfter})
	}
	if k := p.self.Package(); k != nil && ms-k.NotBefore > packageOld.Milliseconds() {
		out = append(out, Expiry{Code: "package_old", Ends: k.NotAfter})
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // kept by the book; never waited for long
	defer cancel()
	own, _ := p.book.Own(ctx)
	for _, v := range own {
		if v.ValidUntil != 0 && v.ValidUntil-ms < roleSoon.Milliseconds() {
			name, _, _ := strings.Cut(v.Role, ".roles.")
			out = append(out, Expiry{Code: "role_expiring", What: name, Ends: v.ValidUntil})
		}
	}
	return out
}
