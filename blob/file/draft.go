package file

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/problem"
)

// ErrDraftShort is the answer of Resume when the draft has fewer bytes than it
// should go on from: they were written but not synced before a power loss. Its
// detail "size" is what there is.
var ErrDraftShort = problem.New(409, "draft_short", "the draft has fewer bytes than that")

// writeback is how many bytes are written before the kernel is asked to start
// bringing them to disk, so that the end does not wait for all of them.
const writeback = 8 << 20

// Draft is a blob that is being written, by one goroutine. It outlives a crash
// of the process: what was written up to the last Sync is there for Resume.
// Every Draft ends with one of Commit, Discard and Close.
type Draft struct {
	s      *Store
	name   string
	folder string
	f      file
	sum    hash.Hash
	size   int64
	pushed int64 // up to here the kernel was asked to bring bytes to disk
	linked bool  // the folder's entry was forced to disk
	broken error // bytes could not be forced to disk
	ended  bool
}

// DraftInfo describes a draft that was neither committed nor discarded.
type DraftInfo struct {
	Name     string
	Size     int64 // bytes on disk
	Modified time.Time
}

// Create begins a draft; code storage_full when the disk is.
func (s *Store) Create(ctx context.Context) (*Draft, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.create(draftsDir, 0)
}

// create opens a new file for about size bytes.
func (s *Store) create(folder string, size int64) (*Draft, error) {
	if err := s.room(size); err != nil {
		return nil, err
	}
	var b [16]byte
	rand.Read(b[:])
	d := &Draft{s: s, name: hex.EncodeToString(b[:]), folder: folder, sum: sha256.New()}
	f, err := s.disk.open(d.path(), os.O_CREATE|os.O_EXCL|os.O_RDWR)
	if err != nil {
		return nil, fail(err)
	}
	d.f = f
	if err := f.reserve(size); err != nil {
		return nil, errors.Join(fail(err), d.Discard())
	}
	return d, nil
}

// room refuses what would leave less of the disk than is reserved.
func (s *Store) room(size int64) error {
	free, err := s.disk.free(s.dir)
	if err == nil && (free < s.reserve || free-s.reserve < size) {
		return blob.ErrFull
	}
	return nil
}

// Resume opens a draft again to go on at a number of bytes; what lies after
// them is cut off. What is kept is read once, for the hash. ErrNotFound when
// there is no such draft, ErrDraftShort when it has fewer bytes.
func (s *Store) Resume(ctx context.Context, name string, at int64) (*Draft, error) {
	if !validDraft(name) || at < 0 {
		return nil, blob.ErrNotFound
	}
	d := &Draft{s: s, name: name, folder: draftsDir, sum: sha256.New(), size: at, pushed: at}
	f, err := s.disk.open(d.path(), os.O_RDWR)
	if err != nil {
		return nil, fail(err)
	}
	d.f = f
	if err := d.rewind(ctx, at); err != nil {
		return nil, errors.Join(err, d.f.Close())
	}
	return d, nil
}

// rewind cuts the file and hashes what stays.
func (d *Draft) rewind(ctx context.Context, at int64) error {
	i, err := os.Stat(d.path())
	if err != nil {
		return fail(err)
	}
	if i.Size() < at {
		return ErrDraftShort.With("size", i.Size())
	}
	if err := d.f.Truncate(at); err != nil {
		return fail(err)
	}
	return hashTo(ctx, d.sum, io.NewSectionReader(d.f, 0, at))
}

// Name is how Resume finds the draft again.
func (d *Draft) Name() string { return d.name }

// Size returns how many bytes the draft has.
func (d *Draft) Size() int64 { return d.size }

// Sum returns the hash of the bytes so far: whoever commits need not hash them
// a second time.
func (d *Draft) Sum() blob.Hash { return blob.Hash(d.sum.Sum(nil)) }

// Write appends b whole or, with an error, not at all; code storage_full.
func (d *Draft) Write(b []byte) (int, error) {
	if err := d.append(b); err != nil {
		return 0, err
	}
	d.sum.Write(b)
	return len(b), nil
}

// append writes b without hashing it.
func (d *Draft) append(b []byte) error {
	if d.broken != nil {
		return d.broken
	}
	if _, err := d.f.WriteAt(b, d.size); err != nil {
		// Half a write is cut off; if that fails too, Resume cuts it.
		return errors.Join(fail(err), d.f.Truncate(d.size))
	}
	d.size += int64(len(b))
	if d.size-d.pushed >= writeback {
		d.f.start(d.pushed, d.size-d.pushed)
		d.pushed = d.size
	}
	return nil
}

// ReadAt reads bytes already written.
func (d *Draft) ReadAt(b []byte, off int64) (int, error) { return d.f.ReadAt(b, off) }

// Sync forces what was written to disk: after it, Resume finds it even after
// power loss.
func (d *Draft) Sync() error {
	if err := d.sync(); err != nil {
		return err
	}
	if !d.linked {
		if err := d.s.disk.syncDir(filepath.Dir(d.path())); err != nil {
			return fail(err)
		}
		d.linked = true
	}
	return nil
}

// sync forces the bytes to disk. When that fails once, the kernel may have
// dropped them and say nothing the next time: the draft is of no use any more.
func (d *Draft) sync() error {
	if d.broken == nil {
		d.broken = fail(d.f.Sync())
	}
	return d.broken
}

// Commit makes the draft the blob of hash h, durably when it returns nil, and
// ends it. Code blob_hash when its bytes are others; the draft is still there
// then, and after any other error unless the store has these bytes already.
func (d *Draft) Commit(h blob.Hash) error {
	if d.Sum() != h {
		return blob.ErrHash
	}
	if err := d.sync(); err != nil {
		return err
	}
	if err := d.s.place(d.path(), h); err != nil {
		return err
	}
	d.ended = true
	d.f.Close() // its bytes are on disk: nothing is left to fail
	return nil
}

// Discard removes the draft; after Commit it does nothing.
func (d *Draft) Discard() error {
	if d.ended {
		return nil
	}
	d.ended = true
	d.f.Close() // nothing of it is wanted
	return remove(d.path())
}

// Close leaves the draft for Resume; after Commit or Discard it does nothing.
// What was not synced may be lost with the machine's power.
func (d *Draft) Close() error {
	if d.ended {
		return nil
	}
	d.ended = true
	return fail(d.f.Close())
}

func (d *Draft) path() string { return filepath.Join(d.s.dir, d.folder, d.name) }

// Drafts lists the drafts that were neither committed nor discarded, those
// being written among them. Their owner resumes or discards them.
func (s *Store) Drafts(ctx context.Context) ([]DraftInfo, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, draftsDir))
	if err != nil {
		return nil, fail(err)
	}
	var all []DraftInfo
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i, err := e.Info()
		if err != nil || !i.Mode().IsRegular() || !validDraft(e.Name()) {
			continue // gone meanwhile, or not ours
		}
		all = append(all, DraftInfo{Name: e.Name(), Size: i.Size(), Modified: i.ModTime()})
	}
	return all, nil
}

// DiscardDraft removes a draft that nobody has open; an absent one is fine.
func (s *Store) DiscardDraft(name string) error {
	if !validDraft(name) {
		return nil
	}
	return remove(filepath.Join(s.dir, draftsDir, name))
}

// validDraft tells the names that Create gives: nothing else reaches a path.
func validDraft(name string) bool {
	b, err := hex.DecodeString(name)
	return err == nil && len(b) == 16 && strings.ToLower(name) == name
}
