// Package console is the web console of a client gateway: pages rendered on the
// server, made better by a little script where there is one.
//
// It is a client of the gateway's documented API and nothing else. Every page
// asks for what it shows, and every button does what it does, by calls of
// /api/v1 with the visitor's own session; they reach the API's handler in this
// process, without a network between. It keeps no state, holds no key, and
// shows only what the visitor could also ask for with curl. What may and may
// not be done is decided by the API; Routes lists which operation stands behind
// which page.
//
//	console/components   parts that all pages are made of
//	console/pages        the pages
//	console/form         forms from JSON Schemas
//	console/islands      elements that need a browser's own code, in TypeScript
//	console/static       style sheet, icons, compiled islands, vendored libraries
package console

//go:generate go tool -modfile=../tools/go.mod templ generate -path . -include-version=false
//go:generate go tool -modfile=../tools/go.mod esbuild islands/console.ts --bundle --format=esm --target=es2022 --minify --legal-comments=none --log-level=warning --outfile=static/console.js
//go:generate go tool -modfile=../tools/go.mod esbuild islands/theme.ts --bundle --format=iife --target=es2022 --minify --legal-comments=none --log-level=warning --outfile=static/theme.js

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/digital-spine/spine/gateway"
)

// Deps are what a console stands on.
type Deps struct {
	API     http.Handler // serves /api/v1 of the gateway
	Name    string       // what the gateway is called
	Version string
	Log     *slog.Logger
}

// Console serves the pages.
type Console struct {
	Deps
	assets *assets
	mux    *http.ServeMux

	mu    sync.Mutex
	codes map[string]gateway.CodeInfo // what codes mean; the same for everybody
}

// New makes a console. It serves every path that is not the API's.
func New(d Deps) *Console {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Name == "" {
		d.Name = "gateway"
	}
	c := &Console{Deps: d, assets: loadAssets(), mux: http.NewServeMux()}
	for _, r := range c.routes() {
		c.mux.Handle(r.Method+" "+r.Path, c.serve(r.serve))
	}
	c.mux.Handle("GET /static/", http.HandlerFunc(c.assets.serve))
	c.mux.Handle("GET /favicon.ico", http.RedirectHandler("/static/favicon.svg", http.StatusMovedPermanently))
	c.mux.Handle("GET /open", http.HandlerFunc(c.open))
	c.mux.Handle("/", c.serve(notFound))
	return c
}

// Route is one path of the console, and the operations of the documented API
// that it stands on.
type Route struct {
	Method, Path string
	Operations   []string // operation ids of the OpenAPI document
	// Mutates says that the operations change something. Routes that answer a
	// POST without one only show a form again.
	Mutates bool

	serve func(*visit) error
}

// Routes lists the console's paths. A test holds it against the API's
// OpenAPI document.
func (c *Console) Routes() []Route { return c.routes() }

func (c *Console) routes() []Route {
	frame := []string{"show-session", "identity", "list-contacts"}
	with := func(more ...string) []string { return append(append([]string{}, frame...), more...) }
	return []Route{
		{"GET", "/{$}", with("overview", "list-log"), false, c.home},
		{"GET", "/partners", with("overview"), false, c.partners},
		{"GET", "/channels", with("list-channels", "overview"), false, c.channels},
		{"GET", "/channels/{name}", with("get-channel", "get-topic", "list-members", "list-log", "trace"), false, c.channel},
		{"GET", "/channels/{name}/rows", with("trace"), false, c.rows},
		{"POST", "/channels/{name}/send", with("send", "get-channel", "get-topic", "list-members"), true, c.send},
		{"GET", "/messages", with("list-log", "list-channels"), false, c.messages},
		{"GET", "/messages/{direction}/{id}", with("trace", "list-codes", "list-log"), false, c.message},
		{"GET", "/files", with("list-files", "list-channels", "list-members"), false, c.files},
		{"GET", "/files/{id}", with("get-file", "verify-file", "list-channels", "list-members"), false, c.file},
		{"POST", "/files/{id}/delete", []string{"delete-file"}, true, c.deleteFile},
		{"POST", "/files/{id}/send", []string{"send"}, true, c.sendFile},
		{"GET", "/events", with("list-events", "list-codes", "overview"), false, c.events},
		{"GET", "/palette", with("list-channels", "list-log"), false, c.palette},
		{"GET", "/find", with("trace"), false, c.find},
		{"POST", "/signout", []string{"end-session", "end-sessions"}, true, c.signOut},
	}
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "HX-Request")
	c.mux.ServeHTTP(w, r)
}

// policy is the content security policy: everything from this gateway, nothing
// inline, nobody frames it.
var policy = strings.Join([]string{
	"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "font-src 'self'", "connect-src 'self'", "manifest-src 'self'",
	"form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
}, "; ")
