package httpapi

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// errNoFiles says that this gateway was set up without files.
var errNoFiles = problem.New(http.StatusNotImplemented, "files_unavailable", "this gateway has no store for files")

// errEncoding refuses bodies that are not what they will be.
var errEncoding = problem.New(http.StatusUnsupportedMediaType, "content_encoding", "the content comes in a content encoding").
	WithHint("send it as it is; what is compressed is a file of its own type")

// fileScope is what a caller needs to see or delete a file of a direction.
func fileScope(direction string) access.Scope {
	if direction == files.In {
		return access.Receive
	}
	return access.Send
}

type filePage struct {
	Files []files.Entry `json:"files"`
	Next  string        `json:"next" doc:"pass it as before to go on; empty at the end"`
}

type verdict struct {
	OK     bool            `json:"ok" doc:"whether every check is good"`
	Checks []gateway.Check `json:"checks"`
}

// filePaths registers files, their content and uploads.
func (a *api) filePaths() {
	if a.Files != nil {
		a.Sender = noting{a.Sender, a.Files}
	}
	const scopes = "Needs the scope receive for received files, send for others."
	list := a.operation("", http.MethodGet, "files", "list-files", "Files at this gateway, newest first")
	list.Description = scopes
	register(a, list, a.listFiles)
	get := a.operation("", http.MethodGet, "files/{id}", "get-file", "A file, its state and progress")
	get.Description = scopes
	register(a, get, func(ctx context.Context, in *fileID) (*body[files.Entry], error) {
		e, err := a.file(ctx, in.ID)
		return answer(e, err)
	})
	verify := a.operation("", http.MethodGet, "files/{id}/verify", "verify-file", "Read a file again and check all of it")
	verify.Description = "Hash list, every part, the hash of the content. " + scopes
	register(a, verify, func(ctx context.Context, in *fileID) (*body[verdict], error) {
		e, err := a.file(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		checks, err := a.Files.Verify(ctx, e.ID)
		if err != nil {
			return nil, err
		}
		bad := slices.ContainsFunc(checks, func(c gateway.Check) bool { return c.Result != "ok" })
		return &body[verdict]{verdict{OK: !bad, Checks: checks}}, nil
	})
	del := a.operation("", http.MethodDelete, "files/{id}", "delete-file", "Delete a file")
	del.Description = "Code file_in_use while messages that carry it are under way. " + scopes
	del.DefaultStatus = http.StatusNoContent
	register(a, del, func(ctx context.Context, in *fileID) (*struct{}, error) {
		e, err := a.file(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return nil, a.Files.Remove(ctx, e.ID)
	})
	a.Router.Post("/api/v1/files", a.guard(access.Send, a.postFile))
	a.Router.Get("/api/v1/files/{id}/content", a.guard("", a.content))
	a.Router.Head("/api/v1/files/{id}/content", a.guard("", a.content))
	a.uploadPaths()
	a.describeFiles()
}

type fileID struct {
	ID string `path:"id" maxLength:"64" doc:"the file's id"`
}

func (a *api) listFiles(ctx context.Context, in *struct {
	Direction string `query:"direction" enum:"in,out,stored" doc:"only these; default all"`
	Before    string `query:"before" maxLength:"64" doc:"the next of an earlier answer"`
	Max       int    `query:"max" minimum:"0" maximum:"200" doc:"at most this many, default 50"`
}) (*body[filePage], error) {
	if a.Files == nil {
		return nil, errNoFiles
	}
	directions := []string{files.In, files.Out, files.Stored}
	if in.Direction != "" {
		directions = []string{in.Direction}
	}
	for _, d := range directions {
		if s := fileScope(d); !callerOf(ctx).may(s) {
			return nil, access.ErrScope.With("scope", s)
		}
	}
	max := in.Max
	if max == 0 {
		max = 50
	}
	l, err := a.Files.List(ctx, files.Filter{Direction: in.Direction, Before: in.Before, Max: max})
	if err != nil {
		return nil, err
	}
	page := filePage{Files: l}
	if len(l) == max {
		page.Next = l[len(l)-1].Cursor
	}
	return &body[filePage]{page}, nil
}

// file returns a file that the caller may see.
func (a *api) file(ctx context.Context, id string) (*files.Entry, error) {
	if a.Files == nil {
		return nil, errNoFiles
	}
	if id = strings.ToLower(id); !gateway.ValidID(id) {
		return nil, files.ErrUnknown
	}
	e, err := a.Files.Entry(ctx, id)
	if err != nil {
		return nil, err
	}
	if s := fileScope(e.Direction); !callerOf(ctx).may(s) {
		return nil, access.ErrScope.With("scope", s)
	}
	return e, nil
}

// postFile takes a file in one request, and sends it where that is asked for.
func (a *api) postFile(w http.ResponseWriter, r *http.Request) error {
	n, err := a.newFile(r)
	if err != nil {
		return err
	}
	up, err := a.Files.Begin(r.Context(), *n)
	if err != nil {
		return err
	}
	in := a.incoming(w, r)
	done, err := a.Files.Append(r.Context(), up.ID, 0, in)
	in.end()
	if err == nil && n.Size < 0 {
		done, err = a.Files.Finish(r.Context(), up.ID)
	}
	if err == nil && !done.Done {
		err = incomplete(io.ErrUnexpectedEOF)
	}
	if err != nil {
		// One request: what it did not complete is of no use to anybody.
		if rerr := a.Files.Abandon(context.WithoutCancel(r.Context()), up.ID); rerr != nil && problem.CodeOf(rerr) != files.CodeFileUnknown {
			a.Log.Warn("an upload that failed could not be deleted", "err", rerr)
		}
		return incomplete(err)
	}
	f, err := a.Files.Info(r.Context(), up.ID)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/files/"+up.ID)
	httpkit.WriteJSON(w, http.StatusCreated, gateway.Uploaded{File: *f, Message: done.Sent})
	return nil
}

// newFile reads what the query and headers of POST files say.
func (a *api) newFile(r *http.Request) (*files.New, error) {
	if a.Files == nil {
		return nil, errNoFiles
	}
	if err := plainBody(r); err != nil {
		return nil, err
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, queryInvalid("", "the query is not one")
	}
	n := &files.New{Type: r.Header.Get("Content-Type"), Size: r.ContentLength}
	for name, values := range q {
		switch name {
		case "name":
			n.Name = values[0]
			if n.Name == "" {
				return nil, files.ErrName
			}
		case "channel":
			n.Channel = values[0]
		case "to":
			n.To = values
		case "send":
			if n.Send, err = strconv.ParseBool(values[0]); err != nil {
				return nil, queryInvalid(name, "send is true or false")
			}
		default:
			return nil, queryInvalid("", "members of the query are channel, to, name and send")
		}
	}
	return n, a.checkSend(n)
}

// checkSend refuses before the content comes what could not be sent after it.
func (a *api) checkSend(n *files.New) error {
	if n.Channel == "" && !n.Send {
		return nil
	}
	d := gateway.Draft{Channel: n.Channel, To: n.To, File: "00000000-0000-4000-8000-000000000000", Type: n.Type}
	if err := d.Validate(); err != nil {
		return err
	}
	c, err := a.Channels.Channel(n.Channel)
	if err == nil && c.Send == nil {
		err = gateway.NotSending(n.Channel)
	}
	return err
}

func queryInvalid(member, message string) error {
	return problem.New(http.StatusUnprocessableEntity, "query_invalid", message).With("member", member)
}

// plainBody refuses a body in a content encoding.
func plainBody(r *http.Request) error {
	for _, v := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(v), "identity") {
			return errEncoding
		}
	}
	return nil
}

