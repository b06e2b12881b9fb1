// Package identity is a gateway instance's own identity: the DID's key, the
// instance certificates it signs once a fortnight, the key packages made every
// day, and the logins to broker and hub that are made with them.
//
// Private keys stay in the keyring; this package names them, has them used for
// the few things they are for, and destroys them when their time is over
// (docs/protocol.md sections 6, 7 and 16). It never signs bytes that an API
// caller chose with an instance key, and it judges nobody else (gateway/trust
// does).
package identity

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"
	"github.com/nats-io/nkeys"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/keyring"
)

// KeyDID is the name of the DID's key in the keyring.
const KeyDID = "did"

// Errors of this package; compare with errors.Is.
var (
	// ErrMismatch says that a server told other constants at login than the
	// network file; the gateway stops.
	ErrMismatch = problem.New(502, "network_mismatch", "a server is not of the network in the network file")
	// ErrClock says that the own clock is off from the servers' by more than
	// 120 s: nothing is made, sealed or taken in until it is right.
	ErrClock = problem.New(503, "clock", "the clock of this gateway differs from the servers' by more than 120 s").
			WithHint("set the system's clock, for instance by NTP")
	// ErrNotReady says that there is no certificate, package or login yet.
	ErrNotReady = problem.New(503, "not_ready", "the gateway has no certificate, key package or login yet")
)

// Broker is what an identity asks of the broker; *brokerclient.Client is one.
type Broker interface {
	URL() string
	ServerTime() time.Time
	Challenge(ctx context.Context) ([32]byte, error)
	Login(ctx context.Context, certificate, login []byte) (*brokerclient.Login, error)
	Object(ctx context.Context, kind string, digest [32]byte) ([]byte, error)
	PutObject(ctx context.Context, kind string, digest [32]byte, raw []byte) error
	Instances(ctx context.Context, did string) ([]brokerclient.Instance, error)
}

// Hub is what an identity asks of the hub; *hubclient.Client is one.
type Hub interface {
	URL() string
	ServerTime() time.Time
	Challenge(ctx context.Context) ([32]byte, error)
	Login(ctx context.Context, certificate, login []byte) (*hubclient.Login, error)
}

// Deps are what a Self stands on. All but DID and Events are required.
type Deps struct {
	Keyring keyring.Keyring
	Broker  Broker
	Hub     Hub
	DIDs    envelope.DIDStates // to check own certificates found in the directory
	Store   Store
	Domain  eip712.Domain
	Network *config.Network
	Events  gateway.Events // nil: logged only
	Clock   clockwork.Clock
	Log     *slog.Logger
	DID     string // empty: did:ethr of the DID's key; another one where that key is a veriKey delegate
	Inst    uint64 // 0..7, of several gateways of one DID
}

// Self is this gateway instance. Its methods may be called from many
// goroutines.
type Self struct {
	d       Deps
	did     string
	addr    string
	address common.Address
	user    nkeys.KeyPair // NATS user key of this process

	making sync.Mutex // one paper is made at a time
	doubt  doubt      // the last paper, while the store has not said that it keeps it; under making

	mu          sync.Mutex
	certs       []*certificate // newest last
	pkgs        []*pkg         // newest last
	login       *Login
	broker, hub loggedIn
	drained     int64                    // ms, when the mailbox was last found empty
	looked      bool                     // the directory was asked for papers of ours that we do not hold
	stopped     error                    // ErrMismatch
	offBy       map[string]time.Duration // servers whose clock differs from the own, and by how much
	changed     chan struct{}            // closed and replaced when login, stop or clock changes
	kick        chan struct{}
}

// loggedIn says when a login was made and until when it is good.
type loggedIn struct{ at, until time.Time }

// New loads this gateway's papers, making the DID's key when the keyring has
// none. It makes no request and starts nothing: Run does.
func New(ctx context.Context, d Deps) (*Self, error) {
	if d.Inst >= envelope.MaxInstances {
		return nil, fmt.Errorf("identity: instance %d is not within 0..%d", d.Inst, envelope.MaxInstances-1)
	}
	address, err := didKey(ctx, d.Keyring)
	if err != nil {
		return nil, err
	}
	s := &Self{d: d, address: address, offBy: make(map[string]time.Duration), changed: make(chan struct{}), kick: make(chan struct{}, 1)}
	s.did = ethr.ID{ChainID: d.Domain.ChainID, Address: address}.String()
	if d.DID != "" {
		if s.did, err = ethr.Normalize(d.DID); err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
	}
	s.addr = envelope.Address(s.did, d.Inst)
	if s.user, err = nkeys.CreateUser(); err != nil {
		return nil, fmt.Errorf("identity: make the NATS user key: %w", err)
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	if c, ok := d.Broker.(unauthorized); ok {
		c.OnUnauthorized(func() { s.refused(&s.broker) })
	}
	if c, ok := d.Hub.(unauthorized); ok {
		c.OnUnauthorized(func() { s.refused(&s.hub) })
	}
	return s, nil
}

// unauthorized is implemented by clients that tell when a bearer was refused.
type unauthorized interface{ OnUnauthorized(func()) }

// DID is the participant's DID in normal form.
func (s *Self) DID() string { return s.did }

// Inst is the number of this instance, 0..7.
func (s *Self) Inst() uint64 { return s.d.Inst }

// Addr is the address of this instance's mailbox.
func (s *Self) Addr() string { return s.addr }

// Address is the chain account of the DID's key.
func (s *Self) Address() common.Address { return s.address }

// Certificate is the newest certificate in its window, nil before there is one.
func (s *Self) Certificate() *envelope.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.newestCertificate(s.now()); c != nil {
		return c.paper
	}
	return nil
}

// Package is the newest published package, nil before there is one.
func (s *Self) Package() *envelope.Package {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.pkgs) - 1; i >= 0; i-- {
		if p := s.pkgs[i]; p.Published && !p.Destroyed && s.timely(p) {
			return p.paper
		}
	}
	return nil
}

// Packages are all packages whose private key still exists, oldest first.
func (s *Self) Packages() []*envelope.Package {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*envelope.Package
	for _, p := range s.pkgs {
		if !p.Destroyed {
			list = append(list, p.paper)
		}
	}
	return list
}

// Err tells why this gateway must not take in or seal now: ErrClock,
// ErrMismatch or ErrNotReady; nil when it may.
func (s *Self) Err() error {
	s.mu.Lock()
	stopped, off := s.stopped, len(s.offBy) > 0
	s.mu.Unlock()
	switch {
	case stopped != nil:
		return stopped
	case off:
		return ErrClock
	case s.Certificate() == nil || s.Package() == nil:
		return ErrNotReady
	}
	return nil
}

// Drained says that the intake found the mailbox empty at (ms). Superseded
// package keys are destroyed only after that.
func (s *Self) Drained(at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drained = max(s.drained, at)
}

// Changed is closed at the next change of login, clock or stop; ask again then.
func (s *Self) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// tell wakes those who wait on Changed; the caller holds the lock.
func (s *Self) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Self) now() int64 { return s.d.Clock.Now().UnixMilli() }

// emit shows an event to the operator.
func (s *Self) emit(ctx context.Context, code, detail string) {
	s.d.Log.Warn("gateway event", "code", code, "detail", detail)
	if s.d.Events != nil {
		s.d.Events.Emit(ctx, gateway.Event{At: s.now(), Kind: gateway.KindState, Code: code, DID: s.did, Detail: detail})
	}
}
