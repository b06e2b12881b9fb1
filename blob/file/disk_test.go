package file

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/lock"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// badDisk fails where a test says; everything else is the real one's.
type badDisk struct {
	osDisk
	left    int64 // bytes that still fit; negative: any number
	sync    error // of files
	dirSync error
	renames error
	has     int64 // what free tells; negative: the truth
}

func fine() *badDisk { return &badDisk{left: -1, has: -1} }

type badFile struct {
	file
	d *badDisk
}

func (d *badDisk) open(path string, flag int) (file, error) {
	f, err := d.osDisk.open(path, flag)
	if err != nil {
		return nil, err
	}
	return &badFile{f, d}, nil
}

func (d *badDisk) free(dir string) (int64, error) {
	if d.has >= 0 {
		return d.has, nil
	}
	return d.osDisk.free(dir)
}

func (d *badDisk) rename(from, to string) error {
	if d.renames != nil {
		return d.renames
	}
	return d.osDisk.rename(from, to)
}

func (d *badDisk) syncDir(dir string) error {
	if d.dirSync != nil {
		return d.dirSync
	}
	return d.osDisk.syncDir(dir)
}

// reserve lets it be found out by writing.
func (f *badFile) reserve(int64) error { return nil }

func (f *badFile) WriteAt(b []byte, off int64) (int, error) {
	if f.d.left < 0 {
		return f.file.WriteAt(b, off)
	}
	fits := b[:min(int64(len(b)), f.d.left)]
	n, err := f.file.WriteAt(fits, off)
	f.d.left -= int64(n)
	if err == nil && n < len(b) {
		err = &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return n, err
}

func (f *badFile) Sync() error {
	if f.d.sync != nil {
		return f.d.sync
	}
	return f.file.Sync()
}

// files lists everything in the store that is no folder.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != lock.File {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func random(size int) ([]byte, blob.Hash) {
	b := make([]byte, size)
	rand.Read(b)
	return b, sha256.Sum256(b)
}

func TestDisksThatFail(t *testing.T) {
	enospc := &fs.PathError{Op: "x", Path: "y", Err: syscall.ENOSPC}
	for name, tc := range map[string]struct {
		change func(*badDisk)
		want   string
	}{
		"full after half":         {func(d *badDisk) { d.left = 2 << 20 }, "storage_full"},
		"full at once":            {func(d *badDisk) { d.left = 0 }, "storage_full"},
		"full when forced":        {func(d *badDisk) { d.sync = enospc }, "storage_full"},
		"full in the folder":      {func(d *badDisk) { d.dirSync = enospc }, "storage_full"},
		"full at the rename":      {func(d *badDisk) { d.renames = enospc }, "storage_full"},
		"over a disk quota":       {func(d *badDisk) { d.sync = syscall.EDQUOT }, "storage_full"},
		"nearly full":             {func(d *badDisk) { d.has = 3 << 20 }, "storage_full"},
		"broken when forced":      {func(d *badDisk) { d.sync = syscall.EIO }, "internal"},
		"broken folder":           {func(d *badDisk) { d.dirSync = syscall.EIO }, "internal"},
		"nothing fails, to begin": {func(*badDisk) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			d := fine()
			tc.change(d)
			s.disk = d
			b, h := random(4 << 20)
			err := s.Put(testkit.Context(t), h, int64(len(b)), bytes.NewReader(b))
			if problem.CodeOf(err) != tc.want {
				t.Fatalf("code %q, want %q: %v", problem.CodeOf(err), tc.want, err)
			}
			if tc.want != "" && len(files(t, dir)) > 0 {
				t.Fatalf("left behind: %v", files(t, dir))
			}
			if tc.want == "storage_full" && problem.From(err).Status != 507 {
				t.Fatal(err)
			}
			// There is room again.
			s.disk = fine()
			if err := s.Put(testkit.Context(t), h, int64(len(b)), bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			if n := len(files(t, dir)); n != 1 {
				t.Fatalf("%d files", n)
			}
		})
	}
}

