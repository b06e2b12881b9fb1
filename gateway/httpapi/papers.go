package httpapi

import (
	"context"
	"net/http"

	"github.com/digital-spine/spine/gateway/access"
)

// identity registers who this gateway is.
func (a *api) identity() {
	register(a, a.operation(access.Receive, http.MethodGet, "identity", "identity", "Who this gateway is"),
		func(ctx context.Context, _ *struct{}) (*body[About], error) {
			if a.Identity == nil {
				return nil, errNotWired
			}
			return &body[About]{a.Identity.About(ctx)}, nil
		})
}

// owner registers what this gateway's DID owns on the chain.
func (a *api) owner() {
	register(a, a.operation(access.Admin, http.MethodPut, "topics/{name}", "put-topic", "Publish a topic, signed by this gateway's DID"),
		func(ctx context.Context, in *struct {
			Named
			Body TopicSpec
		}) (*body[Topic], error) {
			t, err := a.Owner.PutTopic(ctx, in.Name, in.Body)
			return answer(t, err)
		})
	register(a, a.operation(access.Send, http.MethodGet, "topics/{name}", "get-topic", "Show a topic as the directory serves it, its signature not judged"),
		func(ctx context.Context, in *struct {
			Named
			Version string `query:"version" maxLength:"32" doc:"major.minor.patch; absent: the newest in force"`
		}) (*body[Topic], error) {
			t, err := a.Owner.Topic(ctx, in.Name, in.Version)
			return answer(t, err)
		})
	register(a, a.operation(access.Admin, http.MethodPut, "names/{name}", "put-name", "Make or change a name on the chain"),
		func(ctx context.Context, in *struct {
			Named
			Body NameSpec
		}) (*body[Name], error) {
			n, err := a.Owner.PutName(ctx, in.Name, in.Body)
			return answer(n, err)
		})
	register(a, a.operation(access.Send, http.MethodGet, "names/{name}", "get-name", "Show a name as the chain has it"),
		func(ctx context.Context, in *Named) (*body[Name], error) {
			n, err := a.Owner.Name(ctx, in.Name)
			return answer(n, err)
		})
}

// roles registers enrolments and credentials.
func (a *api) roles() {
	type enrolments struct {
		Enrolments []Enrolment `json:"enrolments"`
	}
	type credentials struct {
		Held   []Credential `json:"held" doc:"credentials of this gateway's DID, verified"`
		Issued []Credential `json:"issued" doc:"credentials that this gateway issued"`
	}
	type holders struct {
		Holders []Credential `json:"holders" doc:"who holds the role, by credentials that this gateway verified"`
	}
	type reason struct {
		Reason string `json:"reason,omitempty" maxLength:"500" doc:"kept by the issuer"`
	}
	create := a.operation(access.Admin, http.MethodPost, "enrolments", "request-role", "Ask for a role")
	create.DefaultStatus = http.StatusCreated
	register(a, create, func(ctx context.Context, in *struct {
		Body struct {
			Role string `json:"role" maxLength:"255" doc:"full name of the role"`
		}
	}) (*body[Enrolment], error) {
		e, err := a.Roles.Request(ctx, in.Body.Role)
		return answer(e, err)
	})
	register(a, a.operation(access.Admin, http.MethodGet, "enrolments", "list-enrolments", "List requests for roles"),
		func(ctx context.Context, in *struct {
			Role    string `query:"role" maxLength:"255"`
			Subject string `query:"subject" maxLength:"256"`
			Issuer  string `query:"issuer" maxLength:"256" doc:"whom the role's definition names as issuer"`
			Status  string `query:"status" enum:"requested,issued,rejected"`
		}) (*body[enrolments], error) {
			l, err := a.Roles.Enrolments(ctx, EnrolmentFilter(*in))
			if l == nil {
				l = []Enrolment{}
			}
			return answer(&enrolments{l}, err)
		})
	register(a, a.operation(access.Admin, http.MethodPost, "enrolments/{id}/issue", "issue-credential", "Issue the credential that was asked for"),
		func(ctx context.Context, in *struct {
			ID   string `path:"id" maxLength:"200"`
			Body *struct {
				ValidUntil int64 `json:"validUntil,omitempty" minimum:"0" doc:"ms since 1970; absent: no end"`
			} `required:"false"`
		}) (*body[Credential], error) {
			var until int64
			if in.Body != nil {
				until = in.Body.ValidUntil
			}
			c, err := a.Roles.Issue(ctx, in.ID, until)
			return answer(c, err)
		})
	register(a, a.operation(access.Admin, http.MethodPost, "enrolments/{id}/reject", "reject-enrolment", "Refuse a request for a role"),
		func(ctx context.Context, in *struct {
			ID   string  `path:"id" maxLength:"200"`
			Body *reason `required:"false"`
		}) (*struct{}, error) {
			var text string
			if in.Body != nil {
				text = in.Body.Reason
			}
			return nil, a.Roles.Reject(ctx, in.ID, text)
		})
	register(a, a.operation(access.Admin, http.MethodPost, "credentials/{digest}/revoke", "revoke-credential", "Revoke a credential that this gateway issued, at once"),
		func(ctx context.Context, in *struct {
			Digest string  `path:"digest" pattern:"^[0-9a-f]{64}$"`
			Body   *reason `required:"false"`
		}) (*struct{}, error) {
			var text string
			if in.Body != nil {
				text = in.Body.Reason
			}
			return nil, a.Roles.Revoke(ctx, in.Digest, text)
		})
	register(a, a.operation(access.Admin, http.MethodGet, "credentials", "list-credentials", "Credentials held and issued"),
		func(ctx context.Context, _ *struct{}) (*body[credentials], error) {
			held, issued, err := a.Roles.Credentials(ctx)
			if held == nil {
				held = []Credential{}
			}
			if issued == nil {
				issued = []Credential{}
			}
			return answer(&credentials{held, issued}, err)
		})
	register(a, a.operation(access.Send, http.MethodGet, "roles/{name}/holders", "list-holders", "Who holds a role"),
		func(ctx context.Context, in *Named) (*body[holders], error) {
			l, err := a.Roles.Holders(ctx, in.Name)
			if l == nil {
				l = []Credential{}
			}
			return answer(&holders{l}, err)
		})
}

func answer[T any](v *T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{*v}, nil
}
