package httpapi

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/internal/problem"
)

type challengeOut struct {
	Body struct {
		Nonce string `json:"nonce" doc:"32 bytes, base64url; good for one login within 60 s"`
	}
}

type loginIn struct {
	Body struct {
		Certificate string `json:"certificate" maxLength:"4096" doc:"instance certificate, base64url"`
		Login       string `json:"login" maxLength:"4096" doc:"spine/login structure signed by the certificate's key, base64url"`
	}
}

// Network are the constants that every member of the network must have.
type Network struct {
	RetentionMS int64 `json:"retention_ms"`
	StatusTTLMS int64 `json:"status_ttl_ms"`
	Wire        int64 `json:"wire"`
	Cap         int64 `json:"cap"`
}

type loginOut struct {
	Body struct {
		Token   string  `json:"token"`
		Expires int64   `json:"expires" doc:"ms since 1970"`
		Network Network `json:"network"`
	}
}

func (s *Server) loginAPI() {
	huma.Register(s.kit.API, operation("POST", "/challenge", "challenge", "Ask for a nonce to log in with", "login", 200),
		func(context.Context, *struct{}) (*challengeOut, error) {
			n := s.hub.Challenge()
			var out challengeOut
			out.Body.Nonce = base64.RawURLEncoding.EncodeToString(n[:])
			return &out, nil
		})
	huma.Register(s.kit.API, operation("POST", "/login", "login", "Log in with an instance certificate", "login", 200), func(ctx context.Context, in *loginIn) (*loginOut, error) {
		certificate, err := unbase64("body.certificate", in.Body.Certificate)
		if err != nil {
			return nil, err
		}
		login, err := unbase64("body.login", in.Body.Login)
		if err != nil {
			return nil, err
		}
		token, expires, err := s.hub.Login(ctx, certificate, login)
		if err != nil {
			return nil, err
		}
		var out loginOut
		n := s.hub.Network()
		out.Body.Token, out.Body.Expires = token, expires
		out.Body.Network = Network{RetentionMS: n.RetentionMS, StatusTTLMS: n.StatusTTLMS, Wire: n.Wire, Cap: n.Cap}
		return &out, nil
	})
}

// unbase64 decodes base64url without padding.
func unbase64(where, s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, problem.New(http.StatusUnprocessableEntity, "base64", where+" is not base64url without padding").With("location", where)
	}
	return b, nil
}
