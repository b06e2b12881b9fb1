package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/blob"
	blobfile "github.com/digital-spine/spine/blob/file"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/schema"
)

// Blobs is the gateway's own blob store; *file.Store of package blob/file is
// one.
type Blobs interface {
	blob.Store
	blob.Cooler
	Create(ctx context.Context) (*blobfile.Draft, error)
	Drafts(ctx context.Context) ([]blobfile.DraftInfo, error)
	DiscardDraft(name string) error
}

// Remote is the broker's blob store; *brokerclient.Client is one.
type Remote interface {
	PutBlob(ctx context.Context, hash [32]byte, size int64, until int64, body func() (io.ReadCloser, error)) error
	HaveBlobs(ctx context.Context, hashes [][32]byte, until int64) (missing [][32]byte, err error)
	GetBlob(ctx context.Context, hash [32]byte, offset, length int64) (io.ReadCloser, error)
}

// Wrapper is the part of the keyring that protects the key of the rows.
type Wrapper interface {
	Wrap(ctx context.Context, label string, plain []byte) ([]byte, error)
	Unwrap(ctx context.Context, label string, wrapped []byte) ([]byte, error)
}

// Topics finds the schema of a channel's topic, so that content can be checked
// while it arrives.
type Topics interface {
	ForChannel(ctx context.Context, channel string) (digest envelope.Digest, v schema.Validator, err error)
}

// Held tells whether a message is still to be handed over, or may be read
// again: what it carries is needed; *inbox.Inbox is one.
type Held interface {
	Held(ctx context.Context, messages []string) (bool, error)
}

// Deps are what a Box stands on.
type Deps struct {
	Store    Store
	Blobs    Blobs
	Remote   Remote // nil: files can be stored, not sent or received
	Keyring  Wrapper
	Topics   Topics           // nil: content is checked when it is complete
	Activity gateway.Activity // nil: nobody is told of progress
	// RetentionMS is the network's R: how long the broker keeps messages, in ms.
	RetentionMS int64
	FileMax     int64         // bytes of one file; 0: envelope.FileMax
	Quota       int64         // bytes of all files here; 0: no limit but the disk's
	Share       int64         // bytes of all files received from one sender, 0: DefaultShare; with a Quota it is a quarter of that
	Keep        time.Duration // how long files stay; 0: DefaultKeep
	Clock       clockwork.Clock
	Log         *slog.Logger
}

// What holds when nothing else is said: how long files stay, and how much room
// those of one sender may take.
const (
	DefaultKeep  = 30 * 24 * time.Hour
	DefaultShare = 64 << 30
)

// Box keeps files. Its methods may be called from many goroutines.
type Box struct {
	store   Store
	blobs   Blobs
	remote  Remote
	topics  Topics
	meter   gateway.Activity
	vault   *vault
	max     int64
	quota   int64
	share   int64
	keep    int64 // ms
	retain  int64 // ms
	clock   clockwork.Clock
	log     *slog.Logger
	sender  gateway.Sender
	held    Held
	pushed  []func(file string, err error)
	done    func(key string, err error)
	crew    crew
	window  chan struct{} // transfers to and from the broker at a time
	intakes chan struct{} // requests that bring content at a time

	// room is held while the quota is looked at and used.
	room sync.Mutex
	// claims is held for reading while blobs become part of a row, or a row part
	// of a message, and for writing while what belongs to none is deleted.
	claims sync.RWMutex

	mu      sync.Mutex
	active  map[string]*appending // uploads that a request is sending to
	pushing map[string]*push
	pulls   map[string]*pull
	sending map[string]bool          // complete files that are being sent in the background
	strays  map[envelope.Digest]bool // blobs that may belong to no file
}

// Windows.
const (
	transfers = 4 // parts on their way to or from the broker at a time
	senders   = 8 // requests that bring content at a time
)

