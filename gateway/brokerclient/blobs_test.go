package brokerclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// opened counts the bodies that are open.
type opened struct {
	io.Reader
	n *atomic.Int32
}

func (o opened) Close() error {
	o.n.Add(-1)
	return nil
}

func body(b []byte, open *atomic.Int32) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		open.Add(1)
		return opened{bytes.NewReader(b), open}, nil
	}
}

func TestPutBlob(t *testing.T) {
	b := bytes.Repeat([]byte("sealed"), 50_000)
	h := sha256.Sum256(b)
	var status atomic.Int32
	status.Store(201)
	c := serve(t, map[string]http.HandlerFunc{"PUT /api/v1/blobs/{hash}": func(w http.ResponseWriter, r *http.Request) {
		if s := int(status.Load()); s >= 400 || s == 200 { // unread
			w.WriteHeader(s)
			fmt.Fprintf(w, `{"code":"quota_exceeded"}`)
			return
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, b) || r.PathValue("hash") != hex.EncodeToString(h[:]) || r.URL.Query().Get("until") != "77" ||
			r.ContentLength != int64(len(b)) || r.Header.Get("Content-Encoding") != "" || r.Header.Get("Authorization") != "Bearer tok" {
			w.WriteHeader(500)
			return
		}
		w.WriteHeader(201)
	}})
	var open, calls atomic.Int32
	counted := func() (io.ReadCloser, error) {
		calls.Add(1)
		return body(b, &open)()
	}
	if err := c.PutBlob(ctx, h, int64(len(b)), 77, counted); !errors.Is(err, ErrNoLogin) {
		t.Fatal(err)
	}
	c.SetToken("tok")
	if err := c.PutBlob(ctx, h, int64(len(b)), 77, counted); err != nil || calls.Load() != 1 {
		t.Fatal(err, calls.Load())
	}
	for status_, want := range map[int32]string{200: "", 429: "quota_exceeded", 507: "quota_exceeded"} {
		calls.Store(0)
		status.Store(status_)
		if err := c.PutBlob(ctx, h, int64(len(b)), 77, counted); problem.CodeOf(err) != want || calls.Load() != 0 {
			t.Errorf("%d: %v, body opened %d times", status_, err, calls.Load())
		}
	}
	status.Store(201)
	own := errors.New("the own disk failed")
	for name, f := range map[string]func() (io.ReadCloser, error){
		"open": func() (io.ReadCloser, error) { return nil, own },
		"read": func() (io.ReadCloser, error) {
			open.Add(1)
			return opened{io.MultiReader(bytes.NewReader(b[:1000]), failing{own}), &open}, nil
		},
	} {
		if err := c.PutBlob(ctx, h, int64(len(b)), 77, f); !errors.Is(err, own) {
			t.Errorf("%s: %v", name, err)
		}
	}
	testkit.Eventually(t, testkit.Context(t), "all bodies to be closed", func() bool { return open.Load() == 0 })
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestHaveBlobs(t *testing.T) {
	var asked atomic.Int32
	reply := atomic.Pointer[string]{}
	c := serve(t, map[string]http.HandlerFunc{"POST /api/v1/blobs/have": func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, *reply.Load())
	}})
	c.SetToken("tok")
	many := make([][32]byte, 2*maxHave+1)
	for i := range many {
		many[i] = [32]byte{byte(i), byte(i >> 8), byte(i >> 16)}
	}
	say := func(s string) { reply.Store(&s) }
	say(`{"missing":[]}`)
	if m, err := c.HaveBlobs(ctx, many, 1); err != nil || len(m) > 0 || asked.Load() != 3 {
		t.Fatal(m, err, asked.Load())
	}
	name := func(h [32]byte) string { return hex.EncodeToString(h[:]) }
	say(`{"missing":["` + name(many[3]) + `"]}`)
	if m, err := c.HaveBlobs(ctx, many[:5], 1); err != nil || len(m) != 1 || m[0] != many[3] {
		t.Fatal(m, err)
	}
	for _, bad := range []string{`{"missing":["` + name(many[9]) + `"]}`, `{"missing":["x"]}`, `{"missing":["` + name(many[3]) + `","` + name(many[3]) + `"]}`, `<html>`} {
		say(bad)
		if m, err := c.HaveBlobs(ctx, many[:5], 1); problem.CodeOf(err) != "answer_invalid" {
			t.Errorf("%s: %v, %v", bad, m, err)
		}
	}
}

