package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/problem"
)

// Large bodies and the parts of files go past the message bus: they are sealed
// like messages, and the broker keeps them by their hash for as long as an
// uploader asked. Whoever knows the hash may read them; it is told in a signed
// message only.

// Bounds of the blob store.
const (
	// MaxBlob is the largest blob in bytes: a part of a file of 1 GiB, and what
	// sealing adds.
	MaxBlob = 1<<30 + 1<<20
	// MaxHave bounds the hashes of one question.
	MaxHave = 8192
	// blobCharge is what a blob counts at least, in bytes: small ones use a disk
	// too.
	blobCharge = 4096
	// maxBlobWrites and maxBlobReads bound the transfers of one DID under way.
	maxBlobWrites = 8
	maxBlobReads  = 64
	// maxTransfers bounds those of all together: each upload has 1 MiB of memory.
	maxTransfers = 1024
	// orphanAge is how old a blob that nobody claims must be to be removed, ms: a
	// younger one may belong to an upload that is about to claim it.
	orphanAge = 3600 * 1000
)

// Errors of the blob store with stable codes; compare with errors.Is.
var (
	ErrBlobs     = problem.New(503, "blobs_off", "this broker keeps no blobs")
	ErrBlobQuota = problem.New(429, "quota_exceeded", "this participant's share of the blob store is used up").WithHint("it comes back as blobs expire")
	ErrBlobLarge = problem.New(413, "too_large", "the blob is larger than one may be").With("limit", int64(MaxBlob)).WithHint("send a file in parts")
	ErrUntil     = problem.New(422, "until", "the time to keep the blob until is in the past, or later than the broker keeps blobs").WithHint("ms since 1970, at most now + twice the retention + 24 h")
	ErrTransfers = problem.New(429, "transfers", "too many transfers of this participant are under way").WithHint("wait for one to end")
	ErrBusy      = problem.New(503, "busy", "too many transfers are under way").WithHint("try again in a moment")
	ErrUpload    = problem.New(400, "body_incomplete", "the upload broke off").WithHint("send it again; nothing was kept of it")
	ErrStalled   = problem.New(408, "upload_stalled", "no byte of the upload came for too long").WithHint("send it again; nothing was kept of it")
	ErrTamper    = problem.New(501, "not_here", "this store's bytes cannot be overwritten")
)

// Claims keeps who asked for which blob until when. broker/conformance has the
// tests that every implementation passes.
type Claims interface {
	// Claim notes that did needs the blobs until a time (ms; an earlier one is
	// kept when it is later) and charges it for those it did not claim yet; when
	// its sum would be above quota, ErrBlobQuota and nothing is noted. Charges are
	// as Charge tells.
	Claim(ctx context.Context, did string, until, quota int64, blobs []blob.Info) error
	// Claimed tells, for each hash, until when somebody needs it (ms), 0 when
	// nobody does.
	Claimed(ctx context.Context, hashes []blob.Hash) ([]int64, error)
	// BlobUsage returns what did is charged, apart from one blob.
	BlobUsage(ctx context.Context, did string, except blob.Hash) (int64, error)
	// ExpireClaims removes claims that ended before now, at most limit, and
	// returns how many and the blobs that nobody claims any more.
	ExpireClaims(ctx context.Context, now int64, limit int) (removed int, unclaimed []blob.Hash, err error)
}

// Charge is what a blob of size bytes counts in its uploader's share.
func Charge(size int64) int64 { return max(size, blobCharge) }

// blobs is the Broker's state of transfers.
type blobs struct {
	mu      sync.Mutex
	all     int              // under way
	writes  map[string]int   // under way, by DID
	reads   map[string]int   // under way, by DID
	pending map[string]int64 // charges of uploads under way, by DID

	// removing is held for writing while an unclaimed blob is removed, and for
	// reading from the look whether a blob is there to its claim.
	removing sync.RWMutex
	swept    blob.Hash // where the sweep for orphans goes on
}

func newBlobs() blobs {
	return blobs{writes: make(map[string]int), reads: make(map[string]int), pending: make(map[string]int64)}
}

// take counts a transfer; the returned function ends it.
func (t *blobs) take(m map[string]int, did string, limit int) (func(), error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m[did] >= limit {
		return nil, ErrTransfers.With("limit", limit)
	}
	if t.all >= maxTransfers {
		return nil, ErrBusy
	}
	t.all++
	m[did]++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.all--
		if m[did]--; m[did] == 0 {
			delete(m, did)
		}
	}), nil
}

// reserve holds a part of a share for an upload under way.
func (t *blobs) reserve(did string, used, charge, quota int64) (func(), error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if charge > quota-used-t.pending[did] {
		return nil, ErrBlobQuota
	}
	t.pending[did] += charge
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.pending[did] -= charge; t.pending[did] == 0 {
			delete(t.pending, did)
		}
	}, nil
}

