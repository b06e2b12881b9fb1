package node_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/broker/brokertest"
	"github.com/digital-spine/spine/broker/node"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// store is a broker with a held clock, and somebody logged in.
type store struct {
	*brokertest.Broker
	clock *clockwork.FakeClock
	p     *brokertest.Participant
	hc    *http.Client
}

func blobStore(t *testing.T, dir string, change func(*node.Deps)) *store {
	t.Helper()
	s := &store{clock: clockwork.NewFakeClockAt(time.Now()), hc: httpkit.Client(0)}
	s.Broker = brokertest.Start(t, dir, func(d *node.Deps) {
		d.Clock = s.clock
		if change != nil {
			change(d)
		}
	})
	s.p = s.join(t)
	return s
}

func (s *store) join(t *testing.T) *brokertest.Participant {
	t.Helper()
	p := brokertest.New(t, 0)
	p.Login(t, s.Broker)
	return p
}

// in returns a time to keep blobs until.
func (s *store) in(d time.Duration) int64 { return s.clock.Now().Add(d).UnixMilli() }

func (s *store) url(h blob.Hash, until int64) string {
	return fmt.Sprintf("%s/api/v1/blobs/%s?until=%d", s.URL(), blob.FormatHash(h), until)
}

// do sends a request and returns status, code, header and body.
func (s *store) do(t *testing.T, bearer, method, url string, body io.Reader, header map[string]string) (int, string, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(testkit.Context(t), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := s.hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Code string }
	if resp.Header.Get("Content-Type") == "application/problem+json" && method != http.MethodHead {
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, p.Code, resp.Header, b
}

// put stores and returns "status code".
func (s *store) put(t *testing.T, p *brokertest.Participant, h blob.Hash, until int64, b []byte) string {
	t.Helper()
	status, code, _, _ := s.do(t, p.Token, http.MethodPut, s.url(h, until), bytes.NewReader(b), nil)
	return strings.TrimSpace(fmt.Sprint(status, " ", code))
}

func (s *store) have(t *testing.T, p *brokertest.Participant, until int64, hashes ...blob.Hash) (missing []string, code string) {
	t.Helper()
	in := map[string]any{"until": until, "hashes": []string{}}
	for _, h := range hashes {
		in["hashes"] = append(in["hashes"].([]string), blob.FormatHash(h))
	}
	var out struct{ Missing []string }
	code = call(t, s.Broker, p.Token, "POST", "blobs/have", in, &out)
	return out.Missing, code
}

// kept lists the files of blobs and of uploads under way.
func (s *store) kept(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(s.Data, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != "LOCK" {
			names = append(names, e.Name())
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) { // an upload's file went while we looked
		t.Fatal(err)
	}
	return names
}

func random(n int) ([]byte, blob.Hash) {
	b := make([]byte, n)
	rand.Read(b)
	return b, sha256.Sum256(b)
}

func TestBlobsAreStoredAndRead(t *testing.T) {
	s := blobStore(t, "", nil)
	b, h := random(3<<20 + 5)
	until := s.in(time.Hour)
	for i, want := range []string{"201", "200"} {
		if got := s.put(t, s.p, h, until, b); got != want {
			t.Fatalf("put %d: %s", i, got)
		}
	}
	other := s.join(t)
	size := len(b)
	for _, tc := range []struct {
		rng, ifRange string
		status       int
		from, to     int
	}{
		{"", "", 200, 0, size}, {"bytes=0-9", "", 206, 0, 10}, {"bytes=5-", "", 206, 5, size}, {"bytes=-7", "", 206, size - 7, size},
		{"bytes=1000000-2999999", "", 206, 1_000_000, 3_000_000}, {"bytes=0-99999999", "", 206, 0, size}, {"bytes=-99999999", "", 206, 0, size},
		{"bytes=0-1,4-5", "", 200, 0, size}, {"lines=1-2", "", 200, 0, size}, {"bytes=9-3", "", 200, 0, size}, {"bytes=x", "", 200, 0, size},
		{"bytes=0-9", `"` + blob.FormatHash(h) + `"`, 206, 0, 10}, {"bytes=0-9", `"other"`, 200, 0, size},
		{fmt.Sprintf("bytes=%d-", size), "", 416, 0, 0}, {"bytes=-0", "", 416, 0, 0}, {"bytes=99999999999999999999-", "", 416, 0, 0},
	} {
		header := map[string]string{"Range": tc.rng, "If-Range": tc.ifRange}
		status, code, got, body := s.do(t, other.Token, http.MethodGet, s.url(h, 0), nil, header)
		if status != tc.status {
			t.Errorf("%v: %d %s", tc, status, code)
			continue
		}
		if status == 416 {
			if code != "range" || got.Get("Content-Range") != fmt.Sprintf("bytes */%d", size) {
				t.Errorf("%v: %s, %v", tc, code, got)
			}
			continue
		}
		if !bytes.Equal(body, b[tc.from:tc.to]) {
			t.Errorf("%v: %d other bytes", tc, len(body))
		}
		want := ""
		if status == 206 {
			want = fmt.Sprintf("bytes %d-%d/%d", tc.from, tc.to-1, size)
		}
		if got.Get("Content-Range") != want || got.Get("ETag") != `"`+blob.FormatHash(h)+`"` || got.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%v: %v", tc, got)
		}
	}
	status, _, got, body := s.do(t, other.Token, http.MethodHead, s.url(h, 0), nil, nil)
	if status != 200 || got.Get("Content-Length") != fmt.Sprint(size) || len(body) > 0 {
		t.Error(status, got)
	}
	_, absent := random(1)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if status, _, _, _ := s.do(t, other.Token, method, s.url(absent, 0), nil, nil); status != 404 {
			t.Error(method, status)
		}
	}
	var share struct{ Bytes, Quota int64 }
	if code := call(t, s.Broker, s.p.Token, "GET", "blobs", nil, &share); code != "" || share.Bytes != int64(size) || share.Quota != 100<<30 {
		t.Error(code, share)
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	s := blobStore(t, "", nil)
	b, h := random(10_000)
	wrong := bytes.Clone(b)
	wrong[5000] ^= 1
	until := s.in(time.Hour)
	reader := func() io.Reader { return bytes.NewReader(b) }
	retention := time.Duration(brokertest.Network().RetentionMS) * time.Millisecond
	for name, tc := range map[string]struct {
		token, url string
		body       io.Reader
		header     map[string]string
		want       string
	}{
		"nobody":             {"", s.url(h, until), reader(), nil, "401 token"},
		"another's token":    {s.p.Token + "x", s.url(h, until), reader(), nil, "401 token"},
		"wrong bytes":        {s.p.Token, s.url(h, until), bytes.NewReader(wrong), nil, "422 blob_hash"},
		"shorter":            {s.p.Token, s.url(h, until), bytes.NewReader(b[:9_999]), nil, "422 blob_hash"},
		"nothing":            {s.p.Token, s.url(h, until), http.NoBody, nil, "422 blob_hash"},
		"no length":          {s.p.Token, s.url(h, until), struct{ io.Reader }{reader()}, nil, "411 length_required"},
		"gzip":               {s.p.Token, s.url(h, until), reader(), map[string]string{"Content-Encoding": "gzip"}, "415 content_encoding"},
		"identity":           {s.p.Token, s.url(h, until), reader(), map[string]string{"Content-Encoding": "identity"}, "415 content_encoding"},
		"no time":            {s.p.Token, strings.Split(s.url(h, until), "?")[0], reader(), nil, "422 until"},
		"past":               {s.p.Token, s.url(h, s.in(-time.Second)), reader(), nil, "422 until"},
		"too far":            {s.p.Token, s.url(h, s.in(2*retention+24*time.Hour+time.Second)), reader(), nil, "422 until"},
		"endless":            {s.p.Token, strings.Split(s.url(h, until), "?")[0] + "?until=99999999999999999999", reader(), nil, "422 until"},
		"negative":           {s.p.Token, strings.Split(s.url(h, until), "?")[0] + "?until=-5", reader(), nil, "422 until"},
		"no hash":            {s.p.Token, s.URL() + "/api/v1/blobs/xyz?until=1", reader(), nil, "400 hash_form"},
		"hash in capitals":   {s.p.Token, s.URL() + "/api/v1/blobs/" + strings.ToUpper(blob.FormatHash(h)), reader(), nil, "400 hash_form"},
		"a path":             {s.p.Token, s.URL() + "/api/v1/blobs/..%2f..%2fbroker.db?until=1", reader(), nil, "400 hash_form"},
		"operator's, no key": {s.p.Token, s.URL() + "/api/v1/admin/blobs/" + blob.FormatHash(h), reader(), nil, "401 admin_key"},
	} {
		status, code, _, _ := s.do(t, tc.token, http.MethodPut, tc.url, tc.body, tc.header)
		if got := fmt.Sprint(status, " ", code); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	if left := s.kept(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if got := s.put(t, s.p, h, s.in(2*retention+24*time.Hour), b); got != "201" {
		t.Errorf("as long as may be: %s", got)
	}
	if _, code := s.have(t, s.p, s.in(-time.Second), h); code != "until" {
		t.Error(code)
	}
	if _, code := s.have(t, s.p, until, make([]blob.Hash, 8193)...); code != "request_invalid" {
		t.Error(code)
	}
}

// raw opens a connection and begins an upload by hand.
func (s *store) raw(t *testing.T, h blob.Hash, size int) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "PUT /api/v1/blobs/%s?until=%d HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
		blob.FormatHash(h), s.in(time.Hour), s.p.Token, size)
	if err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func TestTooLargeIsRefusedUnread(t *testing.T) {
	s := blobStore(t, "", nil)
	conn, answer := s.raw(t, blob.Hash{1}, broker.MaxBlob+1)
	if c, ok := conn.(*net.TCPConn); !ok || c.CloseWrite() != nil {
		t.Fatal("close")
	}
	resp, err := http.ReadResponse(answer, nil)
	if err != nil || resp.StatusCode != 413 {
		t.Fatal(resp, err)
	}
}

func TestCutUploadLeavesNothing(t *testing.T) {
	s := blobStore(t, "", nil)
	b, h := random(1 << 20)
	conn, _ := s.raw(t, h, len(b))
	if _, err := conn.Write(b[:600_000]); err != nil {
		t.Fatal(err)
	}
	ctx := testkit.Context(t)
	testkit.Eventually(t, ctx, "the upload to begin", func() bool { return len(s.kept(t)) == 1 })
	conn.Close()
	testkit.Eventually(t, ctx, "what was uploaded to be gone", func() bool { return len(s.kept(t)) == 0 })
	if missing, code := s.have(t, s.p, s.in(time.Hour), h); code != "" || len(missing) != 1 {
		t.Fatal(missing, code)
	}
	var share struct{ Bytes int64 }
	if code := call(t, s.Broker, s.p.Token, "GET", "blobs", nil, &share); code != "" || share.Bytes != 0 {
		t.Fatal(code, share)
	}
	if got := s.put(t, s.p, h, s.in(time.Hour), b); got != "201" {
		t.Fatal(got)
	}
}

// TestStalledUploadIsCut holds the clock: no byte for a minute ends an upload,
// and one that moves goes on for longer than any timeout.
func TestStalledUploadIsCut(t *testing.T) {
	s := blobStore(t, "", nil)
	ctx := testkit.Context(t)
	b, h := random(100_000)
	conn, answer := s.raw(t, h, len(b))
	timers := 2 // those of the broker's periodic work
	for i := 0; i < 5; i++ {
		if _, err := conn.Write(b[i*10_000 : (i+1)*10_000]); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, ctx, "the bytes to be taken", func() bool {
			n := int64(0)
			for _, name := range s.kept(t) {
				if st, err := os.Stat(filepath.Join(s.Data, "blobs", "incoming", name)); err == nil {
					n = st.Size()
				}
			}
			return n == int64(i+1)*10_000
		})
		if err := s.clock.BlockUntilContext(ctx, timers+1); err != nil {
			t.Fatal(err)
		}
		s.clock.Advance(59 * time.Second)
	}
	s.clock.Advance(2 * time.Second)
	resp, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Code string }
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.StatusCode != 408 || p.Code != "upload_stalled" {
		t.Fatal(resp.StatusCode, p, err)
	}
	if left := s.kept(t); len(left) > 0 {
		t.Fatalf("left behind: %v", left)
	}
}

