package httpapi

import (
	"context"
	"encoding/base64"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/vc"
)

// Status is a status list with what shows that it is the newest.
type Status struct {
	List        string `json:"list" maxLength:"90000" doc:"bytes of the status list credential, base64url"`
	Freshness   string `json:"freshness" maxLength:"4096" doc:"spine/status structure, base64url"`
	Certificate string `json:"certificate" maxLength:"4096" doc:"instance certificate whose key signed the freshness, base64url"`
}

type statusIn struct {
	Auth
	Body Status
}

type statusQuery struct {
	List string `query:"list" required:"true" maxLength:"512" doc:"id of the list, <issuer's did>/status/<name>"`
}

type statusOut struct {
	Body Status
}

func (s *Server) statusAPI() {
	huma.Register(s.kit.API, signedIn(operation("PUT", "/status-lists", "publish-status", "Store one's own status list, or a new freshness for it", "status", 204)),
		func(ctx context.Context, in *statusIn) (*struct{}, error) {
			caller, err := s.session(ctx, in.Auth)
			if err != nil {
				return nil, err
			}
			var p vc.StatusProof
			for _, f := range []struct {
				to         *[]byte
				where, str string
			}{{&p.List, "body.list", in.Body.List}, {&p.Freshness, "body.freshness", in.Body.Freshness}, {&p.Certificate, "body.certificate", in.Body.Certificate}} {
				if *f.to, err = unbase64(f.where, f.str); err != nil {
					return nil, err
				}
			}
			return nil, s.hub.PutStatusList(ctx, caller.DID, &p)
		})
	huma.Register(s.kit.API, operation("GET", "/status", "get-status", "Read a status list with its newest freshness", "status", 200),
		func(ctx context.Context, in *statusQuery) (*statusOut, error) {
			l, err := s.hub.StatusList(ctx, in.List)
			if err != nil {
				return nil, err
			}
			text := base64.RawURLEncoding.EncodeToString
			return &statusOut{Status{List: text(l.List), Freshness: text(l.Freshness), Certificate: text(l.Certificate)}}, nil
		})
}
