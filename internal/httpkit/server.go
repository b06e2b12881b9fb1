// Package httpkit is how every system of the spine serves and calls HTTP: one
// router with an OpenAPI 3.1 document made from Go types, RFC 9457 problems
// with stable codes, bounded bodies, health pages, and a listener that finds
// its old port again after a restart.
//
// It knows no resource of any system, and it never writes a body that a client
// sent into a log or an answer.
package httpkit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/digital-spine/spine/internal/problem"
)

// Limits that hold for every server.
const (
	DefaultMaxBody    = 1 << 20 // bytes of a request body, unless an operation says otherwise
	maxHeader         = 32 << 10
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// Options describe a server.
type Options struct {
	Title, Version, Description string
	Log                         *slog.Logger
	// MaxBody bounds every request body in bytes; DefaultMaxBody when zero.
	// Handlers that take more say so with AllowBody.
	MaxBody int64
	// Ready tells whether the system can do its work; nil means always.
	Ready func(context.Context) error
}

// Server is one HTTP server. Operations are registered on API (described in
// the OpenAPI document) or on Router (not described) before Serve.
type Server struct {
	Router chi.Router
	API    huma.API

	log  *slog.Logger
	srv  *http.Server
	ln   net.Listener
	base context.Context
	stop context.CancelFunc

	bodyFor, unreadFor time.Duration // bodyTimeout, unreadTimeout

	mu     sync.Mutex
	silent map[net.Conn]struct{} // connections that sent nothing yet
	closed bool
}

// New makes a server that serves /openapi.json, /healthz and /readyz and
// answers everything unknown with a problem.
func New(o Options) *Server {
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{log: o.Log, bodyFor: bodyTimeout, unreadFor: unreadTimeout, silent: make(map[net.Conn]struct{})}
	s.base, s.stop = context.WithCancel(context.Background())
	r := chi.NewRouter()
	r.Use(s.guard(o.MaxBody))
	r.NotFound(notFound)
	r.MethodNotAllowed(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Allow", strings.Join(methodsOf(r, q), ", "))
		WriteProblem(w, q, problem.New(http.StatusMethodNotAllowed, "method_not_allowed", "this path does not take this method").WithHint("see /openapi.json"))
	})
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if o.Ready != nil {
			if err := o.Ready(r.Context()); err != nil {
				p := problem.From(err)
				WriteProblem(w, r, problem.New(http.StatusServiceUnavailable, "not_ready", p.Message).With("reason", p.Code))
				return
			}
		}
		WriteJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	})

	c := huma.DefaultConfig(o.Title, o.Version)
	c.Info.Description = o.Description
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.CreateHooks = nil // no $schema members in answers
	c.DocsPath, c.SchemasPath = "", ""
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer"}}
	s.Router, s.API = r, humachi.New(r, c)
	s.srv = &http.Server{
		Handler: r, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return s.base },
		ConnState:   s.connState,
	}
	return s
}

// Fallback has h answer the paths that no operation has, such as a console's
// pages; below /api/ they stay problems. It is called before Serve, once.
func (s *Server) Fallback(h http.Handler) {
	s.Router.NotFound(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			notFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// methodsOf lists the methods that a request's path takes.
func methodsOf(router chi.Routes, r *http.Request) []string {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		if router.Match(chi.NewRouteContext(), m, path) {
			out = append(out, m)
		}
	}
	return out
}

// notFound answers paths at which there is nothing.
func notFound(w http.ResponseWriter, r *http.Request) {
	WriteProblem(w, r, problem.New(http.StatusNotFound, "not_found", "there is nothing at this path").WithHint("see /openapi.json"))
}

// Listen opens the listener. With port 0 in addr and a readable stickyFile,
// the port of an earlier run is tried first, so that a system started again is
// found where it was; the address is then written to stickyFile (which may be
// empty: nothing is remembered).
func (s *Server) Listen(ctx context.Context, addr, stickyFile string) error {
	ln, err := ListenSticky(ctx, addr, stickyFile)
	if err != nil {
		return err
	}
	s.ln = ln
	return nil
}

// ListenSticky is Listen for servers that are not HTTP. What is served here is
// plain text with bearer tokens in it, so that only loopback addresses are
// taken; code listen_plain otherwise.
func ListenSticky(ctx context.Context, addr, stickyFile string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, problem.New(http.StatusInternalServerError, "listen_plain", fmt.Sprintf("listen address %s: plain text beyond loopback", addr)).
			WithHint("listen on a loopback address, and put a proxy that speaks TLS in front of it")
	}
	var lc net.ListenConfig
	var ln net.Listener
	before := ""
	if port == "0" && stickyFile != "" {
		if b, err := os.ReadFile(stickyFile); err == nil {
			before = strings.TrimSpace(string(b))
		}
		if h, _, err := net.SplitHostPort(before); err == nil && h == host {
			ln = relisten(ctx, before)
		}
	}
	if ln == nil {
		if ln, err = lc.Listen(ctx, "tcp", addr); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", addr, err)
		}
	}
	if at := ln.Addr().String(); stickyFile != "" && at != before {
		if err := remember(stickyFile, at); err != nil {
			ln.Close()
			return nil, fmt.Errorf("remember address: %w", err)
		}
	}
	return ln, nil
}

// relisten listens on the address of an earlier run, nil when it cannot be
// had. While nobody listened there, another program may have taken the port
// for a short call of its own: it is asked for a few times.
func relisten(ctx context.Context, addr string) net.Listener {
	var lc net.ListenConfig
	for range 20 {
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err == nil {
			return ln
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(25 * time.Millisecond):
		}
	}
	return nil
}

// remember writes the address so that a kill leaves it whole or leaves none.
func remember(file, addr string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", []byte(addr+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// Addr returns the address listened on, "host:port".
func (s *Server) Addr() string { return s.ln.Addr().String() }

// URL returns the base URL, "http://host:port", without trailing slash.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Serve answers requests until Close; it returns nil after Close.
func (s *Server) Serve() error {
	if err := s.srv.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close stops accepting, ends the contexts of requests that wait (long polls,
// streams) and waits for the others until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	if s.ln == nil {
		return nil
	}
	s.hangUp()
	err := s.srv.Shutdown(ctx)
	if err != nil {
		s.srv.Close()
	}
	s.ln.Close()
	return err
}

// connState keeps account of the connections that sent nothing yet. Clients open
// some in reserve; the standard library's Shutdown would wait 5 s for each to
// say something.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.silent, c)
	case s.closed:
		c.Close()
	default:
		s.silent[c] = struct{}{}
	}
}

// hangUp closes the connections on which nothing was asked yet.
func (s *Server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.silent {
		c.Close()
	}
}