func TestReserveStaysFree(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Reserve: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	d := fine()
	s.disk = d
	b, h := random(500)
	for _, tc := range []struct {
		free int64
		want string
	}{{1499, "storage_full"}, {999, "storage_full"}, {1500, ""}} {
		d.has = tc.free
		if err := s.Put(testkit.Context(t), h, 500, bytes.NewReader(b)); problem.CodeOf(err) != tc.want {
			t.Errorf("%d bytes free: %v", tc.free, err)
		}
	}
	d.has = 999
	if _, err := s.Create(testkit.Context(t)); problem.CodeOf(err) != "storage_full" {
		t.Error(err)
	}
}

// TestFullTmpfs fills a real small file system.
func TestFullTmpfs(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=700"); err != nil {
		t.Logf("no tmpfs may be mounted here (%v): the full disks of TestDisksThatFail have to do", err)
		return
	}
	s := open(t, dir)
	t.Cleanup(func() {
		s.Close()
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	kept, keptHash := random(5 << 20)
	if err := s.Put(testkit.Context(t), keptHash, 5<<20, bytes.NewReader(kept)); err != nil {
		t.Fatal(err)
	}
	b, h := random(6 << 20)
	read := 0
	err := s.Put(testkit.Context(t), h, 6<<20, io.TeeReader(bytes.NewReader(b), countWriter{&read}))
	if problem.CodeOf(err) != "storage_full" || problem.From(err).Status != 507 {
		t.Fatal(err)
	}
	if read > 0 {
		t.Errorf("%d bytes were taken before it was known that there is no room", read)
	}
	// A draft does not know its size: writing tells.
	d, err := s.Create(testkit.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(d, bytes.NewReader(b))
	if problem.CodeOf(err) != "storage_full" {
		t.Fatal(err)
	}
	if err := d.Discard(); err != nil {
		t.Fatal(err)
	}
	if all := files(t, dir); len(all) != 1 {
		t.Fatalf("left behind: %v", all)
	}
	small, smallHash := random(1 << 20)
	if err := s.Put(testkit.Context(t), smallHash, 1<<20, bytes.NewReader(small)); err != nil {
		t.Fatalf("what fits: %v", err)
	}
}

type countWriter struct{ n *int }

func (c countWriter) Write(p []byte) (int, error) {
	*c.n += len(p)
	return len(p), nil
}

func TestOpenRemovesWhatWasInterrupted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d, err := s.create(incomingDir, 0) // a Put that the process did not survive
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	kept, err := s.Create(testkit.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Write([]byte("draft")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil {
		t.Fatal("opened twice")
	}
	s.Close()
	s = open(t, dir)
	if all := files(t, dir); len(all) != 1 || filepath.Base(all[0]) != kept.Name() {
		t.Fatalf("%v: the draft alone stays", all)
	}
	all, err := s.Drafts(testkit.Context(t))
	if err != nil || len(all) != 1 || all[0].Name != kept.Name() || all[0].Size != 5 {
		t.Fatal(all, err)
	}
	for range 2 { // an absent one is fine
		if err := s.DiscardDraft(kept.Name()); err != nil {
			t.Fatal(err)
		}
	}
	if len(files(t, dir)) > 0 {
		t.Fatal("still there")
	}
}

func TestDamagedBlobsAreReplaced(t *testing.T) {
	ctx := testkit.Context(t)
	s := open(t, t.TempDir())
	b, h := random(100_000)
	put := func(r io.Reader) error { return s.Put(ctx, h, int64(len(b)), r) }
	if err := s.Overwrite(ctx, h, bytes.NewReader(b)); !errors.Is(err, blob.ErrNotFound) {
		t.Fatal(err)
	}
	if err := put(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{append([]byte{b[0] ^ 1}, b[1:]...), b[:50_000], {}, append(bytes.Clone(b), 1)} {
		if err := s.Overwrite(ctx, h, bytes.NewReader(bad)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(s.path(h))
		if err != nil || !bytes.Equal(got, bad) {
			t.Fatal("not overwritten", err)
		}
		if err := put(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(s.path(h)); err != nil || !bytes.Equal(got, b) {
			t.Fatal("not repaired", err)
		}
	}
	// What is there and good is not read again from the caller.
	if err := put(iotestErr{}); err != nil {
		t.Fatal(err)
	}
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, errors.New("read although it is there") }
