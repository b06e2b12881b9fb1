package file

import (
	"bytes"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/testkit"
)

// meanwhile is a body of which somebody does something before its first byte.
type meanwhile struct {
	io.Reader
	do func()
}

func (m *meanwhile) Read(p []byte) (int, error) {
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return m.Reader.Read(p)
}

// TestWhatAnotherStoredStays: two store the same bytes at a time. The one whose
// folder cannot be forced to disk does not take away what was promised to the
// other.
func TestWhatAnotherStoredStays(t *testing.T) {
	ctx := testkit.Context(t)
	s := open(t, t.TempDir())
	d := fine()
	s.disk = d
	b, h := random(100_000)
	put := func(r io.Reader) error { return s.Put(ctx, h, int64(len(b)), r) }
	err := put(&meanwhile{bytes.NewReader(b), func() {
		if err := put(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		d.dirSync = syscall.EIO
	}})
	if err == nil {
		t.Fatal("the folder's error was not told")
	}
	if ok, err := s.Intact(ctx, h); err != nil || !ok {
		t.Fatal("what was promised to the other is gone", err)
	}
	if n := len(files(t, s.dir)); n != 1 {
		t.Fatalf("%d files", n)
	}
}

// TestWhatIsThereIsForcedToDisk: a blob that is seen may have been left by a
// process that was killed before it forced the folder to disk. Whoever stores it
// again is not told that it is durable before it is.
func TestWhatIsThereIsForcedToDisk(t *testing.T) {
	ctx := testkit.Context(t)
	s := open(t, t.TempDir())
	d := fine()
	s.disk = d
	b, h := random(100_000)
	if err := os.WriteFile(s.path(h), b, 0o600); err != nil {
		t.Fatal(err)
	}
	d.dirSync = syscall.EIO
	if err := s.Put(ctx, h, int64(len(b)), bytes.NewReader(b)); err == nil {
		t.Fatal("said to be durable")
	}
	d.dirSync = nil
	if err := s.Put(ctx, h, int64(len(b)), iotestErr{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(ctx, h); err != nil {
		t.Fatal(err)
	}
	if there, err := s.placed(blob.Hash{1}); there || err != nil {
		t.Fatal("one that is not there", err)
	}
}
