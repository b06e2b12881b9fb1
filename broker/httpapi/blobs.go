package httpapi

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// Blobs stream: their bodies are never held, so that they are served beside the
// framework, which reads bodies whole; it describes them.

// Errors of uploads that HTTP alone knows.
var (
	errEncoding = problem.New(http.StatusUnsupportedMediaType, "content_encoding", "an upload is taken as it is, without a content encoding").WithHint("send the bytes whose hash is in the path")
	errLength   = problem.New(http.StatusLengthRequired, "length_required", "an upload says its length").WithHint("send Content-Length")
)

// HaveBody asks which blobs are here.
type HaveBody struct {
	Hashes []string `json:"hashes" maxItems:"8192" doc:"64 lower-case hexadecimal digits each"`
	Until  int64    `json:"until" doc:"keep those that are here until then, ms since 1970; at most now + twice the retention + 24 h"`
}

// MissingBody lists blobs that are not here.
type MissingBody struct {
	Missing []string `json:"missing" doc:"those of the hashes that are not here"`
}

// ShareBody is what the caller has of the store.
type ShareBody struct {
	Bytes int64 `json:"bytes" doc:"what the caller has kept at present"`
	Quota int64 `json:"quota" doc:"what it may have kept"`
}

func (a *api) blobs(s *httpkit.Server) {
	const path = "/api/v1/blobs/{hash}"
	s.Router.Put(path, take(a.putBlob))
	s.Router.Get(path, serve(a.getBlob))
	s.Router.Head(path, serve(a.getBlob))
	s.Router.Put("/api/v1/admin/blobs/{hash}", take(a.overwriteBlob))
	a.describeBlobs(s.API)
	a.operatorBlobs(s.API)

	type haveIn struct {
		Auth
		Body HaveBody
	}
	huma.Register(s.API, secured(op("have-blobs", http.MethodPost, "blobs/have", "Ask which of many blobs are missing here; those that are here are kept for the caller", "blobs")),
		func(ctx context.Context, i *haveIn) (*body[MissingBody], error) {
			s, err := a.session(i.Auth)
			if err != nil {
				return nil, err
			}
			hashes, err := parseHashes(i.Body.Hashes)
			if err != nil {
				return nil, err
			}
			missing, err := a.b.HaveBlobs(ctx, s, hashes, i.Body.Until)
			if err != nil {
				return nil, err
			}
			out := MissingBody{Missing: make([]string, 0, len(missing))}
			for _, h := range missing {
				out.Missing = append(out.Missing, blob.FormatHash(h))
			}
			return &body[MissingBody]{out}, nil
		})
	huma.Register(s.API, secured(op("blob-share", http.MethodGet, "blobs", "What the caller has kept in the store, and may have", "blobs")),
		func(ctx context.Context, i *Auth) (*body[ShareBody], error) {
			s, err := a.session(*i)
			if err != nil {
				return nil, err
			}
			used, quota, err := a.b.BlobShare(ctx, s)
			return &body[ShareBody]{ShareBody{used, quota}}, err
		})
}

func parseHashes(list []string) ([]blob.Hash, error) {
	if len(list) > broker.MaxHave {
		return nil, problem.New(http.StatusUnprocessableEntity, "too_many", "too many hashes at once").With("limit", broker.MaxHave)
	}
	out := make([]blob.Hash, 0, len(list))
	for _, text := range list {
		h, err := blob.ParseHash(text)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

// handler is a handler of the blob in the path.
type handler func(http.ResponseWriter, *http.Request, blob.Hash) error

// serve gives a handler the blob of the path, and answers with its error.
func serve(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		hash, err := blob.ParseHash(chi.URLParam(r, "hash"))
		if err == nil {
			err = h(w, r, hash)
		}
		if err != nil {
			httpkit.WriteProblem(w, r, err)
		}
	}
}

// take is serve for an upload, which may be answered before it was read.
func take(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		httpkit.AllowBody(w, r, broker.MaxBlob)
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // see readWithin
		body := &upstream{ReadCloser: r.Body, ended: r.ContentLength == 0}
		r.Body = body
		answer := &answer{ResponseWriter: w, status: http.StatusOK}
		serve(h)(answer, r)
		answer.send()
		if !body.ended {
			linger(w, body)
		}
	}
}

// upload checks what a body says of itself.
func upload(w http.ResponseWriter, r *http.Request) error {
	switch {
	case r.Header.Get("Content-Encoding") != "":
		return errEncoding
	case r.ContentLength < 0:
		return errLength
	case r.ContentLength > broker.MaxBlob:
		// Some of it is read, for clients that read the answer last.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerFor))
		return broker.ErrBlobLarge
	}
	return nil
}

