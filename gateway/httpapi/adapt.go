package httpapi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/gateway/issuer"
	"github.com/digital-spine/spine/gateway/owner"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/vc"
)

// Self is what IdentityOf shows; *identity.Self is one.
type Self interface {
	DID() string
	Inst() uint64
	Addr() string
	Address() common.Address
	Certificate() *envelope.Certificate
	Package() *envelope.Package
}

type selfIdentity struct {
	self  Self
	ready func(context.Context) error
}

// IdentityOf shows an identity; ready (nil: always) says whether the gateway
// can work now.
func IdentityOf(self Self, ready func(context.Context) error) Identity {
	return selfIdentity{self, ready}
}

// About implements Identity.
func (s selfIdentity) About(ctx context.Context) About {
	a := About{DID: s.self.DID(), Inst: s.self.Inst(), Addr: s.self.Addr(), Address: s.self.Address().Hex()}
	c, p := s.self.Certificate(), s.self.Package()
	if c != nil {
		a.Certificate = c.Digest().String()
	}
	if p != nil {
		a.Package = p.Digest().String()
	}
	a.Ready = c != nil && p != nil
	if s.ready != nil {
		if err := s.ready(ctx); err != nil {
			a.Ready, a.Reason = false, problem.CodeOf(err)
		}
	}
	return a
}

type ownerOf struct{ o *owner.Owner }

// OwnerOf shows an owner of names and topics.
func OwnerOf(o *owner.Owner) Owner { return ownerOf{o} }

// PutTopic implements Owner.
func (a ownerOf) PutTopic(ctx context.Context, name string, t TopicSpec) (*Topic, error) {
	order := envelope.Strict
	if t.Order == "prompt" {
		order = envelope.Prompt
	}
	p, err := a.o.PutTopic(ctx, owner.Spec{Name: name, Version: t.Version, Kind: t.Kind, Schema: t.Schema, Order: order, NotBefore: t.NotBefore, NotAfter: t.NotAfter})
	return topic(p, err)
}

// Topic implements Owner.
func (a ownerOf) Topic(ctx context.Context, name, version string) (*Topic, error) {
	return topic(a.o.Topic(ctx, name, version))
}

func topic(p *owner.Published, err error) (*Topic, error) {
	if err != nil {
		return nil, err
	}
	r := p.Record
	t := &Topic{Name: r.Name, Version: r.Version, Revision: r.Revision, Owner: r.DID, Order: "strict", NotBefore: r.NotBefore, NotAfter: r.NotAfter,
		Record: r.Digest().String(), Kind: r.Kind, Digest: r.Schema.String(), Schema: json.RawMessage(p.Root())}
	if r.Order == envelope.Prompt {
		t.Order = "prompt"
	}
	return t, nil
}

// PutName implements Owner.
func (a ownerOf) PutName(ctx context.Context, name string, n NameSpec) (*Name, error) {
	return ownedName(a.o.PutName(ctx, ens.Kind(n.Kind), name, n.Definition))
}

// Name implements Owner.
func (a ownerOf) Name(ctx context.Context, name string) (*Name, error) {
	return ownedName(a.o.Name(ctx, name))
}

