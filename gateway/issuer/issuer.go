// Package issuer is a gateway in the part of an issuer of role credentials: it
// signs them with the DID's key, keeps the status list that says which ones it
// revoked, and says every half TTL, under the instance's key, that the list is
// the newest.
//
// It holds no keys and judges no credential: who may issue a role is said by
// the role's definition on the chain, and every reader checks it again. The hub
// only stores what is signed here.
package issuer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/vc"
)

// Errors of this package, by code.
var (
	ErrNotEntitled = problem.New(http.StatusForbidden, "issuer_not_entitled", "the role's definition does not name this gateway's DID as issuer, and it holds no role that may issue").
			WithHint("see GET /api/v1/names/{role} for who may")
	ErrUnknown   = problem.New(http.StatusNotFound, "credential_unknown", "this gateway issued no such credential")
	ErrEnrolment = problem.New(http.StatusConflict, "enrolment_closed", "the request was answered already")
	ErrNoRequest = problem.New(http.StatusNotFound, "enrolment_unknown", "there is no such request")
	ErrUntil     = problem.New(http.StatusUnprocessableEntity, "valid_until", "the end of validity is not in the future")
	ErrNotReady  = problem.New(http.StatusServiceUnavailable, "not_ready", "the gateway has no certificate yet")
)

// Issued is a credential that this gateway issued.
type Issued struct {
	Digest    [32]byte
	Subject   string
	Role      string
	Enrolment string // empty: issued without a request
	List      string
	Index     uint64
	At        int64 // ms
	Until     int64 // ms; 0: no end
	Revoked   int64 // ms; 0: not
	Reason    string
	Published bool // the hub has it
	Raw       []byte
}

// List is a status list of this gateway.
type List struct {
	ID        string
	Raw       []byte // as signed
	Next      uint64 // index of the next credential
	Revision  uint64 // rises whenever Raw changes
	Published uint64 // revision that the hub has; 0: none
}

// Store keeps what was issued. What it did is durable when it returns.
type Store interface {
	// Lists returns all lists.
	Lists(ctx context.Context) ([]List, error)
	// PutList stores a list with its new bytes, revision and next index.
	PutList(ctx context.Context, l List) error
	// Reserve returns the next index of a list and moves it on, at once and for
	// good.
	Reserve(ctx context.Context, list string) (uint64, error)
	// Published notes the revision that the hub has.
	Published(ctx context.Context, list string, revision uint64) error
	// Add stores a credential.
	Add(ctx context.Context, c Issued) error
	// Sent notes that the hub has a credential.
	Sent(ctx context.Context, digest [32]byte) error
	// ByDigest, ByEnrolment find one credential; nil when there is none.
	ByDigest(ctx context.Context, digest [32]byte) (*Issued, error)
	ByEnrolment(ctx context.Context, enrolment string) (*Issued, error)
	// All returns the newest max credentials.
	All(ctx context.Context, max int) ([]Issued, error)
	// Unsent returns the oldest max credentials that the hub lacks and that are
	// neither revoked nor over at now (ms): those the hub would refuse.
	Unsent(ctx context.Context, now int64, max int) ([]Issued, error)
	// Revoke notes the revocation of a credential together with the list that
	// says so.
	Revoke(ctx context.Context, digest [32]byte, at int64, reason string, l List) error
}

// Self is this gateway instance; *identity.Self is one, through its methods.
type Self interface {
	DID() string
	Inst() uint64
	Certificate() *envelope.Certificate
	Address() common.Address
	InstanceSigner(cert envelope.Digest) envelope.InstanceSigner
}

// Hub stores what is signed here; *hubclient.Client is one.
type Hub interface {
	Enrolment(ctx context.Context, id string) (*hubclient.Enrolment, error)
	PublishCredential(ctx context.Context, raw []byte) ([32]byte, error)
	PublishStatus(ctx context.Context, s hubclient.Status) error
}

// Definitions reads role definitions from the chain; *ens.Registry is one.
type Definitions interface {
	Role(ctx context.Context, name string) (*ens.RoleDefinition, error)
}

