package files_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/testkit"
)

// BenchmarkUpload is a file of 64 MiB, sealed and forced to disk.
func BenchmarkUpload(b *testing.B) {
	h := benchHouse(b)
	want := content(1, 64*mib)
	b.SetBytes(int64(len(want)))
	for b.Loop() {
		id := h.put("x", want)
		if err := h.box.Remove(testkit.Context(b), id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead is the same file, opened on the way out.
func BenchmarkRead(b *testing.B) {
	h := benchHouse(b)
	want := content(1, 64*mib)
	id := h.put("x", want)
	b.SetBytes(int64(len(want)))
	buf := make([]byte, 32<<10)
	for b.Loop() {
		c, err := h.box.Open(testkit.Context(b), id)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, c, buf); err != nil || n != int64(len(want)) {
			b.Fatal(n, err)
		}
		c.Close()
	}
}

// BenchmarkPull is the same file on its way into another gateway's custody.
func BenchmarkPull(b *testing.B) {
	h := benchHouse(b)
	want := content(1, 64*mib)
	o := h.object(h.put("x", want), until)
	if err := next(b, h.pushed); err != nil {
		b.Fatal(err)
	}
	to := benchHouse(b)
	to.broker = h.broker
	to.open()
	b.SetBytes(int64(len(want)))
	for b.Loop() {
		id := to.take("k", o, nil)
		to.told("k", "")
		if err := to.box.Remove(testkit.Context(b), id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHash is what one pass of SHA-256 costs, for comparison.
func BenchmarkHash(b *testing.B) {
	want := content(1, 64*mib)
	b.SetBytes(int64(len(want)))
	for b.Loop() {
		_ = sha256.Sum256(want)
	}
}

// BenchmarkSeal is what sealing costs without hash and disk.
func BenchmarkSeal(b *testing.B) {
	want := content(1, envelope.MinPartSize)
	b.SetBytes(int64(len(want)))
	for b.Loop() {
		w, err := envelope.SealPart(io.Discard, envelope.Secret{1}, [16]byte{1}, 0, true)
		if err == nil {
			_, err = io.Copy(w, bytes.NewReader(want))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func benchHouse(b *testing.B) *house {
	h := newHouse(b)
	h.open()
	return h
}