func ownedName(n *owner.Name, err error) (*Name, error) {
	if err != nil {
		return nil, err
	}
	out := &Name{Name: n.Name, Kind: string(n.Kind), Owner: n.Owner.Hex(), Definition: n.Metadata}
	if n.Role != nil {
		if out.Definition, err = json.Marshal(n.Role); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Hub is what RolesOf asks of the hub; *hubclient.Client is one.
type Hub interface {
	RequestEnrolment(ctx context.Context, role string) (*hubclient.Enrolment, error)
	Enrolments(ctx context.Context, f hubclient.EnrolmentFilter) ([]hubclient.Enrolment, error)
	RejectEnrolment(ctx context.Context, id, reason string) error
}

// Book is what RolesOf asks of the gateway's trust; *trust.Book is one.
type Book interface {
	Holders(ctx context.Context, role string) ([]trust.Holder, error)
	Own(ctx context.Context) ([]*vc.Verified, error)
}

type rolesOf struct {
	did    string
	hub    Hub
	book   Book
	issuer *issuer.Issuer
}

// RolesOf shows role credentials of the gateway whose DID is did.
func RolesOf(did string, hub Hub, book Book, i *issuer.Issuer) Roles {
	return rolesOf{did, hub, book, i}
}

// maxIssued bounds the issued credentials that are listed.
const maxIssued = 10_000

// Request implements Roles.
func (a rolesOf) Request(ctx context.Context, role string) (*Enrolment, error) {
	name, err := ens.Normalize(role)
	if err == nil {
		_, _, err = ens.ParseRole(name)
	}
	if err != nil {
		return nil, problem.New(http.StatusUnprocessableEntity, "role_name", "a role's name is <role>.roles.<namespace>").Wrap(err)
	}
	e, err := a.hub.RequestEnrolment(ctx, name)
	if err != nil {
		return nil, err
	}
	out := enrolment(*e)
	return &out, nil
}

func enrolment(e hubclient.Enrolment) Enrolment {
	return Enrolment{ID: e.ID, Role: e.Role, Subject: e.Subject, Status: e.Status, Digest: e.Digest, Reason: e.Reason, Requested: e.Requested, Decided: e.Decided}
}

// Enrolments implements Roles.
func (a rolesOf) Enrolments(ctx context.Context, f EnrolmentFilter) ([]Enrolment, error) {
	list, err := a.hub.Enrolments(ctx, hubclient.EnrolmentFilter(f))
	if err != nil {
		return nil, err
	}
	out := make([]Enrolment, len(list))
	for i, e := range list {
		out[i] = enrolment(e)
	}
	return out, nil
}

// Issue implements Roles.
func (a rolesOf) Issue(ctx context.Context, enrolment string, until int64) (*Credential, error) {
	c, err := a.issuer.Issue(ctx, enrolment, until)
	if err != nil {
		return nil, err
	}
	out := a.issued(*c)
	return &out, nil
}

// Reject implements Roles.
func (a rolesOf) Reject(ctx context.Context, enrolment, reason string) error {
	return a.hub.RejectEnrolment(ctx, enrolment, reason)
}

// Revoke implements Roles.
func (a rolesOf) Revoke(ctx context.Context, digest, reason string) error {
	var d [32]byte
	if n, err := hex.Decode(d[:], []byte(digest)); err != nil || n != len(d) {
		return issuer.ErrUnknown
	}
	return a.issuer.Revoke(ctx, d, reason)
}

// Credentials implements Roles.
func (a rolesOf) Credentials(ctx context.Context) (held, issued []Credential, err error) {
	own, err := a.book.Own(ctx)
	var some *trust.Unjudged // what holds is worth showing without the rest
	if err != nil && !errors.As(err, &some) {
		return nil, nil, err
	}
	for _, v := range own {
		held = append(held, verified(v))
	}
	list, err := a.issuer.Issued(ctx, maxIssued)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range list {
		issued = append(issued, a.issued(c))
	}
	return held, issued, nil
}

// Holders implements Roles.
func (a rolesOf) Holders(ctx context.Context, role string) ([]Credential, error) {
	list, err := a.book.Holders(ctx, role)
	var some *trust.Unjudged
	if err != nil && !errors.As(err, &some) {
		return nil, err
	}
	var out []Credential
	for _, h := range list {
		if h.Verified != nil {
			out = append(out, verified(h.Verified))
		}
	}
	return out, nil
}

func (a rolesOf) issued(c issuer.Issued) Credential {
	return Credential{Digest: hex.EncodeToString(c.Digest[:]), Role: c.Role, Subject: c.Subject, Issuer: a.did, ValidUntil: c.Until,
		Revoked: c.Revoked, Reason: c.Reason, Published: c.Published}
}

func verified(v *vc.Verified) Credential {
	return Credential{Digest: hex.EncodeToString(v.Digest[:]), Role: v.Role, Subject: v.Subject, Issuer: v.Issuer, ValidUntil: v.ValidUntil}
}
