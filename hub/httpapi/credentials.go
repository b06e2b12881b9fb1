package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/problem"
)

type credentialIn struct {
	Auth
	RawBody []byte `contentType:"application/vc+json" doc:"the credential's bytes as they were issued"`
}

type digestOut struct {
	Body struct {
		Digest string `json:"digest" doc:"SHA-256 of the bytes, lower hex"`
	}
}

// DigestIn is the path of what is named by a digest.
type DigestIn struct {
	Digest string `path:"digest" minLength:"64" maxLength:"64" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of the credential's bytes, lower hex"`
}

type rawOut struct {
	ContentType string `header:"Content-Type"`
	Cache       string `header:"Cache-Control"`
	ETag        string `header:"ETag"`
	Body        []byte
}

type subjectIn struct {
	Subject string `query:"subject" required:"true" maxLength:"300"`
	Role    string `query:"role" maxLength:"512"`
	Limit   int    `query:"limit" minimum:"1" maximum:"20000"`
}

// Held is one credential in a list.
type Held struct {
	Digest     string `json:"digest" doc:"lower hex"`
	Role       string `json:"role"`
	Issuer     string `json:"issuer"`
	ValidFrom  int64  `json:"validFrom" doc:"ms since 1970"`
	ValidUntil int64  `json:"validUntil,omitempty" doc:"ms since 1970; absent: no end"`
	List       string `json:"list" doc:"id of the status list"`
	Index      uint64 `json:"index" doc:"bit in the status list"`
	Revoked    int64  `json:"revoked,omitempty" doc:"ms since 1970 when the hub learnt of a revocation"`
}

type heldOut struct {
	Body struct {
		Credentials []Held `json:"credentials"`
	}
}

type holdersIn struct {
	Name  string `path:"name" maxLength:"512"`
	After string `query:"after" maxLength:"400" doc:"next of the answer before"`
	Limit int    `query:"limit" minimum:"1" maximum:"20000"`
}

// Holder is a DID that holds a role, as far as the hub knows.
type Holder struct {
	DID        string `json:"did"`
	Credential string `json:"credential" doc:"digest, lower hex"`
	ValidUntil int64  `json:"validUntil,omitempty" doc:"ms since 1970; absent: no end"`
}

type holdersOut struct {
	Body struct {
		Holders []Holder `json:"holders"`
		Next    string   `json:"next,omitempty" doc:"ask again with this as after"`
	}
}

func (s *Server) credentialAPI() {
	huma.Register(s.kit.API, signedIn(operation("POST", "/credentials", "publish-credential", "Store a credential that somebody signed", "credentials", 201)), func(ctx context.Context, in *credentialIn) (*digestOut, error) {
		if _, err := s.session(ctx, in.Auth); err != nil {
			return nil, err
		}
		digest, err := s.hub.PutCredential(ctx, in.RawBody)
		if err != nil {
			return nil, err
		}
		var out digestOut
		out.Body.Digest = hex.EncodeToString(digest[:])
		return &out, nil
	})
	huma.Register(s.kit.API, answers(operation("GET", "/credentials/{digest}", "get-credential", "Read a credential's bytes", "credentials", 200), "application/vc+json", "the bytes as they were issued"),
		func(ctx context.Context, in *DigestIn) (*rawOut, error) {
			digest, err := parseDigest(in.Digest)
			if err != nil {
				return nil, err
			}
			raw, err := s.hub.Credential(ctx, digest)
			if err != nil {
				return nil, err
			}
			return &rawOut{ContentType: "application/vc+json", Cache: "public, max-age=31536000, immutable", ETag: `"` + in.Digest + `"`, Body: raw}, nil
		})
	huma.Register(s.kit.API, operation("GET", "/credentials", "list-credentials", "List a subject's credentials, also ended ones", "credentials", 200),
		func(ctx context.Context, in *subjectIn) (*heldOut, error) {
			list, err := s.hub.CredentialsOf(ctx, in.Subject, in.Role, in.Limit)
			if err != nil {
				return nil, err
			}
			var out heldOut
			out.Body.Credentials = make([]Held, 0, len(list))
			for _, c := range list {
				out.Body.Credentials = append(out.Body.Credentials, Held{Digest: hex.EncodeToString(c.Digest[:]), Role: c.Role, Issuer: c.Issuer,
					ValidFrom: c.ValidFrom, ValidUntil: c.ValidUntil, List: c.StatusList, Index: c.StatusIndex, Revoked: c.Revoked})
			}
			return &out, nil
		})
	huma.Register(s.kit.API, operation("GET", "/roles/{name}/holders", "list-holders", "List who holds a role, as far as the hub knows", "roles", 200),
		func(ctx context.Context, in *holdersIn) (*holdersOut, error) {
			subject, digest, err := parseAfter(in.After)
			if err != nil {
				return nil, err
			}
			list, err := s.hub.Holders(ctx, in.Name, subject, digest, in.Limit)
			if err != nil {
				return nil, err
			}
			var out holdersOut
			out.Body.Holders = make([]Holder, 0, len(list))
			for _, c := range list {
				out.Body.Holders = append(out.Body.Holders, Holder{DID: c.Subject, Credential: hex.EncodeToString(c.Digest[:]), ValidUntil: c.ValidUntil})
			}
			if n := len(list); n > 0 && (n == in.Limit || n == hub.MaxPage) {
				out.Body.Next = list[n-1].Subject + "," + hex.EncodeToString(list[n-1].Digest[:])
			}
			return &out, nil
		})
}

func parseDigest(s string) (digest [32]byte, err error) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(digest) {
		copy(digest[:], b)
		return digest, nil
	}
	return digest, problem.New(http.StatusUnprocessableEntity, "digest", "not a digest of 64 hexadecimal digits")
}

// parseAfter reads the cursor of a list of holders, "<did>,<digest>".
func parseAfter(s string) (subject string, digest [32]byte, err error) {
	if s == "" {
		return "", digest, nil
	}
	if len(s) < 66 || s[len(s)-65] != ',' {
		return "", digest, problem.New(http.StatusUnprocessableEntity, "cursor", "after is not a next of an earlier answer")
	}
	digest, err = parseDigest(s[len(s)-64:])
	return s[:len(s)-65], digest, err
}
