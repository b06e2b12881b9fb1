// Package conformance is the suite that every blob.Store passes.
//
// It tests what the interface promises, on a store that a test opens; what a
// technology adds (folders, buckets, full disks) its own tests show.
package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// Fixture is a store under test and how to open it a second time.
type Fixture struct {
	Store blob.Store
	// Reopen closes the store and opens what it kept, as a restart does.
	Reopen func() blob.Store
}

// Run runs the suite; open returns an empty store.
func Run(t *testing.T, open func(*testing.T) Fixture) {
	for name, test := range map[string]func(*testing.T, Fixture){
		"put and read": putAndRead, "ranges": ranges, "wrong bytes": wrongBytes, "broken reader": brokenReader,
		"again": again, "delete": deletes, "list": list, "parallel": parallel, "restart": restart, "canceled": canceled,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// sample makes size bytes that are the same for the same seed.
func sample(seed uint64, size int) ([]byte, blob.Hash) {
	b := make([]byte, size)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(key).Read(b)
	return b, sha256.Sum256(b)
}

func put(t *testing.T, s blob.Store, b []byte) blob.Hash {
	t.Helper()
	h := blob.Hash(sha256.Sum256(b))
	if err := s.Put(testkit.Context(t), h, int64(len(b)), bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return h
}

func read(t *testing.T, s blob.Store, h blob.Hash, offset, length int64) []byte {
	t.Helper()
	r, err := s.Open(testkit.Context(t), h, offset, length)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

// empty fails when the store keeps anything.
func empty(t *testing.T, s blob.Store) {
	t.Helper()
	if all, err := s.List(testkit.Context(t), blob.Hash{}, 10); err != nil || len(all) != 0 {
		t.Fatalf("something was left behind: %v, %v", all, err)
	}
}

func putAndRead(t *testing.T, f Fixture) {
	ctx := testkit.Context(t)
	for _, size := range []int{0, 1, 4095, 4096, 1 << 20, 3<<20 + 17} {
		b, h := sample(uint64(size), size)
		if _, err := f.Store.Stat(ctx, h); !errors.Is(err, blob.ErrNotFound) {
			t.Fatalf("stat before: %v", err)
		}
		if _, err := f.Store.Open(ctx, h, 0, -1); !errors.Is(err, blob.ErrNotFound) {
			t.Fatalf("open before: %v", err)
		}
		put(t, f.Store, b)
		if n, err := f.Store.Stat(ctx, h); err != nil || n != int64(size) {
			t.Fatalf("stat: %d, %v", n, err)
		}
		if !bytes.Equal(read(t, f.Store, h, 0, -1), b) {
			t.Fatalf("%d bytes came back otherwise", size)
		}
	}
}

func ranges(t *testing.T, f Fixture) {
	b, h := sample(1, 10_000)
	put(t, f.Store, b)
	for _, r := range []struct{ offset, length, from, to int64 }{
		{0, 10, 0, 10}, {5, -1, 5, 10_000}, {9_999, 1, 9_999, 10_000}, {9_999, 100, 9_999, 10_000}, {10_000, -1, 0, 0},
		{20_000, 5, 0, 0}, {100, 0, 0, 0}, {4_096, 4_096, 4_096, 8_192},
	} {
		if got := read(t, f.Store, h, r.offset, r.length); !bytes.Equal(got, b[r.from:r.to]) {
			t.Errorf("offset %d, length %d: %d bytes, want %d", r.offset, r.length, len(got), r.to-r.from)
		}
	}
}

func wrongBytes(t *testing.T, f Fixture) {
	b, h := sample(2, 100_000)
	other := slices.Clone(b)
	other[50_000] ^= 1
	for name, c := range map[string]struct {
		size int64
		body []byte
	}{
		"one bit": {int64(len(b)), other}, "too short": {int64(len(b)), b[:99_999]}, "too long": {int64(len(b)), append(slices.Clone(b), 0)},
		"length too small": {99_999, b}, "nothing": {int64(len(b)), nil}, "negative": {-1, b}, "length too large": {100_001, b},
	} {
		if err := f.Store.Put(testkit.Context(t), h, c.size, bytes.NewReader(c.body)); problem.CodeOf(err) != "blob_hash" {
			t.Errorf("%s: %v", name, err)
		}
		empty(t, f.Store)
	}
}

var errBroke = errors.New("the connection broke")

func brokenReader(t *testing.T, f Fixture) {
	b, h := sample(3, 100_000)
	err := f.Store.Put(testkit.Context(t), h, int64(len(b)), io.MultiReader(bytes.NewReader(b[:60_000]), failing{}))
	if !errors.Is(err, errBroke) {
		t.Fatalf("the reader's error is not told: %v", err)
	}
	empty(t, f.Store)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroke }

// again stores what is there already.
func again(t *testing.T, f Fixture) {
	b, h := sample(4, 5_000)
	put(t, f.Store, b)
	if err := f.Store.Put(testkit.Context(t), h, int64(len(b)), failing{}); err != nil && !errors.Is(err, errBroke) {
		t.Fatal(err)
	}
	put(t, f.Store, b)
	if err := f.Store.Put(testkit.Context(t), h, 4_999, bytes.NewReader(b[:4_999])); problem.CodeOf(err) != "blob_hash" {
		t.Fatalf("there already, with another length: %v", err)
	}
	if !bytes.Equal(read(t, f.Store, h, 0, -1), b) {
		t.Fatal("changed by storing it again")
	}
}

func deletes(t *testing.T, f Fixture) {
	ctx := testkit.Context(t)
	b, h := sample(5, 5_000)
	if err := f.Store.Delete(ctx, h); err != nil {
		t.Fatalf("an absent one: %v", err)
	}
	put(t, f.Store, b)
	r, err := f.Store.Open(ctx, h, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := f.Store.Delete(ctx, h); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Store.Stat(ctx, h); !errors.Is(err, blob.ErrNotFound) {
		t.Fatalf("still there: %v", err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, b) {
		t.Fatalf("a reader lost its blob: %d bytes, %v", len(got), err)
	}
	put(t, f.Store, b)
}

func list(t *testing.T, f Fixture) {
	ctx := testkit.Context(t)
	want := make([]blob.Info, 0, 40)
	for i := range 40 {
		b, h := sample(uint64(i), 10+i)
		put(t, f.Store, b)
		want = append(want, blob.Info{Hash: h, Size: int64(len(b))})
	}
	slices.SortFunc(want, func(a, b blob.Info) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	for _, page := range []int{1, 7, 40, 1000} {
		var got []blob.Info
		var after blob.Hash
		for {
			all, err := f.Store.List(ctx, after, page)
			if err != nil || len(all) > page {
				t.Fatal(len(all), err)
			}
			if len(all) == 0 {
				break
			}
			after = all[len(all)-1].Hash
			got = append(got, all...)
		}
		if len(got) != len(want) {
			t.Fatalf("pages of %d: %d blobs, want %d", page, len(got), len(want))
		}
		for i, g := range got {
			if g.Hash != want[i].Hash || g.Size != want[i].Size || g.Modified.IsZero() {
				t.Fatalf("pages of %d: blob %d is %+v", page, i, g)
			}
		}
	}
}

// parallel stores, reads and deletes the same blobs from many sides.
func parallel(t *testing.T, f Fixture) {
	ctx := testkit.Context(t)
	b, h := sample(6, 300_000)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := f.Store.Put(ctx, h, int64(len(b)), bytes.NewReader(b)); err != nil {
				t.Errorf("put %d: %v", i, err)
				return
			}
			r, err := f.Store.Open(ctx, h, 0, -1)
			if err != nil {
				t.Errorf("open after put: %v", err)
				return
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, b) {
				t.Errorf("read: %d bytes, %v", len(got), err)
			}
			mine, hash := sample(uint64(100+i), 1000)
			if err := errors.Join(f.Store.Put(ctx, hash, 1000, bytes.NewReader(mine)), f.Store.Delete(ctx, hash)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := f.Store.List(ctx, blob.Hash{}, 10); err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
}

func restart(t *testing.T, f Fixture) {
	want := map[blob.Hash][]byte{}
	for i := range 5 {
		b, h := sample(uint64(i), 1000*i)
		want[h] = b
		put(t, f.Store, b)
	}
	s := f.Reopen()
	for h, b := range want {
		if !bytes.Equal(read(t, s, h, 0, -1), b) {
			t.Errorf("%d bytes were lost", len(b))
		}
	}
}

func canceled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(testkit.Context(t))
	b, h := sample(7, 100_000)
	err := f.Store.Put(ctx, h, int64(len(b)), io.MultiReader(bytes.NewReader(b[:50_000]), readerFunc(func(p []byte) (int, error) {
		cancel()
		return copy(p, b[50_000:]), nil
	})))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("put with an ended context: %v", err)
	}
	empty(t, f.Store)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
