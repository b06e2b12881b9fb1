package file

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"testing"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/testkit"
)

// coolDisk counts what memory was let go of.
type coolDisk struct {
	osDisk
	cooled int
}

func (d *coolDisk) cool(f *os.File) {
	d.cooled++
	d.osDisk.cool(f)
}

func TestCool(t *testing.T) {
	ctx := testkit.Context(t)
	s := open(t, t.TempDir())
	d := &coolDisk{}
	s.disk = d
	b, h := random(blob.CoolFrom)
	if err := s.Put(ctx, h, int64(len(b)), bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	s.Cool(h)
	if d.cooled != 1 {
		t.Fatalf("let go of %d times after the first reader", d.cooled)
	}
	if ok, err := s.Intact(ctx, h); err != nil || !ok {
		t.Fatal("the bytes are not on disk", err)
	}
	s.Cool(h)
	if d.cooled != 1 {
		t.Fatal("what several read does not stay")
	}
	s.Cool(blob.Hash{1}) // there is none
	if d.cooled != 1 {
		t.Fatal("a blob that is not there was let go of")
	}
	// What came long before is not remembered for ever.
	for i := range cooledMax {
		s.Cool(sha256.Sum256(binary.BigEndian.AppendUint32(nil, uint32(i))))
	}
	if n, m := len(s.cooled.seen), len(s.cooled.ring); n != cooledMax || m != cooledMax {
		t.Fatalf("%d and %d are remembered", n, m)
	}
	if s.Cool(h); d.cooled != 2 {
		t.Fatal("not let go of again")
	}
}