// Own are this gateway's own credentials; *trust.Book is one.
type Own interface {
	Own(ctx context.Context) ([]*vc.Verified, error)
}

// Deps are what an Issuer stands on.
type Deps struct {
	Self   Self
	Signer vc.DIDSigner // the DID's key
	Hub    Hub
	Store  Store
	Roles  Definitions
	Own    Own
	Domain eip712.Domain
	TTL    time.Duration // of status lists, the network's
	Clock  clockwork.Clock
	Log    *slog.Logger
}

// Issuer issues and revokes. Its methods may be called from many goroutines.
type Issuer struct {
	d    Deps
	mu   sync.Mutex // one change of the lists at a time
	kick chan struct{}
}

// New makes an issuer. It makes no request and starts nothing: Run does.
func New(d Deps) *Issuer {
	if d.TTL <= 0 {
		d.TTL = vc.DefaultStatusTTL
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Issuer{d: d, kick: make(chan struct{}, 1)}
}

// Issue signs the credential that an enrolment at the hub asks for and
// publishes it; asked again, it gives the same credential. until is in ms, 0
// for no end. Codes issuer_not_entitled, enrolment_unknown, enrolment_closed,
// valid_until. When the hub cannot be reached after the signing, the credential
// is kept and published later.
func (i *Issuer) Issue(ctx context.Context, enrolment string, until int64) (*Issued, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c, err := i.d.Store.ByEnrolment(ctx, enrolment)
	if err != nil {
		return nil, err
	}
	if c == nil {
		e, err := i.d.Hub.Enrolment(ctx, enrolment)
		switch {
		case errors.Is(err, hubclient.ErrNotFound):
			return nil, ErrNoRequest
		case err != nil:
			return nil, err
		case e.Status != "requested":
			return nil, ErrEnrolment.With("status", e.Status)
		}
		if c, err = i.sign(ctx, *e, until); err != nil {
			return nil, err
		}
	}
	if !c.Published {
		sent, err := i.publish(ctx)
		if err != nil {
			i.Kick()
		}
		c.Published = sent[c.Digest]
	}
	return c, nil
}

// sign makes and stores a credential.
func (i *Issuer) sign(ctx context.Context, e hubclient.Enrolment, until int64) (*Issued, error) {
	now := i.d.Clock.Now().UnixMilli()
	if until != 0 && until <= now {
		return nil, ErrUntil
	}
	parent, err := i.entitlement(ctx, e.Role)
	if err != nil {
		return nil, err
	}
	list, err := i.list(ctx)
	if err != nil {
		return nil, err
	}
	index, err := i.d.Store.Reserve(ctx, list.ID)
	if err != nil {
		return nil, err
	}
	raw, err := vc.IssueRole(ctx, i.d.Domain, i.d.Signer, vc.RoleCredential{
		Issuer: i.d.Self.DID(), Subject: e.Subject, Role: e.Role, ValidFrom: now - now%1000, ValidUntil: until,
		Parent: parent, StatusList: list.ID, StatusIndex: index,
	})
	if err != nil {
		return nil, err
	}
	c := Issued{Digest: vc.Digest(raw), Subject: e.Subject, Role: e.Role, Enrolment: e.ID, List: list.ID, Index: index, At: now, Until: until, Raw: raw}
	if err := i.d.Store.Add(ctx, c); err != nil {
		return nil, err
	}
	i.d.Log.Info("credential issued", "role", c.Role, "subject", c.Subject, "digest", hex.EncodeToString(c.Digest[:]))
	return &c, nil
}

// entitlement returns the digest of the own credential that lets this gateway
// issue a role, zero where the role's definition names its DID.
func (i *Issuer) entitlement(ctx context.Context, role string) (parent [32]byte, err error) {
	def, err := i.d.Roles.Role(ctx, role)
	if err != nil {
		return parent, err
	}
	if slices.Contains(def.IssuerDIDs, i.d.Self.Address()) {
		return parent, nil
	}
	if def.IssuerRole == "" || i.d.Own == nil {
		return parent, ErrNotEntitled
	}
	own, err := i.d.Own.Own(ctx)
	for _, v := range own {
		if v.Role == def.IssuerRole {
			return v.Digest, nil
		}
	}
	if err != nil {
		return parent, err
	}
	return parent, ErrNotEntitled.With("role", def.IssuerRole)
}

// list returns this instance's status list, made when there is none. Instances
// of one DID have lists of their own, so that they never sign over each other.
func (i *Issuer) list(ctx context.Context) (*List, error) {
	id := vc.ListID(i.d.Self.DID(), fmt.Sprintf("roles-%d", i.d.Self.Inst()))
	lists, err := i.d.Store.Lists(ctx)
	if err != nil {
		return nil, err
	}
	for n := range lists {
		if lists[n].ID == id {
			return &lists[n], nil
		}
	}
	l := List{ID: id}
	if err := i.resign(ctx, &l, vc.NewBitstring(vc.MinBits)); err != nil {
		return nil, err
	}
	if err := i.d.Store.PutList(ctx, l); err != nil {
		return nil, err
	}
	return &l, nil
}

// resign signs a list's bits. Its revision is the time in seconds or one more
// than the last: so it rises even after the store was lost.
func (i *Issuer) resign(ctx context.Context, l *List, bits *vc.Bitstring) error {
	now := i.d.Clock.Now().UnixMilli()
	raw, err := vc.IssueList(ctx, i.d.Domain, i.d.Signer, l.ID, now-now%1000, bits)
	if err != nil {
		return err
	}
	l.Raw, l.Revision = raw, max(l.Revision+1, uint64(now/1000))
	return nil
}

// Revoke ends a credential: its bit is set, the list signed and given to the
// hub before Revoke returns. When the hub cannot be reached it returns that
// error, while the revocation stands and is published as soon as possible.
func (i *Issuer) Revoke(ctx context.Context, digest [32]byte, reason string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	c, err := i.d.Store.ByDigest(ctx, digest)
	if err != nil {
		return err
	}
	if c == nil {
		return ErrUnknown
	}
	if c.Revoked == 0 {
		lists, err := i.d.Store.Lists(ctx)
		if err != nil {
			return err
		}
		n := slices.IndexFunc(lists, func(l List) bool { return l.ID == c.List })
		if n < 0 {
			return fmt.Errorf("status list %s is not in the store", c.List)
		}
		l := lists[n]
		parsed, err := vc.ParseList(l.Raw)
		if err != nil {
			return err
		}
		bits, err := parsed.Bits()
		if err != nil {
			return err
		}
		if err := bits.Set(c.Index); err != nil {
			return err
		}
		if err := i.resign(ctx, &l, bits); err != nil {
			return err
		}
		if err := i.d.Store.Revoke(ctx, digest, i.d.Clock.Now().UnixMilli(), reason, l); err != nil {
			i.Kick() // it may stand all the same
			return err
		}
		i.d.Log.Info("credential revoked", "role", c.Role, "subject", c.Subject, "digest", hex.EncodeToString(digest[:]))
	}
	_, err = i.publish(ctx)
	if err != nil {
		i.Kick() // whoever called may not ask again
	}
	return err
}

// Issued returns the newest credentials that this gateway issued.
func (i *Issuer) Issued(ctx context.Context, max int) ([]Issued, error) {
	return i.d.Store.All(ctx, max)
}

// Run keeps the lists fresh and publishes what the hub lacks, until ctx ends.
func (i *Issuer) Run(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		t := i.d.Clock.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.Chan():
		case <-i.kick:
			t.Stop()
		}
		i.mu.Lock()
		_, err := i.publish(ctx)
		i.mu.Unlock()
		wait = i.d.TTL / 2
		if err != nil {
			level := slog.LevelWarn
			if problem.CodeOf(err) == ErrNotReady.Code { // at the start: the login comes, and wakes us
				level = slog.LevelDebug
			}
			i.d.Log.Log(ctx, level, "status lists not published", "code", problem.CodeOf(err), "err", err)
			wait = min(wait, 2*time.Second)
		}
	}
}

// Kick has Run publish at once, for instance after a login.
func (i *Issuer) Kick() {
	select {
	case i.kick <- struct{}{}:
	default:
	}
}
