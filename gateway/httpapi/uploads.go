package httpapi

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/problem"
)

// The resumable upload protocol tus 1.0 (https://tus.io/protocols/resumable-upload).
const (
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,termination,expiration"
	tusType       = "application/offset+octet-stream"
	maxMetadata   = 24 << 10 // bytes of Upload-Metadata
)

var (
	errTusVersion  = problem.New(http.StatusPreconditionFailed, "tus_version", "this is not a version of tus that is known here").WithHint("send Tus-Resumable: 1.0.0")
	errTusType     = problem.New(http.StatusUnsupportedMediaType, "content_type", "an upload's content comes as "+tusType)
	errMetadata    = problem.New(http.StatusUnprocessableEntity, "upload_metadata", "Upload-Metadata is not as it should be").WithHint("pairs of a name and a value in base64, joined by commas; names are filename, filetype, channel, to (again for several, or joined by blanks) and send")
	errNoLength    = problem.New(http.StatusUnprocessableEntity, "upload_length", "Upload-Length is missing or no number").WithHint("say how many bytes the file has")
	errNoOffset    = problem.New(http.StatusBadRequest, "upload_offset", "Upload-Offset is missing or no number").WithHint("ask for the offset with HEAD")
	errOverride    = problem.New(http.StatusMethodNotAllowed, "method_not_allowed", "this path does not take this method").WithHint("see /openapi.json")
	errUploadQuery = queryInvalid("", "an upload has no query: what is said about it goes into Upload-Metadata")
)

func (a *api) uploadPaths() {
	r := a.Router
	r.Options("/api/v1/uploads", a.tusOptions)
	r.Options("/api/v1/uploads/{id}", a.tusOptions)
	r.Post("/api/v1/uploads", a.tus(a.tusCreate))
	r.Head("/api/v1/uploads/{id}", a.tus(a.tusHead))
	r.Patch("/api/v1/uploads/{id}", a.tus(a.tusPatch))
	r.Delete("/api/v1/uploads/{id}", a.tus(a.tusDelete))
	// For clients behind something that knows no PATCH.
	r.Post("/api/v1/uploads/{id}", a.tus(func(w http.ResponseWriter, r *http.Request) error {
		switch r.Header.Get("X-HTTP-Method-Override") {
		case http.MethodPatch:
			return a.tusPatch(w, r)
		case http.MethodDelete:
			return a.tusDelete(w, r)
		}
		return errOverride
	}))
}

func (a *api) tusOptions(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Tus-Resumable", tusVersion)
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", tusExtensions)
	if a.Files != nil {
		h.Set("Tus-Max-Size", strconv.FormatInt(a.Files.Max(), 10))
	}
	w.WriteHeader(http.StatusNoContent)
}

// tus runs a handler for callers of the protocol's version.
func (a *api) tus(h func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return a.guard(access.Send, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Tus-Resumable", tusVersion)
		switch {
		case a.Files == nil:
			return errNoFiles
		case r.Header.Get("Tus-Resumable") != tusVersion:
			w.Header().Set("Tus-Version", tusVersion)
			return errTusVersion
		case r.URL.RawQuery != "":
			return errUploadQuery
		}
		return h(w, r)
	})
}

func (a *api) tusCreate(w http.ResponseWriter, r *http.Request) error {
	if err := plainBody(r); err != nil {
		return err
	}
	n, err := parseMetadata(r.Header.Values("Upload-Metadata"))
	if err != nil {
		return err
	}
	var ok bool
	if n.Size, ok = tusNumber(r.Header.Get("Upload-Length")); !ok {
		return errNoLength
	}
	if err := a.checkSend(n); err != nil {
		return err
	}
	content := r.Header.Get("Content-Type") == tusType
	if !content && r.ContentLength != 0 {
		return errTusType
	}
	u, err := a.Files.Begin(r.Context(), *n)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/uploads/"+u.ID)
	if content {
		in := a.incoming(w, r)
		more, err := a.Files.Append(r.Context(), u.ID, 0, in)
		in.end()
		if err != nil {
			return incomplete(err) // what came is kept: Location says where it goes on
		}
		u = more
	}
	tusState(w, u)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// tusState tells where an upload stands.
func tusState(w http.ResponseWriter, u *files.Upload) {
	h := w.Header()
	h.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	if !u.Done {
		h.Set("Upload-Expires", time.UnixMilli(u.Expires).UTC().Format(http.TimeFormat))
		return
	}
	h.Set("Spine-File", u.ID)
	if u.Sent != nil {
		h.Set("Spine-Message", u.Sent.ID)
		h.Set("Spine-Message-State", string(u.Sent.State))
	}
}

// uploadID returns the id in the path.
func uploadID(r *http.Request) (string, error) {
	id := strings.ToLower(chi.URLParam(r, "id"))
	if !gateway.ValidID(id) {
		return "", files.ErrUploadUnknown
	}
	return id, nil
}

func (a *api) tusHead(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	// Whoever asks has lost its connection: what that one still brings is
	// waited for, so that the answer holds.
	if err := a.Files.Interrupt(r.Context(), id); err != nil {
		return err
	}
	u, err := a.Files.Upload(r.Context(), id)
	if err != nil {
		return err
	}
	tusState(w, u)
	w.Header().Set("Upload-Length", strconv.FormatInt(u.Size, 10))
	w.WriteHeader(http.StatusOK)
	return nil
}

func (a *api) tusPatch(w http.ResponseWriter, r *http.Request) error {
	if err := plainBody(r); err != nil {
		return err
	}
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	if r.Header.Get("Content-Type") != tusType {
		return errTusType
	}
	offset, ok := tusNumber(r.Header.Get("Upload-Offset"))
	if !ok {
		return errNoOffset
	}
	in := a.incoming(w, r)
	u, err := a.Files.Append(r.Context(), id, offset, in)
	in.end()
	if u != nil {
		tusState(w, u)
	}
	if err != nil {
		return incomplete(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) tusDelete(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	if _, err := a.Files.Upload(r.Context(), id); err != nil {
		return err
	}
	if err := a.Files.Remove(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tusNumber reads a number of bytes: digits, without sign.
func tusNumber(s string) (int64, bool) {
	if s == "" || len(s) > 19 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// parseMetadata reads Upload-Metadata: pairs "name base64", joined by commas.
// Names that are not known are left alone, as clients send their own.
func parseMetadata(headers []string) (*files.New, error) {
	n := &files.New{}
	text := strings.Join(headers, ",")
	if len(text) > maxMetadata {
		return nil, errMetadata
	}
	seen := make(map[string]bool)
	for pair := range strings.SplitSeq(text, ",") {
		name, coded, _ := strings.Cut(strings.Trim(pair, " "), " ")
		if name == "" {
			if coded != "" {
				return nil, errMetadata
			}
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(strings.Trim(coded, " "))
		if err != nil || !utf8.Valid(raw) {
			return nil, errMetadata
		}
		if seen[name] && name != "to" {
			return nil, errMetadata
		}
		seen[name] = true
		value := string(raw)
		switch name {
		case "filename", "name":
			if n.Name = value; value == "" {
				return nil, files.ErrName
			}
		case "filetype", "type":
			n.Type = value
		case "channel":
			n.Channel = value
		case "to":
			n.To = append(n.To, strings.Fields(value)...)
		case "send":
			if n.Send, err = strconv.ParseBool(value); err != nil {
				return nil, errMetadata
			}
		}
	}
	return n, nil
}
