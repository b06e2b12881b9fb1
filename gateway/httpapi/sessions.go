package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
)

// consolePath is where the console takes one-time links.
const consolePath = "/open"

// requested gives a handler the request that it answers. The request is a named
// member: embedded, its Body would count as the described body of an operation
// that has none, and be decoded into.
type requested struct{ request *http.Request }

// Resolve implements huma.Resolver.
func (q *requested) Resolve(ctx huma.Context) []error {
	q.request, _ = humachi.Unwrap(ctx)
	return nil
}

// signedIn is the answer of a sign-in or sign-out.
type signedIn struct {
	SetCookie string `header:"Set-Cookie"`
	Body      gateway.Session
}

type signedOut struct {
	SetCookie string `header:"Set-Cookie"`
}

// sessionPaths registers how browsers sign in and out.
func (a *api) sessionPaths() {
	link := a.operation(access.Admin, http.MethodPost, "sessions/links", "create-link", "Make a link that opens the console, once")
	link.DefaultStatus = http.StatusCreated
	link.Description += " It works once, within ten minutes; the session ends with the API key that made the link."
	register(a, link, func(ctx context.Context, in *struct {
		requested
		Body *struct {
			Scopes []access.Scope `json:"scopes,omitempty" maxItems:"3" enum:"send,receive,admin" doc:"what the session may be used for; default all"`
			Name   string         `json:"name,omitempty" maxLength:"100" doc:"whom the link is for"`
		} `required:"false"`
	}) (*body[gateway.Link], error) {
		var scopes []access.Scope
		var name string
		if in.Body != nil {
			scopes, name = in.Body.Scopes, in.Body.Name
		}
		token, ends, err := a.sessions.Link(callerOf(ctx).key, scopes, name)
		if err != nil {
			return nil, err
		}
		u := url.URL{Scheme: "http", Host: in.request.Host, Path: consolePath, RawQuery: "token=" + url.QueryEscape(token)}
		if secure(in.request) {
			u.Scheme = "https"
		}
		return &body[gateway.Link]{gateway.Link{URL: u.String(), Token: token, Expires: ends.UnixMilli()}}, nil
	})

	open := a.public(http.MethodPost, "sessions", "open-session", "Sign a browser in, with the one-time token of a link")
	open.Description = "Sets the session's cookie. With the cookie in place of an API key, methods other than GET and HEAD need the csrf of the answer as X-CSRF-Token, " +
		"and requests from other sites are refused. A session ends 30 minutes after its last call, after 12 hours, at sign-out, with the API key that made its link, or when all are ended. It outlives a restart of the gateway, by a hash of its cookie."
	open.DefaultStatus = http.StatusCreated
	register(a, open, func(ctx context.Context, in *struct {
		requested
		Body struct {
			Token string `json:"token" maxLength:"200" doc:"from the link"`
		}
	}) (*signedIn, error) {
		if !sameOrigin(in.request) {
			return nil, access.ErrCSRF // nobody signs another's browser in
		}
		secret, s, err := a.sessions.Open(ctx, in.Body.Token)
		if err != nil {
			return nil, err
		}
		// A session that the browser had before is replaced, and ends.
		if before, ok := a.secretOf(in.request); ok {
			if err := a.sessions.End(ctx, before); err != nil {
				return nil, err
			}
		}
		return &signedIn{a.sessionCookie(in.request, secret).String(), session(s, secret)}, nil
	})

	register(a, a.public(http.MethodGet, "sessions/current", "show-session", "The session of the request's cookie"),
		func(ctx context.Context, in *requestedOnly) (*body[gateway.Session], error) {
			c, err := a.sessionOf(in.request)
			if err != nil {
				return nil, err
			}
			return &body[gateway.Session]{session(c.session, c.secret)}, nil
		})

	register(a, a.public(http.MethodDelete, "sessions/current", "end-session", "Sign out"),
		func(ctx context.Context, in *requestedOnly) (*signedOut, error) {
			c, err := a.sessionOf(in.request)
			if err != nil {
				return nil, err
			}
			if err := a.sessions.End(ctx, c.secret); err != nil {
				return nil, err
			}
			gone := a.sessionCookie(in.request, "")
			gone.MaxAge = -1
			return &signedOut{gone.String()}, nil
		})

	all := a.operation(access.Admin, http.MethodDelete, "sessions", "end-sessions", "Sign every browser out")
	all.Description += " Also the caller's own, and links that nobody followed yet work no more. API keys stay as they are."
	all.DefaultStatus = http.StatusNoContent
	register(a, all, func(ctx context.Context, _ *struct{}) (*struct{}, error) { return nil, a.sessions.EndAll(ctx) })
}

type requestedOnly struct{ requested }

// sessionOf admits a browser, whatever it may do.
func (a *api) sessionOf(r *http.Request) (*caller, error) {
	secret, ok := a.secretOf(r)
	if !ok {
		return nil, access.ErrSession
	}
	return a.admitSession(r, secret, "")
}

// sessionCookie is the cookie of a session: for this host's HTTP only, never
// readable by scripts, never sent along by other sites. It goes when the
// browser is closed.
func (a *api) sessionCookie(r *http.Request, secret string) *http.Cookie {
	c := &http.Cookie{Name: a.cookie, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: secure(r)}
	if c.Secure {
		c.Name = hostOnly + c.Name
	}
	return c
}

func session(s *access.Session, secret string) gateway.Session {
	scopes := make([]string, len(s.Scopes))
	for i, sc := range s.Scopes {
		scopes[i] = string(sc)
	}
	return gateway.Session{Name: s.Name, Scopes: scopes, CSRF: access.CSRF(secret), Expires: s.Ends.UnixMilli(), Idle: access.IdleFor.Milliseconds()}
}
