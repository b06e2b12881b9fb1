package files_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/envelope/cobblestone"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/testkit"
)

// TestAttacks are Part B's rows of the negative tests, at the place where files
// meet them.
func TestAttacks(t *testing.T) {
	size := int64(2*envelope.MinPartSize + 100)
	seal := func(key envelope.Secret, oid [16]byte, i uint32, last bool, plain []byte) []byte {
		var b bytes.Buffer
		w, err := envelope.SealPart(&b, key, oid, i, last)
		if err == nil {
			_, err = w.Write(plain)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, c := range []struct {
		name, code string
		do         func(b *broker, o *envelope.Object)
	}{
		{"part replaced at the broker", "content_hash", func(b *broker, o *envelope.Object) { b.blobs[o.Parts[1]] = content(7, 500) }},
		{"part replaced by another part", "content_hash", func(b *broker, o *envelope.Object) { b.blobs[o.Parts[1]] = b.blobs[o.Parts[0]] }},
		{"part dropped", "content_hash", func(b *broker, o *envelope.Object) { delete(b.blobs, o.Parts[2]) }},
		{"part cut at a chunk", "content_hash", func(b *broker, o *envelope.Object) {
			b.blobs[o.Parts[0]] = b.blobs[o.Parts[0]][:cobblestone.HeaderSize+5*cobblestone.SealedChunkSize]
		}},
		{"part longer", "content_hash", func(b *broker, o *envelope.Object) { b.blobs[o.Parts[0]] = append(b.blobs[o.Parts[0]], 0) }},
		{"one bit", "content_hash", func(b *broker, o *envelope.Object) {
			bad := bytes.Clone(b.blobs[o.Parts[2]])
			bad[len(bad)/2] ^= 1
			b.blobs[o.Parts[2]] = bad
		}},
		{"hash list swapped", "part", func(b *broker, o *envelope.Object) { o.Parts[0], o.Parts[1] = o.Parts[1], o.Parts[0] }},
		{"of another file", "part", func(b *broker, o *envelope.Object) {
			p := seal(o.Key, [16]byte{1, 2}, 1, false, content(8, envelope.MinPartSize))
			o.Parts[1] = put(b, p)
		}},
		{"not the last", "part", func(b *broker, o *envelope.Object) {
			o.Parts[2] = put(b, seal(o.Key, o.OID, 2, false, content(8, 100)))
		}},
		{"sealed shorter", "truncated", func(b *broker, o *envelope.Object) {
			o.Parts[1] = put(b, seal(o.Key, o.OID, 1, false, content(8, 100)))
		}},
		{"other content", "object", func(b *broker, o *envelope.Object) {
			o.Parts[2] = put(b, seal(o.Key, o.OID, 2, true, content(8, 100)))
		}},
		{"other key", "part", func(b *broker, o *envelope.Object) { o.Key[0] ^= 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _, o := sent(t, content(1, size))
			c.do(a.broker, o)
			b := receiver(t, a)
			id := b.take("k", o, nil)
			b.told("k", c.code)
			_, err := b.box.Open(testkit.Context(t), id)
			if c.code == "content_hash" {
				b.code(err, files.CodeFileIncomplete) // Take tries it again
				return
			}
			b.code(err, files.CodeFileUnknown)
			if n := b.left(); n != 0 {
				t.Fatalf("%d blobs are left", n)
			}
		})
	}
}

func put(b *broker, p []byte) envelope.Digest {
	h := envelope.Digest(sha256.Sum256(p))
	b.blobs[h] = p
	return h
}

// TestDamageIsRepaired takes what the broker had wrong again after the sender
// pushed it again.
func TestDamageIsRepaired(t *testing.T) {
	want := content(1, 3*envelope.MinPartSize)
	a, id, o := sent(t, want)
	delete(a.broker.blobs, o.Parts[1])
	b := receiver(t, a)
	got := b.take("k", o, nil)
	b.told("k", "content_hash")
	if err := a.box.Repush(testkit.Context(t), id); err != nil {
		t.Fatal(err)
	}
	if err := next(t, a.pushed); err != nil {
		t.Fatal(err)
	}
	gets, kept := a.broker.gets, b.left()
	b.take("k", o, nil)
	b.told("k", "")
	if again := a.broker.gets - gets; again != len(o.Parts)-kept {
		t.Fatalf("%d parts were taken, with %d of %d there", again, kept, len(o.Parts))
	}
	b.is(got, want)
}

// TestDamageAtRest is found while reading, told by Verify, and mended by Take.
func TestDamageAtRest(t *testing.T) {
	want := content(1, 2*envelope.MinPartSize)
	a, id, o := sent(t, want)
	bad := bytes.Clone(a.broker.blobs[o.Parts[1]])
	bad[100000] ^= 1
	if err := a.blobs.Overwrite(testkit.Context(t), o.Parts[1], bytes.NewReader(bad)); err != nil {
		t.Fatal(err)
	}
	c, err := a.box.Open(testkit.Context(t), id)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	a.code(err, files.CodeFileDamaged)
	if !bytes.Equal(got, want[:len(got)]) {
		t.Fatal("damaged content was handed out")
	}
	checks, err := a.box.Verify(testkit.Context(t), id)
	if err != nil || checks[1].Result != "content_hash" || checks[3].Result == "ok" {
		t.Fatalf("%+v, %v", checks, err)
	}
	// A part that was here before a crash, and is damaged since, comes anew.
	b := receiver(t, a)
	if err := b.blobs.Put(testkit.Context(t), o.Parts[0], int64(len(a.broker.blobs[o.Parts[0]])), bytes.NewReader(a.broker.blobs[o.Parts[0]])); err != nil {
		t.Fatal(err)
	}
	if err := b.blobs.Overwrite(testkit.Context(t), o.Parts[0], bytes.NewReader(bad)); err != nil {
		t.Fatal(err)
	}
	got2 := b.take("k", o, nil)
	if err := b.clock.BlockUntilContext(testkit.Context(t), 2); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Second)
	b.told("k", "")
	b.is(got2, want)
}