// checkUntil bounds how long a blob is kept: what the protocol needs is the end
// of a key package and the retention.
func (b *Broker) checkUntil(until int64) error {
	if now := b.now(); until < now || until > now+2*b.Network.RetentionMS+keepAfter {
		return ErrUntil
	}
	return nil
}

// BlobStart checks what can be checked of an upload before any byte of it is
// read.
func (b *Broker) BlobStart(size, until int64) error {
	switch {
	case b.Blobs == nil:
		return ErrBlobs
	case size < 0 || size > MaxBlob:
		return ErrBlobLarge
	}
	return b.checkUntil(until)
}

// PutBlob stores the size bytes of body under h until a time (ms), for a
// session's DID; created is false when the blob was there, and body may not have
// been read then.
func (b *Broker) PutBlob(ctx context.Context, s *Session, h blob.Hash, size, until int64, body io.Reader) (created bool, err error) {
	if err := b.BlobStart(size, until); err != nil {
		return false, err
	}
	done, err := b.transfers.take(b.transfers.writes, s.DID, maxBlobWrites)
	if err != nil {
		return false, err
	}
	defer done()
	info := blob.Info{Hash: h, Size: size}
	// Claimed first, a blob that is there stays while it is checked.
	had, err := b.claim(ctx, s.DID, until, info)
	if err != nil {
		return false, err
	}
	if !had {
		used, err := b.Store.BlobUsage(ctx, s.DID, h)
		if err != nil {
			return false, err
		}
		free, err := b.transfers.reserve(s.DID, used, Charge(size), b.Limits.BlobQuota)
		if err != nil {
			return false, err
		}
		defer free()
	}
	r := &uploaded{r: body}
	if err := b.Blobs.Put(ctx, h, size, r); err != nil {
		return false, r.told(err)
	}
	if had {
		return false, nil
	}
	had, err = b.claim(ctx, s.DID, until, info)
	switch {
	case err != nil: // another claim filled the share meanwhile: nobody pays for these bytes
		if _, rerr := b.removeUnclaimed(context.WithoutCancel(ctx), h); rerr != nil {
			b.Log.Warn("removing a blob that was not claimed failed", "err", rerr)
		}
	case !had:
		err = problem.New(503, "blob_gone", "the blob was removed while it was stored").WithHint("send it again")
	}
	return err == nil, err
}

// claim notes a blob's claim when the blob is there with its size.
func (b *Broker) claim(ctx context.Context, did string, until int64, info blob.Info) (there bool, err error) {
	b.transfers.removing.RLock()
	defer b.transfers.removing.RUnlock()
	size, err := b.Blobs.Stat(ctx, info.Hash)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case size != info.Size:
		return false, nil // damaged, or the length given is wrong: Put tells
	}
	return true, b.Store.Claim(ctx, did, until, b.Limits.BlobQuota, []blob.Info{info})
}

// uploaded tells errors of an upload from those of the store.
type uploaded struct {
	r   io.Reader
	err error
}

func (u *uploaded) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil && err != io.EOF {
		u.err = err
	}
	return n, err
}

func (u *uploaded) told(err error) error {
	switch {
	case u.err == nil:
		return err
	case errors.Is(u.err, os.ErrDeadlineExceeded):
		return ErrStalled.Wrap(u.err)
	}
	return ErrUpload.Wrap(u.err)
}

// HaveBlobs claims those of the blobs that are here for a session's DID until a
// time (ms), and returns the others.
func (b *Broker) HaveBlobs(ctx context.Context, s *Session, hashes []blob.Hash, until int64) (missing []blob.Hash, err error) {
	if err := b.BlobStart(0, until); err != nil {
		return nil, err
	}
	if len(hashes) > MaxHave {
		return nil, problem.New(422, "too_many", "too many hashes at once").With("limit", MaxHave)
	}
	done, err := b.transfers.take(b.transfers.writes, s.DID, maxBlobWrites)
	if err != nil {
		return nil, err
	}
	defer done()
	b.transfers.removing.RLock()
	defer b.transfers.removing.RUnlock()
	here := make([]blob.Info, 0, len(hashes))
	seen := make(map[blob.Hash]bool, len(hashes))
	for _, h := range hashes {
		if seen[h] {
			continue
		}
		seen[h] = true
		size, err := b.Blobs.Stat(ctx, h)
		switch {
		case err == nil:
			here = append(here, blob.Info{Hash: h, Size: size})
		case errors.Is(err, blob.ErrNotFound):
			missing = append(missing, h)
		default:
			return nil, err
		}
	}
	if len(here) == 0 {
		return missing, nil
	}
	return missing, b.Store.Claim(ctx, s.DID, until, b.Limits.BlobQuota, here)
}

// StatBlob returns a blob's size.
func (b *Broker) StatBlob(ctx context.Context, h blob.Hash) (int64, error) {
	if b.Blobs == nil {
		return 0, ErrBlobs
	}
	return b.Blobs.Stat(ctx, h)
}

