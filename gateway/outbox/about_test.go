package outbox

import (
	"errors"
	"fmt"
	"testing"

	"github.com/digital-spine/spine/envelope"
)

func TestAboutKeepsTypesSizesAndTimes(t *testing.T) {
	var items []*item
	for n := range 1_000 {
		items = append(items, &item{size: int64(n) << 20, frame: envelope.Frame{Type: fmt.Sprintf("type/%d", n%3), At: int64(5_000 - n), Kind: uint64(n % 2)}})
	}
	b := encodeAbout(items, 4_500)
	if len(b) > 9_000 {
		t.Errorf("%d bytes for 1000 frames", len(b))
	}
	list, err := decodeAbout(b, len(items), 4_500)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range list {
		it := items[i]
		if a.typ != it.frame.Type || a.size != it.size || a.at != it.frame.At || a.object != (it.frame.Kind == envelope.KindObject) {
			t.Fatalf("frame %d: %+v", i, a)
		}
	}
	// What a disk may have made of it is an error, never a panic.
	for n := range len(b) {
		if _, err := decodeAbout(b[:n:n], len(items), 4_500); !errors.Is(err, errAbout) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	for _, bad := range [][]byte{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, {1, 200}, {1, 1, 'x', 2, 0, 0}} {
		if _, err := decodeAbout(bad, 1, 0); !errors.Is(err, errAbout) {
			t.Errorf("%x: %v", bad, err)
		}
	}
	// Those that are answers keep what they answer, at the cost of them alone.
	items[3].frame.Re, items[999].frame.Re = envelope.ID{7}, envelope.ID{15: 9}
	answers := encodeAbout(items, 4_500)
	if len(answers) > len(b)+2*(16+2) {
		t.Errorf("two answers cost %d bytes", len(answers)-len(b))
	}
	if list, err = decodeAbout(answers, len(items), 4_500); err != nil {
		t.Fatal(err)
	}
	for i, a := range list {
		if a.re != items[i].frame.Re {
			t.Errorf("frame %d answers %x", i, a.re)
		}
	}
	for n := len(b) + 1; n < len(answers); n++ {
		if _, err := decodeAbout(answers[:n:n], len(items), 4_500); n != len(b)+17 && !errors.Is(err, errAbout) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if _, err := decodeAbout(append(answers[:len(answers):len(answers)], append([]byte{0xe8, 0x07}, make([]byte, 16)...)...), len(items), 4_500); !errors.Is(err, errAbout) {
		t.Errorf("a frame that is not there: %v", err)
	}
	if list, err := decodeAbout(nil, 2, 7); err != nil || len(list) != 2 || list[1].at != 7 {
		t.Errorf("an envelope of an earlier version: %+v, %v", list, err)
	}
}
