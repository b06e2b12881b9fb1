package httpapi

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/did"
	"github.com/digital-spine/spine/hub"
)

type nameIn struct {
	Name string `path:"name" maxLength:"512" doc:"a name in any spelling; it is normalised (ENSIP-15)"`
}

type namesIn struct {
	Under string `query:"under" maxLength:"512" doc:"only this name and those below it"`
	After string `query:"after" maxLength:"512" doc:"only names that come after this one"`
	Limit int    `query:"limit" minimum:"1" maximum:"20000" doc:"names of one answer"`
}

type namesOut struct {
	Body struct {
		Names []hub.Name `json:"names"`
		Next  string     `json:"next,omitempty" doc:"ask again with this as after"`
	}
}

type nameOut struct{ Body *hub.Name }
type roleOut struct{ Body *hub.Role }

type documentIn struct {
	DID string `path:"did" maxLength:"300" doc:"did:ethr in any spelling"`
}

type documentOut struct{ Body *did.Document }

func (s *Server) nameAPI() {
	huma.Register(s.kit.API, operation("GET", "/names", "list-names", "List indexed names", "names", 200),
		func(ctx context.Context, in *namesIn) (*namesOut, error) {
			names, err := s.hub.Names(ctx, in.Under, in.After, in.Limit)
			if err != nil {
				return nil, err
			}
			var out namesOut
			out.Body.Names = filled(names)
			if n := len(names); n > 0 && (n == in.Limit || n == hub.MaxPage) {
				out.Body.Next = names[n-1].Name
			}
			return &out, nil
		})
	huma.Register(s.kit.API, operation("GET", "/names/{name}", "get-name", "Read a name", "names", 200),
		func(ctx context.Context, in *nameIn) (*nameOut, error) {
			n, err := s.hub.Name(ctx, in.Name)
			return &nameOut{n}, err
		})
	huma.Register(s.kit.API, operation("GET", "/roles/{name}", "get-role", "Read a role definition", "roles", 200),
		func(ctx context.Context, in *nameIn) (*roleOut, error) {
			r, err := s.hub.Role(ctx, in.Name)
			return &roleOut{r}, err
		})
	huma.Register(s.kit.API, operation("GET", "/dids/{did}", "get-did", "Read a DID document at the chain head", "dids", 200),
		func(ctx context.Context, in *documentIn) (*documentOut, error) {
			d, err := s.hub.Document(ctx, in.DID)
			return &documentOut{d}, err
		})
}

// filled returns an empty list for none, which JSON writes as [].
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
