// Package broker is the message broker's domain: who has a mailbox and where,
// who may connect to the message bus, and the directory of certificates, key
// packages, topic records and schemas that gateways look one another up in.
//
// The broker is not in the path of a message and is not trusted with one: what
// gateways publish is sealed and signed, and all that the directory serves is
// checked again by whoever reads it. The broker's checks keep garbage out and
// bound what anybody can use up; they grant nothing. Roles are judged by
// gateways; any DID may log in.
//
// It also keeps blobs: large sealed bodies and parts of files, by their hash,
// for as long as an uploader asked and within its share.
//
// This package has the rules. Storage (broker/sqlstore, package blob), the
// message bus (broker/jetstream) and HTTP (broker/httpapi) are adapters;
// broker/node makes one process of them.
package broker

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/envelope"
)

// NameOwners tells who owns a namespace on the chain; ens.Registry does.
type NameOwners interface {
	// Owner returns the owner of an ENS name, the zero address when it has none.
	Owner(ctx context.Context, name string) (common.Address, error)
}

// Network is what the broker tells at login and what its checks need of the
// network file.
type Network struct {
	ChainID     uint64
	DIDRegistry common.Address // verifying contract of proofs
	RetentionMS int64          // R: how long a message is kept, ms
	StatusTTLMS int64          // lifetime of a status list's freshness, ms
	Wire        int64          // W: bytes of a wire message
	Cap         int64          // messages per subject within R
}

// Deps are the parts a Broker works with.
type Deps struct {
	Network Network
	Limits  Limits
	Store   Store
	Plane   Plane
	DIDs    envelope.DIDStates
	Names   NameOwners
	Clock   clockwork.Clock
	Log     *slog.Logger
	// Origin is the broker's base URL as in the network file, without trailing
	// slash; logins name it, so that one made for another server is no use here.
	Origin string
	// Partitions new mailboxes are spread over, 1 to 100; 64 when zero.
	Partitions int
	// NATSURL is what gateways connect to.
	NATSURL string
	// Blobs keeps large payloads; nil: this broker keeps none.
	Blobs blob.Store
	// Secret is 32 random bytes that outlive restarts: tokens, challenges and
	// inbox names are derived from it.
	Secret []byte
}

// Broker has the rules. Its methods may be called from many goroutines.
type Broker struct {
	Deps
	keys struct{ token, nonce, inbox []byte }

	banning sync.Mutex // held from reading a ban to its change; before mu

	mu      sync.Mutex
	started int64              // ms; challenges from before may have been answered
	used    map[[32]byte]int64 // challenges that were answered, until they expire (ms)
	bans    map[string]Ban     // by address
	conns   map[string]int     // open connections by address, as of the last metering, and admitted since
	logins  *limiter
	writes  *limiter
	meter   *meter

	transfers blobs
}

// New makes a Broker and reads the bans in force.
func New(ctx context.Context, d Deps) (*Broker, error) {
	if len(d.Secret) != 32 {
		return nil, errors.New("broker: the secret must be 32 bytes")
	}
	d.Limits = d.Limits.withDefaults()
	if d.Clock == nil {
		d.Clock = clockwork.NewRealClock()
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	b := &Broker{Deps: d, used: make(map[[32]byte]int64), bans: make(map[string]Ban), conns: make(map[string]int), transfers: newBlobs()}
	b.keys.token, b.keys.nonce, b.keys.inbox = b.derive("token"), b.derive("challenge"), b.derive("inbox")
	b.logins = newLimiter(d.Clock, float64(d.Limits.LoginsPerMinute)/60, d.Limits.LoginsPerMinute)
	b.writes = newLimiter(d.Clock, float64(d.Limits.WritesPerMinute)/60, d.Limits.WritesPerMinute)
	b.meter = newMeter(d.Network.RetentionMS, d.Limits.BytesPerSender)
	b.started = b.now()
	bans, err := d.Store.Bans(ctx)
	if err != nil {
		return nil, err
	}
	for _, ban := range bans {
		b.bans[ban.Addr] = ban
	}
	return b, nil
}

func (b *Broker) derive(label string) []byte { return mac(b.Secret, "spine broker "+label) }

func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return h.Sum(nil)
}

// now returns ms since 1970.
func (b *Broker) now() int64 { return b.Clock.Now().UnixMilli() }

// Ready returns nil while the broker can do its work.
func (b *Broker) Ready(ctx context.Context) error {
	if err := b.Plane.Health(ctx); err != nil {
		return err
	}
	return b.Store.Ping(ctx)
}