func (a *api) putBlob(w http.ResponseWriter, r *http.Request, h blob.Hash) error {
	s, err := a.b.Session(httpkit.Bearer(r))
	if err != nil {
		return err
	}
	if err := upload(w, r); err != nil {
		return err
	}
	until, err := parseUntil(r.URL.Query().Get("until"))
	if err != nil {
		return err
	}
	body, stop := readWithin(a.clock, w, r.Body)
	defer stop()
	created, err := a.b.PutBlob(r.Context(), s, h, r.ContentLength, until, body)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	httpkit.WriteJSON(w, status, empty{})
	return nil
}

// getBlob serves GET and HEAD.
func (a *api) getBlob(w http.ResponseWriter, r *http.Request, h blob.Hash) error {
	s, err := a.b.Session(httpkit.Bearer(r))
	if err != nil {
		return err
	}
	size, err := a.b.StatBlob(r.Context(), h)
	if err != nil {
		return err
	}
	etag := `"` + blob.FormatHash(h) + `"`
	header := w.Header()
	header.Set("ETag", etag)
	header.Set("Accept-Ranges", "bytes")
	asked := r.Header.Get("Range")
	if cond := r.Header.Get("If-Range"); cond != "" && cond != etag {
		asked = ""
	}
	rng, part, err := parseRange(asked, size)
	if err != nil {
		header.Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		return err
	}
	var body io.ReadCloser
	if r.Method != http.MethodHead {
		if body, err = a.b.OpenBlob(r.Context(), s, h, rng.offset, rng.length); err != nil {
			return err
		}
		defer body.Close()
	}
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Length", strconv.FormatInt(rng.length, 10))
	status := http.StatusOK
	if part {
		header.Set("Content-Range", rng.contentRange())
		status = http.StatusPartialContent
	}
	w.WriteHeader(status)
	if body == nil {
		return nil
	}
	to, stop := writeWithin(a.clock, w)
	defer stop()
	// Too late to answer with an error: a caller that left, or was cut.
	_, _ = io.Copy(to, body)
	return nil
}

// describeBlobs puts the streamed operations into the OpenAPI document.
func (a *api) describeBlobs(api huma.API) {
	doc := api.OpenAPI()
	bytes := map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}
	refused := &huma.Response{Description: "a problem, with a stable code and a hint", Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: doc.Components.Schemas.Schema(reflect.TypeFor[httpkit.Problem](), true, "")}}}
	param := func(name, in, typ, text string) *huma.Param {
		return &huma.Param{Name: name, In: in, Description: text, Required: in == "path" || name == "until", Schema: &huma.Schema{Type: typ}}
	}
	hash := param("hash", "path", "string", "SHA-256 of the bytes, 64 lower-case hexadecimal digits")
	rng := param("Range", "header", "string", "one range of bytes, RFC 9110 section 14.2")
	add := func(method, path, id, tag, summary, text string, body bool, answers map[string]*huma.Response, params ...*huma.Param) {
		o := secured(op(id, method, path, summary, tag))
		o.Description, o.Parameters, o.Responses = text, append([]*huma.Param{hash}, params...), answers
		o.Responses["default"] = refused
		if body {
			o.RequestBody = &huma.RequestBody{Required: true, Content: bytes}
		}
		doc.AddOperation(&o)
	}
	said := func(text string) *huma.Response { return &huma.Response{Description: text} }
	add(http.MethodPut, "blobs/{hash}", "put-blob", "blobs", "Store a blob under its hash",
		"The body is streamed; its length must be given, and no content encoding. A refused or broken upload leaves nothing behind. What is here already is checked and kept for the caller, and the body need not be sent: expect 100-continue.",
		true, map[string]*huma.Response{"200": said("it was here, and is kept until then"), "201": said("stored")},
		param("until", "query", "integer", "keep it until then, ms since 1970; at most now + twice the retention + 24 h. The latest of all uploaders counts."))
	add(http.MethodGet, "blobs/{hash}", "get-blob", "blobs", "Read a blob or a range of it",
		"Whoever logged in and knows the hash may read. Nothing is promised about the bytes: whoever reads them hashes them.",
		false, map[string]*huma.Response{"200": {Description: "the whole", Content: bytes}, "206": {Description: "a range of it", Content: bytes}}, rng)
	add(http.MethodHead, "blobs/{hash}", "head-blob", "blobs", "Ask for a blob's size", "As reading it, without the bytes.",
		false, map[string]*huma.Response{"200": said("Content-Length is its size"), "206": said("a range of it")}, rng)
	add(http.MethodPut, "admin/blobs/{hash}", "admin-overwrite-blob", "admin", "Put any bytes where a blob is",
		"What anybody with access to the disk can do: recipients detect it by the hash. The body may have any length.",
		true, map[string]*huma.Response{"200": said("replaced")})
}
