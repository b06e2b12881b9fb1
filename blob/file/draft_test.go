package file

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

func TestDraftGoesOnAfterACrash(t *testing.T) {
	ctx := testkit.Context(t)
	dir := t.TempDir()
	s := open(t, dir)
	b, h := random(100_000)
	d, err := s.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	name := d.Name()
	if _, err := d.Write(b[:40_000]); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	if d.Sum() != sha256.Sum256(b[:40_000]) || d.Size() != 40_000 {
		t.Fatal("sum or size of the first part")
	}
	if _, err := d.Write(make([]byte, 10_000)); err != nil { // of an attempt whose end nobody noted
		t.Fatal(err)
	}
	if err := d.Commit(h); problem.CodeOf(err) != "blob_hash" {
		t.Fatal(err)
	}
	// The process dies: nothing is closed. Another opens the folder.
	s.Close()
	s = open(t, dir)
	for _, at := range []int64{60_000, 1 << 40} {
		_, err = s.Resume(ctx, name, at)
		if !errors.Is(err, ErrDraftShort) || problem.From(err).Details["size"] != int64(50_000) {
			t.Fatal(err)
		}
	}
	if d, err = s.Resume(ctx, name, 40_000); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 100)
	if _, err := d.ReadAt(got, 39_900); err != nil || !bytes.Equal(got, b[39_900:40_000]) {
		t.Fatal(err)
	}
	for part := range slices.Chunk(b[40_000:], 7_001) {
		if _, err := d.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Commit(h); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Discard(), d.Close()); err != nil {
		t.Fatalf("after the end: %v", err)
	}
	if got, err := os.ReadFile(s.path(h)); err != nil || !bytes.Equal(got, b) {
		t.Fatal("not what was written", err)
	}
	if _, err := s.Resume(ctx, name, 0); !errors.Is(err, blob.ErrNotFound) {
		t.Fatalf("a draft that ended: %v", err)
	}
	if n := len(files(t, dir)); n != 1 {
		t.Fatalf("%d files", n)
	}
}

func TestDraftNamesReachNoOtherFile(t *testing.T) {
	s := open(t, t.TempDir())
	for _, name := range []string{"", "..", "../LOCK", "../../etc/passwd", "00", "0000000000000000000000000000000G", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if _, err := s.Resume(testkit.Context(t), name, 0); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
		if err := s.DiscardDraft(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := os.Stat(s.lock.Name()); err != nil {
		t.Fatal(err)
	}
}

func TestDraftOnAFullDisk(t *testing.T) {
	ctx := testkit.Context(t)
	dir := t.TempDir()
	s := open(t, dir)
	disk := fine()
	s.disk = disk
	b, h := random(100_000)
	d, err := s.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	disk.left = 70_000
	if _, err := d.Write(b[:60_000]); err != nil {
		t.Fatal(err)
	}
	// Half of this fits; it counts as not written.
	if n, err := d.Write(b[60_000:]); n != 0 || problem.CodeOf(err) != "storage_full" || d.Size() != 60_000 {
		t.Fatal(n, err, d.Size())
	}
	disk.left = -1
	if _, err := d.Write(b[60_000:]); err != nil {
		t.Fatal(err)
	}
	disk.renames = syscall.ENOSPC
	if err := d.Commit(h); problem.CodeOf(err) != "storage_full" {
		t.Fatal(err)
	}
	disk.renames = nil
	if err := d.Commit(h); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(s.path(h)); err != nil || !bytes.Equal(got, b) {
		t.Fatal(err)
	}
}

// TestDraftAfterAFailedSync: the kernel tells once that it lost bytes.
func TestDraftAfterAFailedSync(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	disk := fine()
	s.disk = disk
	b, h := random(1000)
	d, err := s.Create(testkit.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(b); err != nil {
		t.Fatal(err)
	}
	disk.sync = syscall.EIO
	if err := d.Sync(); err == nil {
		t.Fatal("no error")
	}
	disk.sync = nil
	if _, err := d.Write(b); err == nil {
		t.Fatal("written on")
	}
	if err := errors.Join(d.Sync()); err == nil {
		t.Fatal("forced to disk by asking again")
	}
	if err := d.Commit(h); err == nil {
		t.Fatal("committed")
	}
	if err := d.Discard(); err != nil || len(files(t, dir)) > 0 {
		t.Fatal(err, files(t, dir))
	}
}
