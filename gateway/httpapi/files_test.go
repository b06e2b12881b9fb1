package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jonboulle/clockwork"

	blobfile "github.com/digital-spine/spine/blob/file"
	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
	keyringfile "github.com/digital-spine/spine/keyring/file"
	"github.com/digital-spine/spine/schema"
)

// fileSender takes messages that carry files, unless their channel is
// refusing.
type fileSender struct {
	gateway.Sender
	sent []gateway.Draft
	err  error
}

func (s *fileSender) Send(ctx context.Context, d []gateway.Draft) ([]gateway.Accepted, []error) {
	if d[0].File == "" {
		return s.Sender.Send(ctx, d)
	}
	if s.err != nil {
		return make([]gateway.Accepted, 1), []error{s.err}
	}
	s.sent = append(s.sent, d...)
	return []gateway.Accepted{{ID: "0a000000-0000-4000-8000-000000000001", State: gateway.StateWaiting}}, []error{nil}
}

type filesFixture struct {
	*fixture
	box    *files.Box
	blobs  *blobfile.Store
	sender *fileSender
}

const maxFile = 24 << 20

func startFiles(t testing.TB) *filesFixture {
	t.Helper()
	ctx := testkit.Context(t)
	dir := t.TempDir()
	st, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(dir, "files.db"), sqlkit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	f := &filesFixture{sender: &fileSender{}}
	if f.blobs, err = blobfile.Open(filepath.Join(dir, "blobs"), blobfile.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.blobs.Close() })
	ring, _, err := keyringfile.Open(filepath.Join(dir, "keys"), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.box, err = files.Open(ctx, files.Deps{Store: st.Files(), Blobs: f.blobs, Keyring: ring, FileMax: maxFile, Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	f.fixture = startWith(t, clockwork.NewRealClock(), func(d *Deps) {
		f.sender.Sender = d.Sender
		d.Sender, d.Files = f.sender, f.box
	})
	f.box.SetSender(f.sender)
	return f
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// do sends a request with headers and returns the answer.
func (f *filesFixture) do(t testing.TB, method, path string, body io.Reader, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(testkit.Context(t), method, f.url+"/api/v1/"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.admin)
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Content-Length" {
			req.ContentLength, _ = strconv.ParseInt(headers[i+1], 10, 64)
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// refused demands a problem with this status and code.
func refused(t testing.TB, resp *http.Response, b []byte, status int, code string) {
	t.Helper()
	var p struct{ Code string }
	if resp.Request.Method != http.MethodHead {
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatalf("%d %q", resp.StatusCode, b)
		}
	}
	if resp.StatusCode != status || p.Code != code && resp.Request.Method != http.MethodHead {
		t.Fatalf("%d %s, want %d %s", resp.StatusCode, b, status, code)
	}
}

// nothingLeft demands that no file, blob or draft is here.
func (f *filesFixture) nothingLeft(t testing.TB) {
	t.Helper()
	list, err := f.box.List(testkit.Context(t), files.Filter{})
	if err != nil || len(list) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	blobs, err := f.blobs.List(testkit.Context(t), [32]byte{}, 10)
	drafts, derr := f.blobs.Drafts(testkit.Context(t))
	if err != nil || derr != nil || len(blobs)+len(drafts) != 0 {
		t.Fatal(len(blobs), len(drafts), err, derr)
	}
}

func TestFileInOneRequest(t *testing.T) {
	f := startFiles(t)
	want := random(9 << 20)
	resp, b := f.do(t, "POST", "files?name=a%20b.csv&channel=t&to=did:a&to=did:b&send=true", bytes.NewReader(want), "Content-Type", "text/csv")
	var up gateway.Uploaded
	if err := json.Unmarshal(b, &up); err != nil || resp.StatusCode != 201 || up.Message == nil || up.File.Size != int64(len(want)) {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	if d := f.sender.sent[0]; d.File != up.File.ID || d.Type != "text/csv" || len(d.To) != 2 {
		t.Fatalf("%+v", d)
	}
	// Of unknown length, and only stored.
	resp, b = f.do(t, "POST", "files", io.MultiReader(bytes.NewReader(want)))
	var other gateway.Uploaded
	if err := json.Unmarshal(b, &other); err != nil || resp.StatusCode != 201 || other.Message != nil || other.File.SHA256 != up.File.SHA256 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	path := "files/" + up.File.ID + "/content"
	resp, b = f.do(t, "GET", path, nil)
	if !bytes.Equal(b, want) || resp.Header.Get("ETag") != `"`+up.File.SHA256+`"` || resp.Header.Get("Content-Type") != "text/csv" ||
		resp.Header.Get("Content-Disposition") != `attachment; filename="a b.csv"` || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
		resp.Header.Get("Cache-Control") != "no-store" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Fatal(resp.Header)
	}
	for r, part := range map[string][]byte{"bytes=0-0": want[:1], "bytes=8388600-8388620": want[8388600:8388621], "bytes=-5": want[len(want)-5:], "bytes=9437000-": want[9437000:]} {
		resp, b = f.do(t, "GET", path, nil, "Range", r)
		if resp.StatusCode != 206 || !bytes.Equal(b, part) {
			t.Fatalf("%s: %d, %d bytes", r, resp.StatusCode, len(b))
		}
	}
	if resp, _ = f.do(t, "GET", path, nil, "Range", "bytes=99999999-"); resp.StatusCode != 416 {
		t.Fatal(resp.StatusCode)
	}
	if resp, b = f.do(t, "GET", path, nil, "Range", "bytes=0-0", "If-Range", `"other"`); resp.StatusCode != 200 || len(b) != len(want) {
		t.Fatal(resp.StatusCode)
	}
	if resp, _ = f.do(t, "HEAD", path, nil); resp.ContentLength != int64(len(want)) {
		t.Fatal(resp.ContentLength)
	}
	c := client.New(f.url, f.admin)
	ok, checks, err := c.VerifyFile(testkit.Context(t), up.File.ID)
	if err != nil || !ok || len(checks) == 0 {
		t.Fatal(ok, checks, err)
	}
	list, nxt, err := c.Files(testkit.Context(t), client.FileFilter{Max: 1})
	if err != nil || len(list) != 1 || nxt == "" || list[0].Direction != files.Stored {
		t.Fatalf("%+v %q %v", list, nxt, err)
	}
	if list, _, err = c.Files(testkit.Context(t), client.FileFilter{Max: 5, Before: nxt}); err != nil || len(list) != 1 || list[0].Direction != files.Out || len(list[0].Messages) != 1 {
		t.Fatalf("%+v %v", list, err)
	}
	for _, id := range []string{up.File.ID, other.File.ID} {
		if err := c.DeleteFile(testkit.Context(t), id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.File(testkit.Context(t), up.File.ID); problem.CodeOf(err) != "file_unknown" {
		t.Fatal(err)
	}
	f.nothingLeft(t)
}

func TestFileRefusals(t *testing.T) {
	f := startFiles(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("x"))
	z.Close()
	meta := func(name, value string) string { return name + " " + base64.StdEncoding.EncodeToString([]byte(value)) }
	tus := []string{"Tus-Resumable", "1.0.0"}
	for name, c := range map[string]struct {
		method, path string
		body         string
		headers      []string
		status       int
		code         string
	}{
		"path as name":      {"POST", "files?name=../../etc/passwd", "x", nil, 422, "name_invalid"},
		"backslash":         {"POST", `files?name=a%5cb`, "x", nil, 422, "name_invalid"},
		"dots":              {"POST", "files?name=..", "x", nil, 422, "name_invalid"},
		"empty name":        {"POST", "files?name=", "x", nil, 422, "name_invalid"},
		"empty":             {"POST", "files?name=a", "", nil, 422, "body_empty"},
		"gzip":              {"POST", "files?name=a", packed.String(), []string{"Content-Encoding", "gzip"}, 415, "content_encoding"},
		"type":              {"POST", "files?name=a", "x", []string{"Content-Type", "nonsense"}, 422, "type_invalid"},
		"channel":           {"POST", "files?channel=u&send=true", "x", nil, 404, "channel_unknown"},
		"no channel":        {"POST", "files?send=true", "x", nil, 422, "draft_invalid"},
		"query":             {"POST", "files?nmae=x", "x", nil, 422, "query_invalid"},
		"send":              {"POST", "files?channel=t&send=perhaps", "x", nil, 422, "query_invalid"},
		"no version":        {"POST", "uploads", "", nil, 412, "tus_version"},
		"tus too large":     {"POST", "uploads", "", append(tus, "Upload-Length", strconv.Itoa(maxFile+1)), 413, "too_large"},
		"tus no length":     {"POST", "uploads", "", tus, 422, "upload_length"},
		"tus negative":      {"POST", "uploads", "", append(tus, "Upload-Length", "-1"), 422, "upload_length"},
		"tus empty":         {"POST", "uploads", "", append(tus, "Upload-Length", "0"), 422, "body_empty"},
		"tus name":          {"POST", "uploads", "", append(tus, "Upload-Length", "1", "Upload-Metadata", meta("filename", "a/../b")), 422, "name_invalid"},
		"tus metadata":      {"POST", "uploads", "", append(tus, "Upload-Length", "1", "Upload-Metadata", "filename %%%"), 422, "upload_metadata"},
		"tus twice":         {"POST", "uploads", "", append(tus, "Upload-Length", "1", "Upload-Metadata", meta("filename", "a")+","+meta("filename", "b")), 422, "upload_metadata"},
		"tus channel":       {"POST", "uploads", "", append(tus, "Upload-Length", "1", "Upload-Metadata", meta("channel", "u")+","+meta("send", "true")), 404, "channel_unknown"},
		"tus encoding":      {"POST", "uploads", "", append(tus, "Upload-Length", "1", "Content-Encoding", "br"), 415, "content_encoding"},
		"tus type":          {"POST", "uploads", "x", append(tus, "Upload-Length", "1", "Content-Type", "text/plain"), 415, "content_type"},
		"patch unknown":     {"PATCH", "uploads/00000000-0000-4000-8000-000000000000", "x", append(tus, "Upload-Offset", "0", "Content-Type", tusType), 404, "upload_unknown"},
		"patch no id":       {"PATCH", "uploads/..%2f..", "x", append(tus, "Upload-Offset", "0", "Content-Type", tusType), 404, "upload_unknown"},
		"head unknown":      {"HEAD", "uploads/00000000-0000-4000-8000-000000000000", "", tus, 404, "upload_unknown"},
		"delete unknown":    {"DELETE", "uploads/00000000-0000-4000-8000-000000000000", "", tus, 404, "upload_unknown"},
		"no override":       {"POST", "uploads/00000000-0000-4000-8000-000000000000", "", tus, 405, "method_not_allowed"},
		"file unknown":      {"GET", "files/00000000-0000-4000-8000-000000000000", "", nil, 404, "file_unknown"},
		"content unknown":   {"GET", "files/00000000-0000-4000-8000-000000000000/content", "", nil, 404, "file_unknown"},
		"content of no id":  {"GET", "files/..%2fx/content", "", nil, 404, "file_unknown"},
		"without key":       {"GET", "files", "", []string{"Authorization", ""}, 401, "key_missing"},
		"receiver uploads":  {"POST", "files?name=a", "x", []string{"Authorization", "Bearer " + f.receive}, 403, "scope_missing"},
		"receiver uploads2": {"POST", "uploads", "", append(tus, "Upload-Length", "1", "Authorization", "Bearer "+f.receive), 403, "scope_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, b := f.do(t, c.method, c.path, strings.NewReader(c.body), c.headers...)
			refused(t, resp, b, c.status, c.code)
			f.nothingLeft(t)
		})
	}
	// Chunked, beyond the limit: found while it comes.
	resp, b := f.do(t, "POST", "files", io.LimitReader(zeros{}, maxFile+1))
	refused(t, resp, b, 413, "too_large")
	f.nothingLeft(t)
	// Said to be beyond the limit: found before it comes.
	resp, b = f.do(t, "POST", "files", io.LimitReader(zeros{}, maxFile+1), "Content-Length", strconv.Itoa(maxFile+1))
	refused(t, resp, b, 413, "too_large")
	f.nothingLeft(t)
	// Refused by the topic's schema once complete.
	f.sender.err = &schema.Error{Code: schema.CodeSchema, Message: "no"}
	resp, b = f.do(t, "POST", "files?channel=t&send=true", strings.NewReader("x"))
	refused(t, resp, b, 422, "schema")
	f.nothingLeft(t)
	// Not sent now: whoever was told so sends it again, so that this one must not
	// go out after a start.
	f.sender.err = gateway.OutboxFull()
	resp, b = f.do(t, "POST", "files?channel=t&send=true", strings.NewReader("x"))
	refused(t, resp, b, 429, "outbox_full")
	f.nothingLeft(t)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestScopesOfFiles(t *testing.T) {
	f := startFiles(t)
	_, b := f.do(t, "POST", "files?name=a", strings.NewReader("x"))
	var up gateway.Uploaded
	if err := json.Unmarshal(b, &up); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"files/" + up.File.ID, "files/" + up.File.ID + "/content", "files/" + up.File.ID + "/verify", "files?direction=out", "files"} {
		resp, b := f.do(t, "GET", path, nil, "Authorization", "Bearer "+f.receive)
		refused(t, resp, b, 403, "scope_missing")
	}
	if resp, b := f.do(t, "GET", "files/"+up.File.ID, nil, "Authorization", "Bearer "+f.send); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
}

// flaky is a proxy that breaks connections after some bytes.
type flaky struct {
	*httptest.Server
	left  atomic.Int64
	again int64
}

type leaky struct {
	io.ReadCloser
	f *flaky
}

func (l leaky) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.f.left.Add(-int64(n)) < 0 {
		l.f.left.Store(l.f.again)
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func newFlaky(t *testing.T, to string, every int64) *flaky {
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{again: every}
	f.left.Store(every)
	p := httputil.NewSingleHostReverseProxy(u)
	p.ErrorLog = log.New(io.Discard, "", 0)
	p.Transport = &http.Transport{DisableKeepAlives: true}
	p.ModifyResponse = func(r *http.Response) error {
		r.Body = leaky{r.Body, f}
		return nil
	}
	p.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) }
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = leaky{r.Body, f}
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// TestClientResumes uploads and downloads over a connection that breaks every
// few megabytes.
func TestClientResumes(t *testing.T) {
	f := startFiles(t)
	want := random(23 << 20)
	proxy := newFlaky(t, f.url, 5<<20)
	c := client.New(proxy.URL, f.admin)
	var most atomic.Int64
	file, sent, err := c.Upload(testkit.Context(t), bytes.NewReader(want), int64(len(want)), client.UploadOptions{
		Name: "big.bin", Channel: "t", Send: true, Progress: func(n, _ int64) { most.Store(n) }})
	sum := sha256.Sum256(want)
	if err != nil || sent == nil || file.SHA256 != hex.EncodeToString(sum[:]) || file.Name != "big.bin" || most.Load() != int64(len(want)) {
		t.Fatalf("%+v %+v %v", file, sent, err)
	}
	if len(f.sender.sent) != 1 {
		t.Fatalf("sent %d times", len(f.sender.sent))
	}
	got := &memory{b: make([]byte, len(want))}
	if _, err := c.Download(testkit.Context(t), file.ID, got, client.DownloadOptions{}); err != nil || !bytes.Equal(got.b, want) {
		t.Fatal(err)
	}
	// From the middle, with the hash of what is there.
	half := sha256.New()
	half.Write(want[:7<<20])
	got = &memory{b: bytes.Clone(want[:7<<20])}
	got.b = append(got.b, make([]byte, 16<<20)...)
	if _, err := c.Download(testkit.Context(t), file.ID, got, client.DownloadOptions{From: 7 << 20, Hash: half}); err != nil || !bytes.Equal(got.b, want) {
		t.Fatal(err)
	}
	_, err = c.Download(testkit.Context(t), file.ID, got, client.DownloadOptions{From: 7 << 20, Hash: sha256.New()})
	if problem.CodeOf(err) != "content_hash" {
		t.Fatal(err)
	}
	// An upload that is over is begun anew; one of another process goes on.
	small := random(100)
	began := ""
	o := client.UploadOptions{Resume: "00000000-0000-4000-8000-000000000000", Began: func(id string) { began = id }}
	if _, _, err := c.Upload(testkit.Context(t), bytes.NewReader(small), 100, o); err != nil || began == "" {
		t.Fatal(err)
	}
	o = client.UploadOptions{Resume: began, Began: func(string) { t.Error("begun again") }}
	if _, _, err := c.Upload(testkit.Context(t), bytes.NewReader(small), 100, o); err != nil {
		t.Fatal(err)
	}
	_, _, err = c.PostFile(testkit.Context(t), bytes.NewReader(nil), client.UploadOptions{Name: "a/b"})
	if problem.CodeOf(err) != "name_invalid" {
		t.Fatal(err)
	}
}

type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) { return copy(m.b[off:], p), nil }

// TestTusTakesOver has a client come back while the gateway still holds its
// old connection.
func TestTusTakesOver(t *testing.T) {
	f := startFiles(t)
	want := random(3 << 20)
	tus := []string{"Tus-Resumable", "1.0.0"}
	resp, b := f.do(t, "POST", "uploads", nil, append(tus, "Upload-Length", strconv.Itoa(len(want)))...)
	if resp.StatusCode != 201 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	path := strings.TrimPrefix(resp.Header.Get("Location"), "/api/v1/")
	r, w := io.Pipe()
	defer w.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		req, _ := http.NewRequest("PATCH", f.url+"/api/v1/"+path, r)
		for i, v := range append(tus, "Upload-Offset", "0", "Content-Type", tusType, "Authorization", "Bearer "+f.admin) {
			if i%2 == 0 {
				req.Header.Set(v, append(tus, "Upload-Offset", "0", "Content-Type", tusType, "Authorization", "Bearer "+f.admin)[i+1])
			}
		}
		if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
			resp.Body.Close()
		}
	}()
	if _, err := w.Write(want[:1<<20]); err != nil {
		t.Fatal(err)
	}
	resp, _ = f.do(t, "HEAD", path, nil, tus...)
	at, err := strconv.Atoi(resp.Header.Get("Upload-Offset"))
	if err != nil || at < 0 || at > 1<<20 || resp.Header.Get("Upload-Length") != strconv.Itoa(len(want)) {
		t.Fatal(resp.Header)
	}
	w.CloseWithError(io.ErrUnexpectedEOF)
	<-ended
	// A client without PATCH. The request that was taken over may reach the
	// gateway only now: then the upload stands elsewhere, or is busy, and the
	// client asks again, as the protocol has it.
	for {
		resp, b = f.do(t, "POST", path, bytes.NewReader(want[at:]), append(tus, "X-HTTP-Method-Override", "PATCH", "Upload-Offset", strconv.Itoa(at), "Content-Type", tusType)...)
		if resp.StatusCode != 409 && resp.StatusCode != 423 {
			break
		}
		head, _ := f.do(t, "HEAD", path, nil, tus...)
		if at, err = strconv.Atoi(head.Header.Get("Upload-Offset")); err != nil {
			t.Fatal(head.Header)
		}
	}
	if resp.StatusCode != 204 || resp.Header.Get("Spine-File") == "" || resp.Header.Get("Upload-Offset") != strconv.Itoa(len(want)) {
		t.Fatalf("%d %s %v", resp.StatusCode, b, resp.Header)
	}
	_, got := f.do(t, "GET", "files/"+resp.Header.Get("Spine-File")+"/content", nil)
	if !bytes.Equal(got, want) {
		t.Fatal("other content")
	}
	resp, b = f.do(t, "PATCH", path, bytes.NewReader(want), append(tus, "Upload-Offset", "5", "Content-Type", tusType)...)
	refused(t, resp, b, 409, "upload_offset")
	if resp, _ = f.do(t, "OPTIONS", "uploads", nil, "Authorization", ""); resp.StatusCode != 204 || resp.Header.Get("Tus-Max-Size") != strconv.Itoa(maxFile) {
		t.Fatal(resp.StatusCode, resp.Header)
	}
	if resp, b = f.do(t, "DELETE", path, nil, tus...); resp.StatusCode != 204 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	f.nothingLeft(t)
}

func FuzzUploadMetadata(f *testing.F) {
	f.Add("filename d29ybGQ=,filetype dGV4dC9jc3Y=,send dHJ1ZQ==")
	f.Add(",, ,")
	f.Add("a b c")
	f.Add("to ZGlkOmE=,to ZGlkOmI=")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseMetadata([]string{text})
		if err == nil && n == nil {
			t.Fatal("nothing")
		}
		if err != nil && problem.From(err).Status >= 500 {
			t.Fatal(err)
		}
	})
}

