package trust

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/schema"
	"github.com/digital-spine/spine/vc"
)

// How long what was verified is used again without being asked for again.
// Everything is dropped earlier by a change.
const (
	chainFor    = 5 * time.Minute  // what rests on chain state
	listingFor  = 10 * time.Minute // instances and packages of a DID
	currentFor  = 5 * time.Minute  // which record of a topic is in force
	holdersFor  = time.Minute      // who holds a role
	nobodyFor   = 15 * time.Second // that nobody holds a role
	objectFor   = time.Hour        // bytes of the directory, named by a digest
	forEver     = 100 * 365 * 24 * time.Hour
	lookupLimit = 15 * time.Second // one look-up, with all that it needs
)

// Bounds of the caches, in entries.
const (
	maxObjects     = 4_096 // at most 4 KiB each
	maxCerts       = 10_000
	maxKnowns      = 20_000
	maxListings    = 10_000
	maxTopics      = 1_024
	maxSchemas     = 256
	maxNames       = 4_096
	maxCredentials = 2_000 // at most hubclient.MaxCredential each
	maxStatuses    = 256   // at most hubclient.MaxStatusList each
	maxVerdicts    = 20_000
	maxRoles       = 256 // roles whose holders are kept
	maxStandings   = 20_000
	maxHolders     = envelope.MaxRecipients
)

// Book is what this gateway believes. Its methods may be called from many
// goroutines; each look-up has a time limit of its own.
type Book struct {
	d        Deps
	verifier Roles

	objects     *cache[objectKey, []byte]                      // what the directory served
	certs       *cache[envelope.Digest, *envelope.Certificate] // C1..C3 held; by the sum of all bytes
	knowns      *cache[instance, *known]                       // the store's memory
	listings    *cache[string, *Listing]                       // by DID
	records     *cache[envelope.Digest, *Topic]                // T1..T4 held; by the sum of all bytes
	histories   *cache[version, []*envelope.Topic]             // the store's memory
	currents    *cache[version, *Topic]                        // in force
	schemas     *cache[envelope.Digest, schema.Validator]      // compiled
	owners      *cache[string, common.Address]                 // of namespaces
	definitions *cache[string, *vc.Definition]                 // of roles
	credentials *cache[[32]byte, []byte]                       // bytes that hash to the key
	statuses    *cache[string, *statusProof]                   // by list id
	verdicts    *cache[verdictKey, *vc.Verified]               // G9 held
	holders     *cache[string, []Holder]                       // by role
	subjects    *cache[string, []*vc.Verified]                 // roles of a DID, as the hub lists them
	standings   *cache[standingKey, *standing]                 // E7 held
	missing     *cache[string, struct{}]                       // told once: holder_missing, package_stale

	// ownLacks says that the list of the own credentials found last is known to
	// lack some: when the hub is away, it is not used.
	ownLacks atomic.Bool

	mu        sync.Mutex
	hooks     []func(Change)
	revisions map[string]revision  // of status lists seen by this process
	owes      map[string]bool      // status lists that may have changed and were not served since
	unnamed   map[instance]receipt // packages that receipts named and the store did not take

	naming sync.Mutex // one change of what a receipt named at a time
}

// New makes a book. It makes no request and starts nothing: Run does.
func New(d Deps) *Book {
	b := &Book{
		d:           d,
		objects:     newCache[objectKey, []byte](d.Clock, maxObjects, lookupLimit),
		certs:       newCache[envelope.Digest, *envelope.Certificate](d.Clock, maxCerts, lookupLimit),
		knowns:      newCache[instance, *known](d.Clock, maxKnowns, lookupLimit),
		listings:    newCache[string, *Listing](d.Clock, maxListings, lookupLimit),
		records:     newCache[envelope.Digest, *Topic](d.Clock, maxTopics, lookupLimit),
		histories:   newCache[version, []*envelope.Topic](d.Clock, maxTopics, lookupLimit),
		currents:    newCache[version, *Topic](d.Clock, maxTopics, lookupLimit),
		schemas:     newCache[envelope.Digest, schema.Validator](d.Clock, maxSchemas, lookupLimit),
		owners:      newCache[string, common.Address](d.Clock, maxNames, lookupLimit),
		definitions: newCache[string, *vc.Definition](d.Clock, maxNames, lookupLimit),
		credentials: newCache[[32]byte, []byte](d.Clock, maxCredentials, lookupLimit),
		statuses:    newCache[string, *statusProof](d.Clock, maxStatuses, lookupLimit),
		verdicts:    newCache[verdictKey, *vc.Verified](d.Clock, maxVerdicts, lookupLimit),
		holders:     newCache[string, []Holder](d.Clock, maxRoles, 2*lookupLimit),
		subjects:    newCache[string, []*vc.Verified](d.Clock, maxNames, lookupLimit),
		standings:   newCache[standingKey, *standing](d.Clock, maxStandings, lookupLimit),
		missing:     newCache[string, struct{}](d.Clock, maxVerdicts, lookupLimit),
		revisions:   make(map[string]revision),
		owes:        make(map[string]bool),
		unnamed:     make(map[instance]receipt),
	}
	b.verifier = d.Roles
	if b.verifier == nil {
		b.verifier = vc.NewVerifier(vc.Deps{Roles: definitionSource{b}, DIDs: d.DIDs, Credentials: credentialSource{b}, Status: statusSource{b},
			Freshness: freshness{b}, Revisions: revisionStore{b}, Domain: d.Domain, StatusTTL: d.StatusTTL, Clock: d.Clock})
	}
	if d.Chain != nil {
		d.Chain.Watch(b.chainChanged)
	}
	return b
}

// OnChange has fn called after something changed that may change a judgement.
// fn must not block and must not call the book. Hooks stay for the life of the
// book.
func (b *Book) OnChange(fn func(Change)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hooks = append(b.hooks, fn)
}

func (b *Book) tell(c Change) {
	b.mu.Lock()
	hooks := b.hooks
	b.mu.Unlock()
	for _, fn := range hooks {
		fn(c)
	}
}

func (b *Book) now() int64 { return b.d.Clock.Now().UnixMilli() }

// until returns the earlier of now + d and the given times in ms that are not
// zero.
func (b *Book) until(d time.Duration, ends ...int64) time.Time {
	t := b.d.Clock.Now().Add(d)
	for _, ms := range ends {
		if end := time.UnixMilli(ms); ms != 0 && end.Before(t) {
			t = end
		}
	}
	return t
}

// emitOnce shows an event to the operator, unless the same was shown within
// the last day.
func (b *Book) emitOnce(ctx context.Context, key string, e gateway.Event) {
	key = e.Code + " " + key
	if _, _, told := b.missing.peek(key); told {
		return
	}
	b.missing.put(key, struct{}{}, b.until(24*time.Hour))
	e.At = b.now()
	b.d.Log.Warn("gateway event", "code", e.Code, "did", e.DID, "detail", e.Detail)
	if b.d.Events != nil {
		b.d.Events.Emit(ctx, e)
	}
}