// incomplete gives the end of a connection a code of its own.
func incomplete(err error) error {
	if problem.CodeOf(err) == "internal" && (err == io.ErrUnexpectedEOF || strings.Contains(err.Error(), "EOF") || isTimeout(err)) {
		return problem.New(http.StatusBadRequest, "body_incomplete", "the request's body broke off").Wrap(err)
	}
	return err
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}

// stalledAfter is how long a body may bring no byte, and a reader take none.
const stalledAfter = time.Minute

// incoming is a request's body of any length that ends when it stands still,
// or when another request takes its place.
type incoming struct {
	r     *http.Request
	rc    *http.ResponseController
	mu    sync.Mutex
	ended bool
	over  bool
}

func (a *api) incoming(w http.ResponseWriter, r *http.Request) *incoming {
	httpkit.AllowBody(w, r, 1<<62)
	return &incoming{r: r, rc: http.NewResponseController(w)}
}

// Read implements io.Reader.
func (b *incoming) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.over {
		b.mu.Unlock()
		return 0, files.ErrBusy
	}
	_ = b.rc.SetReadDeadline(time.Now().Add(stalledAfter)) // not every writer has deadlines
	b.mu.Unlock()
	return b.r.Body.Read(p)
}

// Interrupt implements files.Interrupter.
func (b *incoming) Interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over = true; !b.ended {
		_ = b.rc.SetReadDeadline(time.Unix(1, 0))
	}
}