// OpenBlob reads a blob for a session's DID, see blob.Store.
func (b *Broker) OpenBlob(ctx context.Context, s *Session, h blob.Hash, offset, length int64) (io.ReadCloser, error) {
	if b.Blobs == nil {
		return nil, ErrBlobs
	}
	done, err := b.transfers.take(b.transfers.reads, s.DID, maxBlobReads)
	if err != nil {
		return nil, err
	}
	r, err := b.Blobs.Open(ctx, h, offset, length)
	if err != nil {
		done()
		return nil, err
	}
	d := &download{ReadCloser: r, done: done}
	if c, ok := b.Blobs.(blob.Cooler); ok {
		d.cool = func() { c.Cool(h) }
	}
	return d, nil
}

// download is a blob on its way to a reader.
type download struct {
	io.ReadCloser
	done func()
	cool func() // may be nil
	n    int64  // bytes that were read
}

func (d *download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	d.n += int64(n)
	return n, err
}

// WriteTo shows the store's reader to io.Copy, which may know a fast way.
func (d *download) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, d.ReadCloser)
	d.n += n
	return n, err
}

// Close ends the transfer. Most parts of files have one reader.
func (d *download) Close() error {
	d.done()
	err := d.ReadCloser.Close()
	if d.cool != nil && d.n >= blob.CoolFrom {
		d.cool()
	}
	return err
}

// BlobShare tells what a session's DID is charged, and how much it may be.
func (b *Broker) BlobShare(ctx context.Context, s *Session) (used, quota int64, err error) {
	if b.Blobs == nil {
		return 0, 0, ErrBlobs
	}
	used, err = b.Store.BlobUsage(ctx, s.DID, blob.Hash{})
	return used, b.Limits.BlobQuota, err
}

// CollectBlobs removes claims that ended, and the blobs that nobody claims any
// more.
func (b *Broker) CollectBlobs(ctx context.Context) (removed int, err error) {
	if b.Blobs == nil {
		return 0, nil
	}
	const page = 1000
	for {
		ended, unclaimed, err := b.Store.ExpireClaims(ctx, b.now(), page)
		if err != nil {
			return removed, err
		}
		for _, h := range unclaimed {
			gone, err := b.removeUnclaimed(ctx, h)
			if err != nil {
				return removed, err
			}
			if gone {
				removed++
			}
		}
		if ended < page {
			return removed, nil
		}
	}
}

// removeUnclaimed removes a blob unless somebody claims it.
func (b *Broker) removeUnclaimed(ctx context.Context, h blob.Hash) (bool, error) {
	b.transfers.removing.Lock()
	defer b.transfers.removing.Unlock()
	until, err := b.Store.Claimed(ctx, []blob.Hash{h})
	if err != nil || until[0] != 0 {
		return false, err
	}
	return true, b.Blobs.Delete(ctx, h)
}

// SweepBlobs looks at up to max (at least 1) stored blobs, going on where it ended the last
// time, and removes those that nobody claims and that are older than an hour:
// what a crash left between storing and claiming.
func (b *Broker) SweepBlobs(ctx context.Context, max int) (removed int, err error) {
	if b.Blobs == nil {
		return 0, nil
	}
	b.transfers.mu.Lock()
	after := b.transfers.swept
	b.transfers.mu.Unlock()
	all, err := b.Blobs.List(ctx, after, max)
	if err != nil {
		return 0, fmt.Errorf("list blobs: %w", err)
	}
	b.transfers.mu.Lock()
	if b.transfers.swept = (blob.Hash{}); len(all) == max {
		b.transfers.swept = all[max-1].Hash
	}
	b.transfers.mu.Unlock()
	hashes := make([]blob.Hash, 0, len(all))
	for _, i := range all {
		if b.now()-i.Modified.UnixMilli() > orphanAge {
			hashes = append(hashes, i.Hash)
		}
	}
	until, err := b.Store.Claimed(ctx, hashes)
	if err != nil {
		return 0, err
	}
	for i, h := range hashes {
		if until[i] != 0 {
			continue
		}
		gone, err := b.removeUnclaimed(ctx, h)
		if err != nil {
			return removed, err
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}

// sweepPage is how many blobs one round of cleaning looks at for orphans.
const sweepPage = 10_000

// cleanBlobs is one round of the blobs' periodic work.
func (b *Broker) cleanBlobs(ctx context.Context) {
	if n, err := b.CollectBlobs(ctx); err != nil && ctx.Err() == nil {
		b.Log.Warn("collecting blobs failed", "err", err)
	} else if n > 0 {
		b.Log.Info("blobs expired", "removed", n)
	}
	if n, err := b.SweepBlobs(ctx, sweepPage); err != nil && ctx.Err() == nil {
		b.Log.Warn("sweeping blobs failed", "err", err)
	} else if n > 0 {
		b.Log.Info("blobs that nobody claims were removed", "removed", n)
	}
}
