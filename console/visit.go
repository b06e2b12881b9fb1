package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/console/pages"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// visit is one request of a visitor, and the API as that visitor.
type visit struct {
	*Console
	w       http.ResponseWriter
	r       *http.Request
	api     *client.Client
	session *gateway.Session
	people  components.People
	self    string // what this gateway is called
}

// maxForm bounds a posted form, in bytes: the API's bound of a message, and
// room for the form around it.
const maxForm = 3 << 20

// serve runs a page for visitors with a session; others are asked to sign in.
func (c *Console) serve(page func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{Console: c, w: w, r: r}
		csrf := ""
		if r.Method == http.MethodPost {
			httpkit.AllowBody(w, r, maxForm)
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				v.fail(problem.New(http.StatusBadRequest, "form_invalid", "the form cannot be read").Wrap(err))
				return
			}
			csrf = r.PostForm.Get("csrf")
		}
		v.api = client.NewWithTransport(v.base(), &visitor{api: c.API, visit: r, csrf: csrf})
		err := v.enter()
		if err == nil {
			err = page(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

// base is this gateway's address as the visitor sees it.
func (v *visit) base() string {
	if v.r.TLS != nil || v.r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + v.r.Host
	}
	return "http://" + v.r.Host
}

// enter asks who the visitor is and what people are called here.
func (v *visit) enter() error {
	var err error
	if v.session, err = v.api.Session(v.r.Context()); err != nil {
		return err
	}
	v.people.Names = map[string]string{}
	v.self = v.Name
	if id, err := v.api.Identity(v.r.Context()); err == nil {
		v.people.Self = id.DID
	}
	if list, err := v.api.Contacts(v.r.Context()); err == nil {
		for _, n := range list {
			v.people.Names[n.DID] = n.Name
		}
		if own := v.people.Names[v.people.Self]; own != "" {
			v.self = own
		}
	}
	return nil
}

// frame is what stands around a page.
func (v *visit) frame(title, section string, up *components.Crumb) components.Frame {
	return components.Frame{
		Title: title, Section: section, Up: up, Gateway: v.self, People: v.people, CSRF: v.session.CSRF, Visitor: v.session.Name, Asset: v.assets.url,
	}
}

// part names the piece of a page that is asked for again; "" is all of it.
func (v *visit) part() string { return v.r.URL.Query().Get("part") }

// fragment reports whether a piece of a page is asked for by script.
func (v *visit) fragment() bool { return v.r.Header.Get("HX-Request") != "" }

// show answers with a component.
func (v *visit) show(status int, c templ.Component) error {
	var b bytes.Buffer
	if err := c.Render(v.r.Context(), &b); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes())
	return nil
}

// fail answers with what went wrong.
func (v *visit) fail(err error) {
	p := problem.From(err)
	if p.Status >= 500 {
		v.Log.Warn("page failed", "request", httpkit.RequestID(v.r.Context()), "method", v.r.Method, "path", v.r.URL.Path, "code", p.Code, "err", p.Err)
	}
	status := p.Status
	var show error
	switch {
	case p.Status == http.StatusUnauthorized:
		if v.fragment() {
			v.w.Header().Set("HX-Refresh", "true") // the page as a whole asks to sign in
		}
		if _, cookie := v.r.Header["Cookie"]; !cookie {
			p = nil // a first visit is no failure
		}
		show = v.show(status, pages.SignIn(v.assets.url, v.base(), asError(p)))
	case v.fragment():
		show = v.show(status, components.Problem("That did not work", p))
	case v.session == nil:
		show = v.show(status, pages.Failed(v.assets.url, title(p), p))
	default:
		show = v.show(status, pages.Broken(v.frame(title(p), "", nil), p))
	}
	if show != nil {
		v.Log.Error("page not rendered", "path", v.r.URL.Path, "err", show)
	}
}

func asError(p *problem.Error) error {
	if p == nil {
		return nil
	}
	return p
}

// title says in a few words what kind of failure it was.
func title(p *problem.Error) string {
	switch p.Status {
	case http.StatusNotFound:
		return "Not found"
	case http.StatusForbidden:
		return "Not allowed"
	}
	return "That did not work"
}

func notFound(*visit) error {
	return problem.New(http.StatusNotFound, "not_found", "there is no such page").WithHint("the pages are Home, Partners, Channels, Messages, Files and Events")
}

// known returns what codes mean, nil when the API cannot say.
func (v *visit) known() map[string]gateway.CodeInfo {
	v.mu.Lock()
	known := v.codes
	v.mu.Unlock()
	if known != nil {
		return known
	}
	list, err := v.api.Codes(v.r.Context())
	if err != nil {
		return nil
	}
	known = make(map[string]gateway.CodeInfo, len(list))
	for _, i := range list {
		known[i.Code] = i
	}
	v.mu.Lock()
	v.codes = known
	v.mu.Unlock()
	return known
}

// visitor carries a client's calls to the API's handler as the visitor: with
// the visitor's cookies and what the browser says about where the request comes
// from.
type visitor struct {
	api   http.Handler
	visit *http.Request
	csrf  string
}

// carried are the headers that say who the visitor is and where from.
var carried = []string{"Cookie", "Origin", "Sec-Fetch-Site", "X-Forwarded-Proto", "X-Forwarded-For", "User-Agent"}

// RoundTrip implements http.RoundTripper.
func (t *visitor) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(apart{r.Context()})
	for _, k := range carried {
		if list := t.visit.Header.Values(k); len(list) > 0 {
			r.Header[k] = list
		}
	}
	// A link on another page may lead here: following it changes nothing, and
	// nobody can look into the page.
	if t.visit.Method == http.MethodGet && t.visit.Header.Get("Sec-Fetch-Mode") == "navigate" && t.visit.Header.Get("Sec-Fetch-Dest") == "document" {
		r.Header.Del("Sec-Fetch-Site")
	}
	if t.csrf != "" {
		r.Header.Set(gateway.HeaderCSRF, t.csrf)
	}
	r.Host, r.RemoteAddr, r.TLS = t.visit.Host, t.visit.RemoteAddr, t.visit.TLS
	r.RequestURI = r.URL.RequestURI()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &answer{header: http.Header{}}
	t.api.ServeHTTP(w, r)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.over {
		return nil, errors.New("the answer is larger than it may be")
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
	}, nil
}

// apart is a context that ends with another and knows nothing else of it: the
// API routes the request as one of its own.
type apart struct{ of context.Context }

func (a apart) Deadline() (time.Time, bool) { return a.of.Deadline() }
func (a apart) Done() <-chan struct{}       { return a.of.Done() }
func (a apart) Err() error                  { return a.of.Err() }
func (a apart) Value(any) any               { return nil }

// answer collects what the API answers, up to httpkit.MaxAnswer bytes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	over   bool
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.body.Len()+len(b) > httpkit.MaxAnswer {
		a.over = true
		return 0, errors.New("the answer is larger than it may be")
	}
	return a.body.Write(b)
}