func TestUploadsUnderWayAreBounded(t *testing.T) {
	s := blobStore(t, "", nil)
	ctx := testkit.Context(t)
	b, h := random(1000)
	for i := range 8 {
		conn, _ := s.raw(t, blob.Hash{byte(i)}, 1000)
		if _, err := conn.Write(b[:10]); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, ctx, "eight uploads", func() bool { return len(s.kept(t)) == 8 })
	if got := s.put(t, s.p, h, s.in(time.Hour), b); got != "429 transfers" {
		t.Fatal(got)
	}
	if got := s.put(t, s.join(t), h, s.in(time.Hour), b); got != "201" {
		t.Fatalf("somebody else: %s", got)
	}
}

func TestParallelUploadsOfOneBlob(t *testing.T) {
	s := blobStore(t, "", nil)
	b, h := random(2 << 20)
	var wg sync.WaitGroup
	for range 4 {
		for _, p := range []*brokertest.Participant{s.p, s.join(t)} {
			wg.Go(func() {
				if got := s.put(t, p, h, s.in(time.Hour), b); got != "201" && got != "200" {
					t.Error(got)
				}
			})
		}
	}
	wg.Wait()
	if left := s.kept(t); len(left) != 1 {
		t.Fatal(left)
	}
	_, _, _, got := s.do(t, s.p.Token, http.MethodGet, s.url(h, 0), nil, nil)
	if !bytes.Equal(got, b) {
		t.Fatal("other bytes")
	}
}