func FuzzTusNumber(f *testing.F) {
	for _, s := range []string{"0", "-1", "+1", "9223372036854775807", "9223372036854775808", " 1", "1e3", "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := tusNumber(s); ok && (n < 0 || strings.Trim(s, "0123456789") != "") {
			t.Fatal(s, n)
		}
	})
}

func FuzzFileRange(f *testing.F) {
	x := startFiles(f)
	want := random(40_000)
	_, b := x.do(f, "POST", "files?name=a", bytes.NewReader(want))
	var up gateway.Uploaded
	if err := json.Unmarshal(b, &up); err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"bytes=0-0", "bytes=-1", "bytes=39999-", "bytes=1-0", "bytes=0-1,5-9", "bytes=99999999999999999999-", "lines=1-2", "bytes=16380-16390"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/files/"+up.File.ID+"/content", nil)
		r.Header.Set("Authorization", "Bearer "+x.admin)
		r.Header.Set("Range", header)
		w := httptest.NewRecorder()
		x.api.Router.ServeHTTP(w, r)
		switch w.Code {
		case 200:
			if !bytes.Equal(w.Body.Bytes(), want) {
				t.Fatal("other content")
			}
		case 206:
			var from, to int
			cr := w.Header().Get("Content-Range")
			if cr == "" { // several ranges
				return
			}
			span, _, _ := strings.Cut(strings.TrimPrefix(cr, "bytes "), "/")
			a, z, _ := strings.Cut(span, "-")
			from, _ = strconv.Atoi(a)
			to, _ = strconv.Atoi(z)
			if !bytes.Equal(w.Body.Bytes(), want[from:to+1]) {
				t.Fatal("other content")
			}
		case 416:
		default:
			t.Fatal(w.Code, header)
		}
	})
}
