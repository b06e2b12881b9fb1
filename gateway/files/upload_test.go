package files_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/testkit"
)

const mib = 1 << 20

func TestUploadAndRead(t *testing.T) {
	h := newHouse(t)
	h.open()
	for _, n := range []int64{1, 16383, 16384, 16385, envelope.MinPartSize - 1, envelope.MinPartSize, envelope.MinPartSize + 1, 20*mib + 7} {
		want := content(byte(n), n)
		id := h.put("a.csv", want)
		h.is(id, want)
		// Any range, out of order.
		c, err := h.box.Open(testkit.Context(t), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int64{n - 1, n / 2, 0, n / 3, n / 3 * 2} {
			if _, err := c.Seek(at, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, min(70000, n-at))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want[at:at+int64(len(got))]) {
				t.Fatalf("at %d of %d: %v", at, n, err)
			}
		}
		c.Close()
		checks, err := h.box.Verify(testkit.Context(t), id)
		if err != nil || len(checks) != 4 {
			t.Fatal(checks, err)
		}
		for _, c := range checks {
			if c.Result != "ok" {
				t.Fatalf("%+v", c)
			}
		}
	}
	list, err := h.box.List(testkit.Context(t), files.Filter{})
	if err != nil || len(list) != 8 || list[0].Name != "a.csv" || list[0].State != files.StateReady || list[0].Direction != files.Stored {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, e := range list {
		if err := h.box.Remove(testkit.Context(t), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.left(); n != 0 {
		t.Fatalf("%d blobs are left", n)
	}
}

// TestUploadKilledAnywhere sends a file in pieces of odd lengths and starts the
// gateway again, as after a kill, after every one.
func TestUploadKilledAnywhere(t *testing.T) {
	for _, known := range []bool{true, false} {
		h := newHouse(t)
		ctx := testkit.Context(t)
		h.open()
		want := content(1, 2*envelope.MinPartSize+3*mib)
		n := files.New{Name: "big", Size: int64(len(want))}
		if !known {
			n.Size = -1
		}
		u, err := h.box.Begin(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		id, at := u.ID, int64(0)
		for k := int64(0); at < int64(len(want)); k++ {
			h.open()
			u, err := h.box.Upload(ctx, id)
			if err != nil || u.Offset != at {
				t.Fatalf("%+v, %v; want %d", u, err, at)
			}
			var piece []byte
			switch k {
			case 2: // exactly to the end of a part
				piece = want[at:envelope.MinPartSize]
			case 4: // nothing
			default:
				piece = want[at:min(at+k*700_001+1, int64(len(want)))]
			}
			// Some pieces break off in the middle of the reader.
			var r io.Reader = bytes.NewReader(piece)
			if k%3 == 1 {
				r = io.MultiReader(r, &broken{})
			}
			u, err = h.box.Append(ctx, id, at, r)
			if k%3 == 1 && at+int64(len(piece)) < int64(len(want)) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("piece %d: %v", k, err)
			}
			at += int64(len(piece))
			if u == nil || u.Offset != at {
				t.Fatalf("piece %d: %+v, %v; want %d", k, u, err, at)
			}
		}
		h.open()
		if !known {
			if u, err := h.box.Finish(ctx, id); err != nil || !u.Done || u.Size != int64(len(want)) {
				t.Fatalf("%+v, %v", u, err)
			}
		}
		h.is(id, want)
		if n := h.left(); n != 3 {
			t.Fatalf("%d blobs for 3 parts", n)
		}
	}
}

// broken is a body whose connection breaks.
type broken struct{}

func (*broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestUploadKilledWithin has the gateway die while content is coming, which
// only shows in what was noted: the upload goes on there, with other content
// than was sent the first time.
func TestUploadKilledWithin(t *testing.T) {
	h := newHouse(t)
	ctx := testkit.Context(t)
	box := h.open()
	want := content(2, 3*envelope.MinPartSize)
	u, err := box.Begin(ctx, files.New{Size: int64(len(want))})
	if err != nil {
		t.Fatal(err)
	}
	first := content(3, 5*mib)
	if _, err := box.Append(ctx, u.ID, 0, bytes.NewReader(first)); err != nil {
		t.Fatal(err)
	}
	// The process ends within a request: its writes to the database and the disk
	// stay, its memory does not. A body that blocks stands for that request.
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = box.Append(ctx, u.ID, 5*mib, r)
	}()
	if _, err := w.Write(want[5*mib : 20*mib]); err != nil {
		t.Fatal(err)
	}
	for { // until two parts are noted
		s, err := box.Upload(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		if s.Offset == 2*envelope.MinPartSize {
			break
		}
		time.Sleep(time.Millisecond)
	}
	snapshot := h.copy()
	w.CloseWithError(io.ErrUnexpectedEOF)
	<-ended
	h.close()
	h.dir = snapshot
	box = h.open()
	s, err := box.Upload(ctx, u.ID)
	if err != nil || s.Offset != 2*envelope.MinPartSize {
		t.Fatalf("%+v, %v", s, err)
	}
	if n := h.left(); n != 2 {
		t.Fatalf("%d blobs and drafts after a crash with 2 parts", n)
	}
	if s, err = box.Append(ctx, u.ID, s.Offset, bytes.NewReader(want[s.Offset:])); err != nil || !s.Done {
		t.Fatal(s, err)
	}
	h.is(u.ID, append(append([]byte(nil), first...), want[5*mib:]...))
}

func TestUploadRefusals(t *testing.T) {
	h := newHouse(t)
	h.max = 100
	ctx := testkit.Context(t)
	box := h.open()
	for _, c := range []struct {
		n    files.New
		code string
	}{
		{files.New{Name: "../x", Size: 1}, files.CodeNameInvalid},
		{files.New{Name: "a/b", Size: 1}, files.CodeNameInvalid},
		{files.New{Name: `a\b`, Size: 1}, files.CodeNameInvalid},
		{files.New{Name: "..", Size: 1}, files.CodeNameInvalid},
		{files.New{Name: "a\x00", Size: 1}, files.CodeNameInvalid},
		{files.New{Name: "a\x1b[2J", Size: 1}, files.CodeNameInvalid},
		{files.New{Name: strings.Repeat("a", 256), Size: 1}, files.CodeNameInvalid},
		{files.New{Name: "\xff", Size: 1}, files.CodeNameInvalid},
		{files.New{Type: "csv", Size: 1}, files.CodeTypeInvalid},
		{files.New{Type: "text/" + strings.Repeat("a", 200), Size: 1}, files.CodeTypeInvalid},
		{files.New{Size: 0}, files.CodeBodyEmpty},
		{files.New{Size: 101}, files.CodeTooLarge},
		{files.New{Size: 1, Send: true}, "draft_invalid"},
	} {
		_, err := box.Begin(ctx, c.n)
		h.code(err, c.code)
	}
	_, err := box.Append(ctx, "00000000-0000-4000-8000-000000000000", 0, strings.NewReader("x"))
	h.code(err, files.CodeUploadUnknown)
	u, err := box.Begin(ctx, files.New{Size: 10})
	if err != nil {
		t.Fatal(err)
	}
	_, err = box.Append(ctx, u.ID, 1, strings.NewReader("x"))
	h.code(err, files.CodeUploadOffset)
	_, err = box.Append(ctx, u.ID, 0, strings.NewReader("12345678901"))
	h.code(err, files.CodeUploadLength)
	_, err = box.Finish(ctx, u.ID)
	h.code(err, files.CodeUploadLength)
	_, err = box.Info(ctx, u.ID)
	h.code(err, files.CodeFileIncomplete)
	_, err = box.Open(ctx, u.ID)
	h.code(err, files.CodeFileIncomplete)
	if err := box.Remove(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	// Of unknown size: above the limit, and empty.
	u, err = box.Begin(ctx, files.New{Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = box.Append(ctx, u.ID, 0, bytes.NewReader(make([]byte, 101)))
	h.code(err, files.CodeTooLarge)
	if err := box.Remove(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	u, err = box.Begin(ctx, files.New{Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = box.Finish(ctx, u.ID)
	h.code(err, files.CodeBodyEmpty)
	_, err = box.Upload(ctx, u.ID)
	h.code(err, files.CodeUploadUnknown)
	list, err := box.List(ctx, files.Filter{})
	if err != nil || len(list) != 0 || h.left() != 0 {
		t.Fatalf("%+v, %v, %d blobs are left", list, err, h.left())
	}
}
