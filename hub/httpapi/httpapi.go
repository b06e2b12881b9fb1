// Package httpapi serves a hub over HTTP under /api/v1, with an OpenAPI 3.1
// document made from its Go types. Reads are public, because what is read is
// signed or on the chain; writes need the bearer of a login; /api/v1/admin
// needs the operator's key.
//
// It holds no rules: each operation is one call of package hub.
package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// DefaultMaxBody bounds request bodies, in bytes: a status list of 64 KiB in
// base64 with its papers fits twice.
const DefaultMaxBody = 256 << 10

// Chain is the chain reader as the operator sees it (hub/chainsync).
type Chain interface {
	// Run follows the chain until ctx ends.
	Run(ctx context.Context) error
	// Resync reads everything again from a block on.
	Resync(ctx context.Context, from uint64) error
	// Ready returns an error while the chain's head was never reached.
	Ready(ctx context.Context) error
}

// Deps are what a Server is made of.
type Deps struct {
	Hub      *hub.Hub
	Chain    Chain  // nil: no chain is followed
	AdminKey string // operator's key; "" closes /api/v1/admin
	MaxBody  int64  // bytes, DefaultMaxBody when 0
	Version  string
	Log      *slog.Logger
}

// Server is a hub's HTTP server.
type Server struct {
	kit   *httpkit.Server
	hub   *hub.Hub
	chain Chain
	admin [32]byte
	open  bool // the admin API is
}

// New makes the server with all its operations; it listens on Listen and
// starts nothing before Run.
func New(d Deps) (*Server, error) {
	if d.Hub == nil {
		return nil, errors.New("hub/httpapi: no hub")
	}
	if d.MaxBody <= 0 {
		d.MaxBody = DefaultMaxBody
	}
	if d.Version == "" {
		d.Version = "1"
	}
	s := &Server{hub: d.Hub, chain: d.Chain, admin: sha256.Sum256([]byte(d.AdminKey)), open: d.AdminKey != ""}
	s.kit = httpkit.New(httpkit.Options{
		Title: "SSI-Hub", Version: d.Version, Log: d.Log, MaxBody: d.MaxBody, Ready: s.ready,
		Description: "Names, DIDs and role definitions from the chain; enrolments, credentials and status lists; a feed of changes. " +
			"Believe nothing here without checking its signature or the chain.",
	})
	s.loginAPI()
	s.nameAPI()
	s.enrolmentAPI()
	s.credentialAPI()
	s.statusAPI()
	s.feedAPI()
	s.adminAPI()
	return s, nil
}

// Listen opens the listener; with port 0 the port of an earlier run, noted in
// stickyFile, is tried first.
func (s *Server) Listen(ctx context.Context, addr, stickyFile string) error {
	return s.kit.Listen(ctx, addr, stickyFile)
}

// URL returns the base URL after Listen, without trailing slash.
func (s *Server) URL() string { return s.kit.URL() }

// OpenAPI returns the API's description as JSON.
func (s *Server) OpenAPI() ([]byte, error) { return s.kit.API.OpenAPI().MarshalJSON() }

// Run serves, follows the chain and does the hub's own work until ctx ends. It
// closes the listener before it returns.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(s.kit.Serve)
	g.Go(func() error { return s.hub.Run(ctx) })
	if s.chain != nil {
		g.Go(func() error { return s.chain.Run(ctx) })
	}
	g.Go(func() error {
		<-ctx.Done()
		return s.Close()
	})
	return g.Wait()
}

// Close stops listening, whether Run was called or not, and gives requests that
// are under way 5 s.
func (s *Server) Close() error {
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.kit.Close(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil // what still hung was cut off; nothing of it was promised
}

func (s *Server) ready(ctx context.Context) error {
	if _, err := s.hub.Stats(ctx); err != nil {
		return err
	}
	if s.chain == nil {
		return nil
	}
	return s.chain.Ready(ctx)
}

// operation describes one operation under /api/v1. Its errors are described as
// the default: any of them is a problem.
func operation(method, path, id, summary, tag string, status int) huma.Operation {
	return huma.Operation{Method: method, Path: "/api/v1" + path, OperationID: id, Summary: summary, Tags: []string{tag}, DefaultStatus: status}
}

// signedIn marks an operation as one that needs the login.
func signedIn(o huma.Operation) huma.Operation {
	o.Security = []map[string][]string{{"bearer": {}}}
	return o
}

// answers describes an operation whose answer is a JSON object of a media type
// of its own, not of this API.
func answers(o huma.Operation, mediaType, text string) huma.Operation {
	o.Responses = map[string]*huma.Response{strconv.Itoa(o.DefaultStatus): {Description: text,
		Content: map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: "object", AdditionalProperties: true}}}}}
	return o
}

// Auth is the header of operations that need a login or the operator's key.
type Auth struct {
	Authorization string `header:"Authorization" doc:"Bearer and the token"`
}

// session returns the caller.
func (s *Server) session(ctx context.Context, a Auth) (*hub.Session, error) {
	return s.hub.Session(ctx, httpkit.BearerOf(a.Authorization))
}

// operator demands the operator's key.
func (s *Server) operator(a Auth) error {
	got := sha256.Sum256([]byte(httpkit.BearerOf(a.Authorization)))
	if !s.open || subtle.ConstantTimeCompare(got[:], s.admin[:]) != 1 {
		return problem.New(http.StatusUnauthorized, "unauthorized", "this needs the operator's key").WithHint("Authorization: Bearer <key of admin_key_file>")
	}
	return nil
}
