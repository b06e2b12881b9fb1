// Package httpapi serves the broker's HTTP API /api/v1: login, the directory,
// the caller's own mailbox, blobs, and the operator's administration. It translates
// and checks who asks; the rules are package broker's.
package httpapi

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// maxBody bounds requests: a schema of 1 MiB or a base64url wire message fit.
const maxBody = 2 << 20

// New makes the server of a broker; the caller listens and serves.
func New(b *broker.Broker, admin *broker.AdminKey, version string, log *slog.Logger) *httpkit.Server {
	s := httpkit.New(httpkit.Options{
		Title: "Digital Spine message broker", Version: version, Log: log, MaxBody: maxBody, Ready: b.Ready,
		Description: "Login to the message bus, the directory of certificates, key packages, topic records and schemas, the store of large sealed bodies, and the operator's administration. Nothing served here needs to be believed: all of it is signed, and whoever reads it checks it.",
	})
	a := &api{b: b, admin: admin, clock: b.Clock}
	a.login(s.API)
	a.directory(s.API)
	a.mailbox(s.API)
	a.operator(s.API)
	a.blobs(s)
	return s
}

type api struct {
	b     *broker.Broker
	admin *broker.AdminKey
	clock clockwork.Clock
}

// op describes an operation.
func op(id, method, path, summary string, tags ...string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: "/api/v1/" + path, Summary: summary, Tags: tags, MaxBodyBytes: maxBody}
}

func secured(o huma.Operation) huma.Operation {
	o.Security = []map[string][]string{{"bearer": {}}}
	return o
}

// Auth is the bearer of a request.
type Auth struct {
	Authorization string `header:"Authorization" doc:"Bearer token of the login, or the operator's key under admin"`
}

func (a *api) session(in Auth) (*broker.Session, error) {
	return a.b.Session(httpkit.BearerOf(in.Authorization))
}

// body is an answer of a JSON document.
type body[T any] struct{ Body T }

type empty struct{}

type networkBody struct {
	RetentionMS int64 `json:"retention_ms" doc:"how long a message is kept"`
	StatusTTLMS int64 `json:"status_ttl_ms" doc:"lifetime of a status list's freshness"`
	Wire        int64 `json:"wire" doc:"bytes of a wire message"`
	Cap         int64 `json:"cap" doc:"messages per subject within the retention"`
}

type natsBody struct {
	URL      string `json:"url"`
	Token    string `json:"token" doc:"bound to the user key of the login"`
	Stream   string `json:"stream"`
	Consumer string `json:"consumer"`
	Inbox    string `json:"inbox" doc:"prefix of reply subjects, without trailing dot"`
	PP       int    `json:"pp" doc:"partition of the mailbox"`
	Addr     string `json:"addr" doc:"address of the mailbox and as a sender"`
}

type loginBody struct {
	Token   string      `json:"token" doc:"bearer of this API"`
	Expires int64       `json:"expires" doc:"of both tokens, ms since 1970"`
	Network networkBody `json:"network"`
	NATS    natsBody    `json:"nats"`
}

func (a *api) login(api huma.API) {
	type challenge struct {
		Nonce string `json:"nonce" doc:"32 bytes, base64url; can be answered once within 60 s"`
	}
	huma.Register(api, op("challenge", http.MethodPost, "challenge", "Ask for a nonce to sign", "login"),
		func(context.Context, *struct{}) (*body[challenge], error) {
			n := a.b.Challenge()
			return &body[challenge]{challenge{base64.RawURLEncoding.EncodeToString(n[:])}}, nil
		})
	type in struct {
		Body struct {
			Certificate string `json:"certificate" maxLength:"4096" doc:"instance certificate, base64url"`
			Login       string `json:"login" maxLength:"4096" doc:"spine/login structure, base64url"`
		}
	}
	huma.Register(api, op("login", http.MethodPost, "login", "Log in with an instance certificate; any DID may", "login"),
		func(ctx context.Context, i *in) (*body[loginBody], error) {
			cert, err := decode(i.Body.Certificate)
			if err != nil {
				return nil, err
			}
			login, err := decode(i.Body.Login)
			if err != nil {
				return nil, err
			}
			l, err := a.b.Login(ctx, cert, login)
			if err != nil {
				return nil, err
			}
			n := l.Network
			return &body[loginBody]{loginBody{Token: l.Token, Expires: l.Expires,
				Network: networkBody{RetentionMS: n.RetentionMS, StatusTTLMS: n.StatusTTLMS, Wire: n.Wire, Cap: n.Cap},
				NATS:    natsBody(l.NATS)}}, nil
		})
}

// decode reads base64url with or without padding.
func decode(s string) ([]byte, error) {
	for len(s) > 0 && s[len(s)-1] == '=' {
		s = s[:len(s)-1]
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, problem.New(400, string(envelope.Malformed), "not base64url, or empty")
	}
	return b, nil
}

func (a *api) mailbox(api huma.API) {
	huma.Register(api, secured(op("mailbox", http.MethodGet, "mailbox", "What waits in the caller's mailbox", "mailbox")),
		func(ctx context.Context, i *Auth) (*body[broker.MailboxState], error) {
			s, err := a.session(*i)
			if err != nil {
				return nil, err
			}
			st, err := a.b.State(ctx, s)
			return &body[broker.MailboxState]{st}, err
		})
	type in struct {
		Auth
		Body struct {
			Seq uint64 `json:"seq" doc:"stream sequence to deliver from; 0: the first message that is kept"`
		}
	}
	huma.Register(api, secured(op("remake-consumer", http.MethodPost, "consumer", "Make the caller's consumer again", "mailbox")),
		func(ctx context.Context, i *in) (*body[empty], error) {
			s, err := a.session(i.Auth)
			if err != nil {
				return nil, err
			}
			return &body[empty]{}, a.b.Remake(ctx, s, i.Body.Seq)
		})
}

// seconds turns a count into a duration of at most 30 days.
func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), 30*24*3600)) * time.Second
}
