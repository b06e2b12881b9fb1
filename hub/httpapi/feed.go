package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/problem"
)

type feedIn struct {
	After int64  `query:"after" minimum:"0" doc:"next of the answer before; 0 for all that is kept"`
	Wait  string `query:"wait" maxLength:"16" doc:"how long to wait for the first event, such as 20s; at most 30s"`
}

type feedOut struct {
	Body struct {
		Events []hub.Event `json:"events"`
		Next   int64       `json:"next" doc:"ask again with this as after"`
		Reset  bool        `json:"reset,omitempty" doc:"events were forgotten in between: look everything up anew"`
	}
}

type adminIn struct{ Auth }

type statsOut struct{ Body *hub.Stats }

type resyncIn struct {
	Auth
	Body struct {
		From uint64 `json:"from" doc:"block to read again from"`
	}
}

type dropIn struct {
	Auth
	DigestIn
}

func (s *Server) feedAPI() {
	huma.Register(s.kit.API, operation("GET", "/feed", "feed", "Wait for changes (long poll)", "feed", 200),
		func(ctx context.Context, in *feedIn) (*feedOut, error) {
			var wait time.Duration
			if in.Wait != "" {
				var err error
				if wait, err = time.ParseDuration(in.Wait); err != nil || wait < 0 {
					return nil, problem.New(http.StatusUnprocessableEntity, "duration", "wait is not a duration").WithHint("such as 500ms or 20s")
				}
			}
			events, next, reset, err := s.hub.Events(ctx, in.After, wait)
			if err != nil {
				return nil, err
			}
			var out feedOut
			out.Body.Events, out.Body.Next, out.Body.Reset = filled(events), next, reset
			return &out, nil
		})
}

func (s *Server) adminAPI() {
	huma.Register(s.kit.API, signedIn(operation("GET", "/admin/stats", "admin-stats", "Count what the hub holds", "admin", 200)),
		func(ctx context.Context, in *adminIn) (*statsOut, error) {
			if err := s.operator(in.Auth); err != nil {
				return nil, err
			}
			st, err := s.hub.Stats(ctx)
			return &statsOut{st}, err
		})
	huma.Register(s.kit.API, signedIn(operation("POST", "/admin/resync", "admin-resync", "Read the chain again", "admin", 202)),
		func(ctx context.Context, in *resyncIn) (*struct{}, error) {
			if err := s.operator(in.Auth); err != nil {
				return nil, err
			}
			if s.chain == nil {
				return nil, hub.ErrChainAway
			}
			return nil, s.chain.Resync(ctx, in.Body.From)
		})
	huma.Register(s.kit.API, signedIn(operation("DELETE", "/admin/credentials/{digest}", "admin-drop-credential", "Stop serving a credential", "admin", 204)),
		func(ctx context.Context, in *dropIn) (*struct{}, error) {
			if err := s.operator(in.Auth); err != nil {
				return nil, err
			}
			digest, err := parseDigest(in.Digest)
			if err != nil {
				return nil, err
			}
			return nil, s.hub.DropCredential(ctx, digest)
		})
}
