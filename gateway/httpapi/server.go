package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/channels"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/gateway/stats"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// Limits of requests.
const (
	MaxMessage = 1 << 20 // bytes of a request with one message
	MaxBatch   = 8 << 20 // bytes of a request with many
	MaxAcks    = 10_000  // tokens of one request
	MaxPull    = 1000    // messages of one answer
	MaxWait    = 60 * time.Second
)

// Identity is this gateway instance.
type Identity interface {
	// About says who this gateway is, as far as known yet.
	About(ctx context.Context) About
}

// About is the answer of GET identity.
type About struct {
	DID         string `json:"did" doc:"the participant's DID"`
	Inst        uint64 `json:"inst" doc:"number of this instance"`
	Addr        string `json:"addr" doc:"address of its mailbox"`
	Address     string `json:"address" doc:"chain account of the DID's key, EIP-55"`
	Certificate string `json:"certificate,omitempty" doc:"digest of the newest instance certificate"`
	Package     string `json:"package,omitempty" doc:"digest of the newest key package"`
	Ready       bool   `json:"ready" doc:"whether messages can be sent and received now"`
	Reason      string `json:"reason,omitempty" doc:"code that says why not"`
}

// Owner publishes what this gateway's DID owns: names and topics.
type Owner interface {
	PutTopic(ctx context.Context, name string, t TopicSpec) (*Topic, error)
	Topic(ctx context.Context, name, version string) (*Topic, error)
	PutName(ctx context.Context, name string, n NameSpec) (*Name, error)
	Name(ctx context.Context, name string) (*Name, error)
}

// TopicSpec is what an owner says about a topic.
type TopicSpec struct {
	Version   string          `json:"version" doc:"major.minor.patch; another schema is another version" example:"1.0.0"`
	Kind      string          `json:"kind,omitempty" enum:"json,csv,binary" doc:"kind of the schema: json (JSON Schema 2020-12, the default), csv (tables, by W3C table metadata) or binary (files, by media type and length)"`
	Schema    json.RawMessage `json:"schema" doc:"of kind json a JSON Schema; of kind csv table metadata with tableSchema and dialect; of kind binary {mediaTypes, maxBytes}"`
	Order     string          `json:"order,omitempty" enum:"strict,prompt" doc:"strict: later messages wait up to 10 s for a missing one; default strict"`
	NotBefore int64           `json:"nbf,omitempty" doc:"start of validity, ms since 1970; default now, or 15 minutes ahead for a change"`
	NotAfter  int64           `json:"naf,omitempty" doc:"end of validity, ms since 1970; default and at most 400 days after the start"`
}

// Topic is a topic record with its schema.
type Topic struct {
	Name      string          `json:"name"`
	Version   string          `json:"version"`
	Revision  uint64          `json:"revision" doc:"counts changes within a version"`
	Owner     string          `json:"owner" doc:"DID that signed it"`
	Order     string          `json:"order" enum:"strict,prompt"`
	NotBefore int64           `json:"nbf" doc:"ms since 1970"`
	NotAfter  int64           `json:"naf" doc:"ms since 1970"`
	Record    string          `json:"record" doc:"digest of the signed record"`
	Kind      string          `json:"kind" enum:"json,csv,binary" doc:"kind of the schema"`
	Digest    string          `json:"digest" doc:"digest of the schema"`
	Schema    json.RawMessage `json:"schema,omitempty" doc:"the root file of the schema"`
}

// NameSpec is what an owner says about a name.
type NameSpec struct {
	Kind       string          `json:"kind" enum:"organisation,application,role" doc:"what the name stands for"`
	Definition json.RawMessage `json:"definition,omitempty" doc:"metadata of an organisation or application; of a role: version, issuers (DIDs), issuerRole, revokers, revokerRole, prerequisites, metadata"`
}

// Name is what the chain says about a name.
type Name struct {
	Name       string          `json:"name"`
	Kind       string          `json:"kind" doc:"organisation, application, role or container"`
	Owner      string          `json:"owner" doc:"chain account, EIP-55"`
	Definition json.RawMessage `json:"definition,omitempty"`
}

// Roles are role credentials: those asked for, held, and issued here.
type Roles interface {
	Request(ctx context.Context, role string) (*Enrolment, error)
	Enrolments(ctx context.Context, f EnrolmentFilter) ([]Enrolment, error)
	Issue(ctx context.Context, enrolment string, validUntil int64) (*Credential, error)
	Reject(ctx context.Context, enrolment, reason string) error
	Revoke(ctx context.Context, digest, reason string) error
	Credentials(ctx context.Context) (held, issued []Credential, err error)
	Holders(ctx context.Context, role string) ([]Credential, error)
}

// Enrolment is a request for a role and what became of it.
type Enrolment struct {
	ID        string `json:"id"`
	Role      string `json:"role"`
	Subject   string `json:"subject" doc:"DID that asks"`
	Status    string `json:"status" doc:"requested, issued or rejected"`
	Digest    string `json:"digest,omitempty" doc:"digest of the credential, once issued"`
	Reason    string `json:"reason,omitempty" doc:"given with a rejection"`
	Requested int64  `json:"requested,omitempty" doc:"ms since 1970"`
	Decided   int64  `json:"decided,omitempty" doc:"ms since 1970"`
}

// EnrolmentFilter selects enrolments; empty members do not filter.
type EnrolmentFilter struct{ Role, Subject, Issuer, Status string }