func TestGetBlob(t *testing.T) {
	b := bytes.Repeat([]byte("0123456789"), 1000)
	c := serve(t, map[string]http.HandlerFunc{"GET /api/v1/blobs/{hash}": func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("hash")[:2] {
		case "00": // as it should be
			http.ServeContent(w, r, "x", time.Time{}, bytes.NewReader(b))
		case "01": // ignores the range
			_, _ = w.Write(b)
		case "02": // another range
			w.Header().Set("Content-Range", "bytes 1-5/10000")
			w.WriteHeader(206)
			_, _ = w.Write(b)
		case "03": // more than was asked for
			w.Header().Set("Content-Range", strings.Replace(r.Header.Get("Range"), "=", " ", 1)+"/*")
			w.WriteHeader(206)
			_, _ = w.Write(b)
		case "04":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b)
		case "05": // breaks off
			w.Header().Set("Content-Length", "10000")
			_, _ = w.Write(b[:500])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(404)
			fmt.Fprint(w, `{"code":"not_found"}`)
		}
	}})
	if _, err := c.GetBlob(ctx, [32]byte{}, 0, -1); !errors.Is(err, ErrNoLogin) {
		t.Fatal(err)
	}
	c.SetToken("tok")
	for _, tc := range []struct {
		kind           byte
		offset, length int64
		want           []byte
		code           string
	}{
		{0, 0, -1, b, ""}, {0, 5, -1, b[5:], ""}, {0, 100, 50, b[100:150], ""}, {0, 9_990, 50, b[9_990:], ""}, {0, 0, 0, nil, ""},
		{0, 10_000, -1, nil, "http_416"}, {0, -1, 5, nil, "range"}, {0, MaxBlob + 1, -1, nil, "range"},
		{1, 0, -1, b, ""}, {1, 0, 7, b[:7], ""}, {1, 5, 7, nil, "answer_invalid"}, {2, 2, 5, nil, "answer_invalid"},
		{3, 2, 5, b[:5], ""}, {4, 0, -1, nil, "answer_invalid"}, {9, 0, -1, nil, "not_found"},
	} {
		r, err := c.GetBlob(ctx, [32]byte{tc.kind}, tc.offset, tc.length)
		if problem.CodeOf(err) != tc.code {
			t.Errorf("%v: %v", tc, err)
		}
		if tc.kind == 9 && !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if err != nil {
			continue
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, tc.want) {
			t.Errorf("kind %d, %d+%d: %d bytes, %v", tc.kind, tc.offset, tc.length, len(got), err)
		}
	}
	r, err := c.GetBlob(ctx, [32]byte{5}, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); problem.CodeOf(err) != "unreachable" || len(got) != 500 {
		t.Fatal(len(got), err)
	}
}

// TestTransfersThatStandStill holds the clock.
func TestTransfersThatStandStill(t *testing.T) {
	hang := make(chan struct{})
	reached := make(chan struct{}, 2)
	wait := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("12345"))
			_ = http.NewResponseController(w).Flush()
		}
		reached <- struct{}{}
		<-hang
	}
	c := serve(t, map[string]http.HandlerFunc{"GET /api/v1/blobs/{hash}": wait, "PUT /api/v1/blobs/{hash}": wait})
	t.Cleanup(func() { close(hang) })
	clock := clockwork.NewFakeClock()
	c.blobs.clock = clock
	c.SetToken("tok")
	r, err := c.GetBlob(ctx, [32]byte{}, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour) // the reader takes its time
	ended := make(chan error, 1)
	go func() {
		_, err := r.Read(make([]byte, 5))
		ended <- err
	}()
	tctx := testkit.Context(t)
	if err := clock.BlockUntilContext(tctx, 1); err != nil {
		t.Fatal(err)
	}
	clock.Advance(stallAfter + time.Second)
	if err := <-ended; problem.CodeOf(err) != "stalled" {
		t.Fatal(err)
	}
	go func() {
		var open atomic.Int32
		ended <- c.PutBlob(ctx, [32]byte{}, 5, 1, body([]byte("12345"), &open))
	}()
	<-reached
	<-reached
	clock.Advance(answerAfter + time.Second)
	if err := <-ended; problem.CodeOf(err) != "stalled" {
		t.Fatal(err)
	}
	// The caller's own end is told as such.
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.GetBlob(gone, [32]byte{}, 0, -1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func FuzzBlobAnswers(f *testing.F) {
	f.Add([]byte(`{"missing":["0000000000000000000000000000000000000000000000000000000000000000"]}`), int64(0), int64(10))
	f.Add([]byte(`bytes`), int64(5), int64(-1))
	f.Fuzz(func(t *testing.T, b []byte, offset, length int64) {
		c := New("http://broker", &http.Client{Transport: answers(b)})
		c.SetToken("tok")
		if m, err := c.HaveBlobs(ctx, [][32]byte{{}}, 1); err == nil && len(m) > 1 {
			t.Fatal("more are missing than were asked for")
		}
		r, err := c.GetBlob(ctx, [32]byte{}, offset, length)
		if err != nil {
			return
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err == nil && length >= 0 && int64(len(got)) > length {
			t.Fatal("more than was asked for")
		}
	})
}