// end leaves the connection to the requests that follow.
func (b *incoming) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended = true; !b.over {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
}

// content hands a file out, whole or in ranges.
func (a *api) content(w http.ResponseWriter, r *http.Request) error {
	e, err := a.file(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	c, err := a.Files.Open(r.Context(), e.ID)
	if err != nil {
		return err
	}
	defer c.Close()
	h := w.Header()
	h.Set("ETag", `"`+c.File.SHA256+`"`)
	h.Set("Content-Type", c.File.Type)
	// Whatever the content is, no browser shows it as a page of this gateway.
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", disposition(c.File.Name))
	out := &outgoing{c: c, rc: http.NewResponseController(w)}
	http.ServeContent(&problemWriter{ResponseWriter: w, r: r}, r, "", time.Time{}, out)
	_ = out.rc.SetWriteDeadline(time.Time{})
	if out.err != nil && r.Context().Err() == nil {
		a.Log.Error("a file could not be read to its end", "request", httpkit.RequestID(r.Context()), "file", e.ID, "code", problem.CodeOf(out.err))
		panic(http.ErrAbortHandler) // the caller must not take it for whole
	}
	return nil
}

// disposition has a browser save the content, under its name.
func disposition(name string) string {
	if name != "" {
		if v := mime.FormatMediaType("attachment", map[string]string{"filename": name}); v != "" {
			return v
		}
	}
	return "attachment"
}

// outgoing is content for a reader that must not stand still.
type outgoing struct {
	c   *files.Content
	rc  *http.ResponseController
	err error
}

// Read implements io.Reader.
func (o *outgoing) Read(p []byte) (int, error) {
	_ = o.rc.SetWriteDeadline(time.Now().Add(stalledAfter))
	n, err := o.c.Read(p)
	if err != nil && err != io.EOF {
		o.err = err
	}
	return n, err
}

// Seek implements io.Seeker.
func (o *outgoing) Seek(offset int64, whence int) (int64, error) { return o.c.Seek(offset, whence) }

// noting is a Sender that tells the files which messages carry them.
type noting struct {
	gateway.Sender
	files *files.Box
}

// Send implements gateway.Sender.
func (n noting) Send(ctx context.Context, drafts []gateway.Draft) ([]gateway.Accepted, []error) {
	accepted, errs := n.Sender.Send(ctx, drafts)
	for i := range drafts {
		if drafts[i].File == "" || errs[i] != nil {
			continue
		}
		// The message is accepted; a note that fails is missing in a list only.
		_ = n.files.Sent(context.WithoutCancel(ctx), drafts[i].File, accepted[i].ID, drafts[i].Channel)
	}
	return accepted, errs
}