func TestFullDiskIsTold(t *testing.T) {
	dir := t.TempDir()
	s := blobStore(t, dir, func(d *node.Deps) { d.Config.BlobReserve = 1 << 60 })
	b, h := random(1000)
	if got := s.put(t, s.p, h, s.in(time.Hour), b); got != "507 storage_full" {
		t.Fatal(got)
	}
	if left := s.kept(t); len(left) > 0 {
		t.Fatal(left)
	}
	if missing, code := s.have(t, s.p, s.in(time.Hour), h); code != "" || len(missing) != 1 {
		t.Fatal(missing, code)
	}
	if err := problem.CodeOf(blob.ErrFull); err != "storage_full" {
		t.Fatal(err)
	}
}

func TestShareOfTheStore(t *testing.T) {
	s := blobStore(t, "", func(d *node.Deps) { d.Config.Limits.BlobQuota = 100_000 })
	one, h1 := random(60_000)
	two, h2 := random(50_000)
	until := s.in(5 * time.Minute)
	if got := s.put(t, s.p, h1, until, one); got != "201" {
		t.Fatal(got)
	}
	if got := s.put(t, s.p, h2, until, two); got != "429 quota_exceeded" {
		t.Fatal(got)
	}
	if left := s.kept(t); len(left) != 1 {
		t.Fatal(left)
	}
	other := s.join(t)
	if got := s.put(t, other, h2, until, two); got != "201" {
		t.Fatalf("another's share: %s", got)
	}
	// What is there already is charged too, to whoever wants it kept.
	if _, code := s.have(t, s.p, until, h2); code != "quota_exceeded" {
		t.Fatal(code)
	}
	if missing, code := s.have(t, s.p, until, h1); code != "" || len(missing) != 0 {
		t.Fatal(missing, code)
	}
	// The share comes back with the end.
	s.clock.Advance(5*time.Minute + time.Second)
	if _, err := s.Broker.Broker.CollectBlobs(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	// 200: the broker's own round ended the claim and did not come to the blob.
	if got := s.put(t, s.p, h2, s.in(time.Hour), two); got != "201" && got != "200" {
		t.Fatal(got)
	}
}

// reading calls a function once before what it reads.
type reading struct {
	io.Reader
	first func()
}

func (r *reading) Read(p []byte) (int, error) {
	if f := r.first; f != nil {
		r.first = nil
		f()
	}
	return r.Reader.Read(p)
}

// TestShareFilledMeanwhile: of an upload whose share another claim filled, no
// bytes stay that nobody pays for.
func TestShareFilledMeanwhile(t *testing.T) {
	s := blobStore(t, "", func(d *node.Deps) { d.Config.Limits.BlobQuota = 100_000 })
	ctx := testkit.Context(t)
	one, h1 := random(60_000)
	two, h2 := random(50_000)
	until := s.in(5 * time.Minute)
	if got := s.put(t, s.join(t), h1, until, one); got != "201" {
		t.Fatal(got)
	}
	upload := func(did string, first func()) {
		t.Helper()
		me := &broker.Session{DID: did}
		body := &reading{bytes.NewReader(two), func() {
			first()
			if missing, err := s.Broker.Broker.HaveBlobs(ctx, me, []blob.Hash{h1}, until); err != nil || len(missing) != 0 {
				t.Error(missing, err)
			}
		}}
		if _, err := s.Broker.Broker.PutBlob(ctx, me, h2, int64(len(two)), until, body); problem.CodeOf(err) != "quota_exceeded" || body.first != nil {
			t.Fatal(err)
		}
	}
	upload("did:a", func() {})
	if left := s.kept(t); len(left) != 1 {
		t.Fatal(left)
	}
	// What somebody else claimed meanwhile stays.
	other := s.join(t)
	upload("did:b", func() {
		if got := s.put(t, other, h2, until, two); got != "201" {
			t.Error(got)
		}
	})
	if left := s.kept(t); len(left) != 2 {
		t.Fatal(left)
	}
}

func TestBlobsEndWithTheLatestClaim(t *testing.T) {
	s := blobStore(t, "", nil)
	ctx := testkit.Context(t)
	b, h := random(1000)
	short, h2 := random(1000)
	if s.put(t, s.p, h, s.in(2*time.Minute), b) != "201" || s.put(t, s.p, h2, s.in(2*time.Minute), short) != "201" {
		t.Fatal("put")
	}
	other := s.join(t)
	if missing, code := s.have(t, other, s.in(5*time.Minute), h, blob.Hash{9}); code != "" || len(missing) != 1 || missing[0] != blob.FormatHash(blob.Hash{9}) {
		t.Fatal(missing, code)
	}
	if missing, code := s.have(t, s.p, s.in(time.Minute), h2); code != "" || len(missing) > 0 { // an earlier time does not shorten
		t.Fatal(missing, code)
	}
	there := func(h blob.Hash) bool {
		_, err := s.Broker.Broker.StatBlob(ctx, h)
		return err == nil
	}
	collect := func(want int) {
		t.Helper()
		if n, err := s.Broker.Broker.CollectBlobs(ctx); err != nil || n > want {
			t.Fatal(n, err)
		}
	}
	s.clock.Advance(119 * time.Second)
	collect(0)
	if !there(h) || !there(h2) {
		t.Fatal("gone before its time")
	}
	s.clock.Advance(2 * time.Second)
	collect(1)
	if !there(h) {
		t.Fatal("another still needs it")
	}
	// The broker's own round does the rest.
	testkit.Eventually(t, ctx, "the first to be gone", func() bool { return !there(h2) })
	s.clock.Advance(4 * time.Minute)
	testkit.Eventually(t, ctx, "the other to be gone", func() bool { return !there(h) })
	if left := s.kept(t); len(left) > 0 {
		t.Fatal(left)
	}
}

func TestOrphansAreSwept(t *testing.T) {
	s := blobStore(t, "", nil)
	ctx := testkit.Context(t)
	claimed, h := random(1000)
	if got := s.put(t, s.p, h, s.in(24*time.Hour), claimed); got != "201" {
		t.Fatal(got)
	}
	for i := range 5 { // stored, and then the process died
		b, h := random(1000 + i)
		if err := s.Broker.Broker.Blobs.Put(ctx, h, int64(len(b)), bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func() {
		t.Helper()
		for range 5 {
			if _, err := s.Broker.Broker.SweepBlobs(ctx, 2); err != nil {
				t.Fatal(err)
			}
		}
	}
	sweep()
	if left := s.kept(t); len(left) != 6 {
		t.Fatalf("%d are left: young ones may be about to be claimed", len(left))
	}
	s.clock.Advance(time.Hour + time.Minute)
	sweep()
	if left := s.kept(t); len(left) != 1 || left[0] != blob.FormatHash(h) {
		t.Fatal(left)
	}
}

func TestBlobsOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	s := blobStore(t, dir, nil)
	b, h := random(100_000)
	if got := s.put(t, s.p, h, s.in(10*time.Minute), b); got != "201" {
		t.Fatal(got)
	}
	s.Stop()
	// An upload that the old process did not end.
	half := filepath.Join(dir, "blobs", "incoming", strings.Repeat("0", 32))
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = blobStore(t, dir, nil)
	if left := s.kept(t); len(left) != 1 {
		t.Fatal(left)
	}
	status, _, _, got := s.do(t, s.p.Token, http.MethodGet, s.url(h, 0), nil, nil)
	if status != 200 || !bytes.Equal(got, b) {
		t.Fatal(status)
	}
	s.clock.Advance(11 * time.Minute)
	testkit.Eventually(t, testkit.Context(t), "its time to end after the restart too", func() bool {
		_, err := s.Broker.Broker.StatBlob(context.Background(), h)
		return err != nil
	})
}

func TestOperatorAsAttacker(t *testing.T) {
	s := blobStore(t, "", nil)
	key, err := os.ReadFile(filepath.Join(s.Data, "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	admin := strings.TrimSpace(string(key))
	b, h := random(50_000)
	if got := s.put(t, s.p, h, s.in(time.Hour), b); got != "201" {
		t.Fatal(got)
	}
	var list struct {
		Blobs []struct {
			Hash string
			Size int64
		}
		Next string
	}
	if code := call(t, s.Broker, admin, "GET", "admin/blobs?limit=1", nil, &list); code != "" || len(list.Blobs) != 1 || list.Blobs[0].Hash != blob.FormatHash(h) || list.Blobs[0].Size != 50_000 {
		t.Fatal(code, list)
	}
	if code := call(t, s.Broker, s.p.Token, "GET", "admin/blobs", nil, nil); code != "admin_key" {
		t.Fatal(code)
	}
	url := s.URL() + "/api/v1/admin/blobs/" + blob.FormatHash(h)
	get := func() (int, []byte) {
		status, _, _, got := s.do(t, s.p.Token, http.MethodGet, s.url(h, 0), nil, nil)
		return status, got
	}
	evil := bytes.Repeat([]byte("evil"), 12_500)
	if status, code, _, _ := s.do(t, admin, http.MethodPut, url, bytes.NewReader(evil), nil); status != 200 {
		t.Fatal(status, code)
	}
	if status, got := get(); status != 200 || !bytes.Equal(got, evil) {
		t.Fatal("not replaced", status)
	}
	// The sender is asked again, and brings the right bytes back.
	if got := s.put(t, s.p, h, s.in(time.Hour), b); got != "200" && got != "201" {
		t.Fatal(got)
	}
	if status, got := get(); status != 200 || !bytes.Equal(got, b) {
		t.Fatal("not repaired", status)
	}
	if status, code, _, _ := s.do(t, admin, http.MethodDelete, url, nil, nil); code != "reason" {
		t.Fatal(status, code)
	}
	if status, code, _, _ := s.do(t, admin, http.MethodDelete, url+"?reason=test", nil, nil); status/100 != 2 {
		t.Fatal(status, code)
	}
	if status, _ := get(); status != 404 {
		t.Fatal(status)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		if status, _, _, _ := s.do(t, admin, method, url+"?reason=test", bytes.NewReader(evil), nil); status != 404 {
			t.Error(method, status)
		}
	}
	if missing, code := s.have(t, s.p, s.in(time.Hour), h); code != "" || len(missing) != 1 {
		t.Fatal("a deleted blob is missing although it is claimed", missing, code)
	}
	if got := s.put(t, s.p, h, s.in(time.Hour), b); got != "201" {
		t.Fatal(got)
	}
}