// Credential is a role credential.
type Credential struct {
	Digest     string `json:"digest" doc:"digest of the credential's bytes, hexadecimal"`
	Role       string `json:"role"`
	Subject    string `json:"subject"`
	Issuer     string `json:"issuer"`
	ValidUntil int64  `json:"validUntil,omitempty" doc:"ms since 1970; absent: no end"`
	Revoked    int64  `json:"revoked,omitempty" doc:"when it was revoked, ms since 1970"`
	Reason     string `json:"reason,omitempty" doc:"why it was revoked; known to the issuer only"`
	Published  bool   `json:"published,omitempty" doc:"whether the hub has it; known to the issuer only"`
}

// Deps are what the API stands on.
type Deps struct {
	Sender   gateway.Sender
	Receiver gateway.Receiver
	Channels *channels.Book
	Events   *events.Ring
	Keys     *access.Keys
	Identity Identity
	Owner    Owner
	Roles    Roles
	Files    *files.Box                  // nil: no files
	Ready    func(context.Context) error // nil: always

	// What the console shows; nil: that part answers empty, or not_wired.
	LogOut   gateway.Logbook  // of sent messages
	LogIn    gateway.Logbook  // of received messages
	Meter    *stats.Meter     // rates, latencies, live views
	Members  Members          // who is on a channel, and why
	Contacts Contacts         // names that people gave to DIDs
	Sessions *access.Sessions // signed-in browsers; nil: kept in memory
	Papers   Papers           // what of this gateway's own expires

	Clock   clockwork.Clock
	Log     *slog.Logger
	Version string
}

type api struct {
	Deps
	*httpkit.Server
	sessions *access.Sessions
	cookie   string
	live     *readers
	recent   recent
}

// New makes the server; it listens and serves when its methods are called.
func New(d Deps) *httpkit.Server { return newAPI(d).Server }

func newAPI(d Deps) *api {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = clockwork.NewRealClock()
	}
	if d.Version == "" {
		d.Version = "1"
	}
	s := httpkit.New(httpkit.Options{
		Title: "Digital Spine client gateway", Version: d.Version, Log: d.Log, MaxBody: MaxMessage, Ready: d.Ready,
		Description: "What a participant's systems talk to. Every call needs an API key as bearer, or a session's cookie; both have the scopes send, receive and admin.",
	})
	s.API.OpenAPI().Components.SecuritySchemes["session"] = &huma.SecurityScheme{Type: "apiKey", In: "cookie", Name: gateway.SessionCookie,
		Description: "Set by open-session; its name goes on with an underscore and eight digits of the gateway. Methods other than GET and HEAD need X-CSRF-Token as well."}
	a := &api{Deps: d, Server: s, sessions: d.Sessions, live: newReaders(), cookie: gateway.SessionCookie}
	if a.sessions == nil {
		a.sessions = access.NewSessions(d.Keys, d.Clock)
	}
	if d.Identity != nil {
		a.cookie = cookieName(d.Identity.About(context.Background()))
	}
	a.filePaths() // before messages: it notes which of them carry files
	a.messages()
	a.channels()
	a.events()
	a.keys()
	a.identity()
	a.owner()
	a.roles()
	a.sessionPaths()
	a.logPaths()
	a.overviewPaths()
	a.livePaths()
	a.memberPaths()
	a.codePaths()
	a.contactPaths()
	return a
}

// guard runs a handler for callers whose key or session is good for scope.
func (a *api) guard(scope access.Scope, h func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := a.admit(r, scope)
		if err == nil {
			err = h(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
		}
		if err != nil {
			a.refuse(w, r, err)
		}
	}
}

// refuse answers with a problem, and logs what is this gateway's own fault.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	err = explain(err)
	if p := problem.From(err); p.Status >= 500 {
		a.Log.Warn("request failed", "request", httpkit.RequestID(r.Context()), "method", r.Method, "path", r.URL.Path, "code", p.Code, "err", p.Err)
	}
	httpkit.WriteProblem(w, r, err)
}

// public describes a call for huma that asks nobody for a key.
func (a *api) public(method, path, id, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: "/api/v1/" + path, Summary: summary, Security: []map[string][]string{}}
}

// operation describes a call for huma: the scope that its caller needs (empty:
// any key or session will do) and its problems.
func (a *api) operation(scope access.Scope, method, path, id, summary string) huma.Operation {
	op := a.public(method, path, id, summary)
	op.Description = "Needs the scope " + string(scope) + "."
	if scope == "" {
		op.Description = "Any API key or session will do."
	}
	op.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		c, err := a.admit(r, scope)
		if err != nil {
			httpkit.WriteProblem(w, r, err)
			return
		}
		next(huma.WithValue(ctx, callerKey{}, c))
	}}
	return op
}

// register adds a described operation whose errors are explained.
func register[I, O any](a *api, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	huma.Register(a.API, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			err = explain(err)
			if p := problem.From(err); p.Status >= 500 {
				a.Log.Warn("request failed", "request", httpkit.RequestID(ctx), "operation", op.OperationID, "code", p.Code, "err", p.Err)
			}
			return nil, err
		}
		return out, nil
	})
}

// body is an answer with a JSON body.
type body[T any] struct{ Body T }

var errNotWired = errors.New("this part of the gateway is not wired")
