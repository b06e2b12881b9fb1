// Package trust is what this gateway believes about others: certificates, key
// packages, topic records, role credentials and their status, and who holds a
// role.
//
// The directory (broker) and the hub only deliver bytes. Every object is
// checked here against signatures and against chain state that comes from this
// gateway's own RPC endpoint, before it is believed; a server that lies or
// hides can make this gateway wait, not err. Floors, gens and revisions only
// rise and are kept for ever; everything else is a bounded cache that is
// dropped at the first sign of a change: the hub's feed, events on the chain,
// a floor or record seen. Where hub or chain are silent, freshness runs out and
// verdicts become status_stale or did_stale.
//
// It is not a policy: which roles a channel admits is the caller's decision.
// It holds no keys (gateway/identity does) and seals or opens nothing.
package trust

import (
	"context"
	"log/slog"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/schema"
	"github.com/digital-spine/spine/vc"
)

// Directory is what the book asks of the broker; *brokerclient.Client is one.
type Directory interface {
	Object(ctx context.Context, kind string, digest [32]byte) ([]byte, error)
	Instances(ctx context.Context, did string) ([]brokerclient.Instance, error)
	Records(ctx context.Context, name string) ([]brokerclient.Record, error)
}

// Hub is what the book asks of the hub; *hubclient.Client is one.
type Hub interface {
	Holders(ctx context.Context, role string) ([]hubclient.Holder, error)
	Credential(ctx context.Context, digest [32]byte) ([]byte, error)
	CredentialsOf(ctx context.Context, subject string) ([]hubclient.Credential, error)
	Status(ctx context.Context, list string) (*hubclient.Status, error)
	Feed(ctx context.Context, after uint64, wait time.Duration) (*hubclient.News, error)
}

// DIDs is what the book asks of the chain about DIDs; did/ethr.Resolver is one.
type DIDs interface {
	// Entitled returns nil when signer may sign certificates and records for
	// did, an error of code cert when it may not and of code did_stale when no
	// fresh state is known.
	Entitled(ctx context.Context, did string, signer common.Address) error
}

// Names is what the book asks of the chain about names; *ens.Registry is one.
// Both return ens.ErrNotFound when there is no such thing.
type Names interface {
	Owner(ctx context.Context, name string) (common.Address, error)
	Role(ctx context.Context, name string) (*ens.RoleDefinition, error)
}

// Roles judges role credentials; *vc.Verifier is one.
type Roles interface {
	Role(ctx context.Context, digest [32]byte, subject string, now int64) (*vc.Verified, error)
}

// Chain tells of events on the chain; the gateway wires an evm.Follower to it.
type Chain interface {
	// Watch calls changed after something happened to a DID (its account) or to
	// a name (its ENS node); the other is zero. Both zero: anything may have
	// changed. It returns at once.
	Watch(changed func(account common.Address, node [32]byte))
}

// Deps are what a Book stands on. All but Chain, Events and Roles are required.
type Deps struct {
	DID       string        // this gateway's own, in normal form
	Domain    eip712.Domain // of the network's DIDs
	StatusTTL time.Duration // of the network: the longest a hidden revocation may last
	Broker    Directory
	Hub       Hub
	DIDs      DIDs
	Names     Names
	Store     Store
	Chain     Chain          // nil: what changes on the chain is seen when caches end
	Roles     Roles          // nil: a vc.Verifier over the fields above
	Events    gateway.Events // nil: events are logged only
	Clock     clockwork.Clock
	Log       *slog.Logger
}

// ErrAbsent marks look-ups that failed for want of an answer: the object is
// not there yet, or a server is away. The caller keeps what it judges and
// tries again; everything else is final.
var ErrAbsent = vc.ErrAbsent

// Change says what may be judged differently from now on. Empty fields do not
// apply: a change with only DID set concerns everything about that DID; one
// with everything empty concerns everything.
type Change struct {
	DID   string // a subject or sender: credential, revocation, DID event, floor, certificate
	Role  string // a role: its definition, or who holds it
	Topic string // a topic: a new record or owner
}

// Member is one instance of a recipient that can be sealed to.
type Member struct {
	DID         string
	Inst        uint64
	Addr        string // mailbox address, computed here
	PP          int    // partition, as the directory says; a wrong one costs delivery only
	Certificate *envelope.Certificate
	Package     *envelope.Package
}

// Fault is an instance that cannot be sealed to, and why.
type Fault struct {
	DID  string
	Inst uint64
	Err  error
}

// Topic is a record that passed T1 to T5, with its compiled schema.
type Topic struct {
	Record *envelope.Topic
	Digest envelope.Digest // rec
	Schema schema.Validator
}

// Holder is a DID that holds a role by a credential verified here.
type Holder struct {
	DID        string
	Credential envelope.Digest
	Verified   *vc.Verified
}
