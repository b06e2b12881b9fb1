package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/internal/httpkit"
)

// caller is who makes a request: a program with an API key, or a browser with
// a session.
type caller struct {
	key     string // id of the API key, of a session that of its link
	secret  string // of the session, "" for an API key
	session *access.Session
	scopes  func(access.Scope) bool
	alive   func() error
}

// may reports whether the caller is good for a scope.
func (c *caller) may(s access.Scope) bool { return c.scopes(s) }

type callerKey struct{}

// callerOf returns who makes the request of ctx, once admitted.
func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// admit says who makes a request, if it is good for scope. An API key as bearer
// counts alone; else the cookie of a session does, and then the request must
// come from this gateway's own pages. Codes key_missing,
// key_invalid, session_invalid, csrf, scope_missing.
func (a *api) admit(r *http.Request, scope access.Scope) (*caller, error) {
	token := httpkit.Bearer(r)
	if token == "" {
		if secret, ok := a.secretOf(r); ok {
			return a.admitSession(r, secret, scope)
		}
	}
	key, err := a.Keys.Check(token, scope)
	if err != nil {
		return nil, err
	}
	return &caller{key: key.ID, scopes: key.May, alive: func() error { return a.Keys.Alive(key.ID) }}, nil
}

// admitSession admits a browser. What another site makes it send is refused
// before the session is looked at, whatever the method: some answers to GET
// hand messages over.
func (a *api) admitSession(r *http.Request, secret string, scope access.Scope) (*caller, error) {
	if !sameOrigin(r) {
		return nil, access.ErrCSRF
	}
	s, err := a.sessions.Check(r.Context(), secret, scope)
	if err != nil {
		return nil, err
	}
	if unsafe(r.Method) && !access.CheckCSRF(secret, r.Header.Get(gateway.HeaderCSRF)) {
		return nil, access.ErrCSRF
	}
	return &caller{key: s.Key, secret: secret, session: s, scopes: s.May, alive: func() error { return a.sessions.Alive(r.Context(), secret) }}, nil
}

// unsafe reports whether a method may change something.
func unsafe(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// sameOrigin reports whether a browser's request comes from a page of this
// gateway or from its user: by Sec-Fetch-Site, which no page can set, else by
// Origin. Another port of the same host is another origin, although it gets
// the same cookies. A WebSocket must name its origin.
func sameOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "":
	case "same-origin", "none":
		return !upgrades(r) || originIs(r)
	default:
		return false
	}
	if len(r.Header["Origin"]) == 0 {
		return !upgrades(r)
	}
	return originIs(r)
}

// originIs reports whether the Origin header names the host that was asked.
func originIs(r *http.Request) bool {
	list := r.Header["Origin"]
	if len(list) != 1 {
		return false
	}
	o, err := url.Parse(list[0])
	return err == nil && o.Host != "" && strings.EqualFold(o.Host, r.Host)
}

func upgrades(r *http.Request) bool { return r.Header.Get("Upgrade") != "" }

// cookieName is the name of this gateway's session cookie.
func cookieName(about About) string {
	sum := sha256.Sum256([]byte(about.DID + "\x00" + strconv.FormatUint(about.Inst, 10)))
	return gateway.SessionCookie + "_" + hex.EncodeToString(sum[:4])
}

// hostOnly begins the name of a session's cookie over TLS: browsers take such a
// cookie from this host only, so that no neighbour in the domain can plant one.
const hostOnly = "__Host-"

// secretOf returns the secret of a request's session cookie. Over TLS one of
// the plain name does not count: a neighbour may have planted it.
func (a *api) secretOf(r *http.Request) (string, bool) {
	name := a.cookie
	if secure(r) {
		name = hostOnly + name
	}
	c, err := r.Cookie(name)
	if err != nil {
		return "", false
	}
	return c.Value, true
}

// secure reports whether the browser came over TLS, to this server or to the
// proxy in front of it. Who lies about it harms its own cookie only.
func secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