// Open makes a Box: it unwraps the key of its rows and drops what a crash left
// half done. Nothing runs before Run.
func Open(ctx context.Context, d Deps) (*Box, error) {
	if d.Clock == nil {
		d.Clock = clockwork.NewRealClock()
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.FileMax <= 0 {
		d.FileMax = envelope.FileMax
	}
	if d.Quota > 0 {
		d.Share = d.Quota / 4
	} else if d.Share <= 0 {
		d.Share = DefaultShare
	}
	if d.Keep <= 0 {
		d.Keep = DefaultKeep
	}
	v, err := openVault(ctx, d.Keyring, d.Store)
	if err != nil {
		return nil, err
	}
	b := &Box{
		store: d.Store, blobs: d.Blobs, remote: d.Remote, topics: d.Topics, meter: d.Activity, vault: v,
		max: min(d.FileMax, envelope.MaxObject), quota: d.Quota, share: d.Share, keep: d.Keep.Milliseconds(), retain: d.RetentionMS, clock: d.Clock, log: d.Log,
		window: make(chan struct{}, transfers), intakes: make(chan struct{}, senders),
		active: make(map[string]*appending), pushing: make(map[string]*push), pulls: make(map[string]*pull),
		sending: make(map[string]bool), strays: make(map[envelope.Digest]bool),
	}
	if err := b.dropOrphans(ctx); err != nil {
		return nil, fmt.Errorf("open files: %w", err)
	}
	return b, nil
}

// Max is how many bytes a file may have.
func (b *Box) Max() int64 { return b.max }

// SetSender says who sends a file that was uploaded with New.Send; before Run.
func (b *Box) SetSender(s gateway.Sender) { b.sender = s }

// SetHeld says who knows which received messages are still needed: their files
// stay beyond their time. Before Run.
func (b *Box) SetHeld(h Held) { b.held = h }

// OnPushed has fn called when every part of a file that Frame or Repush asked
// for is at the broker, or with why it cannot be brought there at present (it
// is still tried again). Several may listen; before Run.
func (b *Box) OnPushed(fn func(file string, err error)) { b.pushed = append(b.pushed, fn) }

// OnDone has fn called when what Take began has ended; err nil: in custody.
// Codes content_hash (parts absent at the broker, or other bytes there: Take it
// again), file_unknown (deleted meanwhile: Take it again), part, truncated,
// object, schema, too_large, and storage_full (it goes on by itself once there
// is room). Before Run.
func (b *Box) OnDone(fn func(key string, err error)) { b.done = fn }

// Run pushes, pulls, sends what was to be sent on completion, and sweeps what
// is over, until ctx ends.
func (b *Box) Run(ctx context.Context) error {
	b.crew.start(ctx)
	defer b.crew.wait()
	left := b.now() + 1 // all that is here was left by the last run
	tick := b.clock.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := errors.Join(b.goOn(ctx, left), b.sweep(ctx)); err != nil && ctx.Err() == nil {
			b.log.Error("sweeping files failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.Chan():
			left = b.now() - sweepEvery.Milliseconds()
		}
	}
}

// goOn takes up what nobody is at: files to push, and those still to be sent
// that were complete before a time; a request may be sending later ones.
func (b *Box) goOn(ctx context.Context, before int64) error {
	rows, err := b.store.Pending(ctx)
	if err != nil {
		return fmt.Errorf("read unfinished files: %w", err)
	}
	for _, r := range rows {
		if r.State == StatePushing {
			b.bringIdle(r.ID, max(r.Keep, b.now()))
		} else if r.Touched < before {
			b.sendSoon(r.ID)
		}
	}
	return nil
}

func (b *Box) now() int64 { return b.clock.Now().UnixMilli() }

// crew runs work in the background while Run runs; what is asked for before
// waits for it.
type crew struct {
	mu    sync.Mutex
	ctx   context.Context
	ended bool
	later []func(context.Context)
	wg    sync.WaitGroup
}

func (c *crew) start(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx = ctx
	for _, fn := range c.later {
		c.wg.Go(func() { fn(ctx) })
	}
	c.later = nil
}

func (c *crew) run(fn func(context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
	case c.ctx == nil:
		c.later = append(c.later, fn)
	default:
		ctx := c.ctx
		c.wg.Go(func() { fn(ctx) })
	}
}

func (c *crew) wait() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.wg.Wait()
}

// cool lets a part that passed through leave the memory of the system.
func (b *Box) cool(h blob.Hash, size int64) {
	if size >= blob.CoolFrom {
		b.blobs.Cool(h)
	}
}

// tell reports progress to live views.
func (b *Box) tell(f gateway.File, phase string, bytes int64, err error) {
	if b.meter == nil {
		return
	}
	b.meter.Transfer(gateway.Transfer{File: f, Phase: phase, Bytes: bytes, Code: codeOf(err), At: b.now()})
}
