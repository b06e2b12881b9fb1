package httpapi

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/hub"
)

type enrolIn struct {
	Auth
	Body struct {
		Role    string `json:"role" maxLength:"512" doc:"fully qualified role name"`
		Subject string `json:"subject,omitempty" maxLength:"300" doc:"the caller's DID, which is also the default"`
	}
}

type enrolmentOut struct{ Body *hub.Enrolment }

type enrolmentsIn struct {
	Role    string `query:"role" maxLength:"512"`
	Subject string `query:"subject" maxLength:"300"`
	Issuer  string `query:"issuer" maxLength:"300" doc:"only what this DID may decide"`
	Status  string `query:"status" enum:"requested,issued,rejected"`
	Limit   int    `query:"limit" minimum:"1" maximum:"20000"`
}

type enrolmentsOut struct {
	Body struct {
		Enrolments []hub.Enrolment `json:"enrolments" doc:"oldest first"`
	}
}

type enrolmentIn struct {
	ID string `path:"id" maxLength:"64"`
}

type rejectIn struct {
	Auth
	ID   string `path:"id" maxLength:"64"`
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"500" doc:"shown to the subject"`
	} `required:"false"`
}

func (s *Server) enrolmentAPI() {
	huma.Register(s.kit.API, signedIn(operation("POST", "/enrolments", "request-role", "Request a role for oneself", "enrolments", 201)),
		func(ctx context.Context, in *enrolIn) (*enrolmentOut, error) {
			caller, err := s.session(ctx, in.Auth)
			if err != nil {
				return nil, err
			}
			if in.Body.Subject != "" && in.Body.Subject != caller.DID {
				return nil, hub.ErrNotSubject
			}
			e, err := s.hub.RequestRole(ctx, caller.DID, in.Body.Role)
			return &enrolmentOut{e}, err
		})
	huma.Register(s.kit.API, operation("GET", "/enrolments", "list-enrolments", "List enrolments", "enrolments", 200),
		func(ctx context.Context, in *enrolmentsIn) (*enrolmentsOut, error) {
			list, err := s.hub.Enrolments(ctx, hub.EnrolmentFilter{Role: in.Role, Subject: in.Subject, Issuer: in.Issuer, Status: in.Status, Limit: in.Limit})
			if err != nil {
				return nil, err
			}
			var out enrolmentsOut
			out.Body.Enrolments = filled(list)
			return &out, nil
		})
	huma.Register(s.kit.API, operation("GET", "/enrolments/{id}", "get-enrolment", "Read an enrolment", "enrolments", 200),
		func(ctx context.Context, in *enrolmentIn) (*enrolmentOut, error) {
			e, err := s.hub.Enrolment(ctx, in.ID)
			return &enrolmentOut{e}, err
		})
	huma.Register(s.kit.API, signedIn(operation("POST", "/enrolments/{id}/reject", "reject-enrolment", "Reject a request, as issuer, or withdraw it, as subject", "enrolments", 200)),
		func(ctx context.Context, in *rejectIn) (*enrolmentOut, error) {
			caller, err := s.session(ctx, in.Auth)
			if err != nil {
				return nil, err
			}
			reason := ""
			if in.Body != nil {
				reason = in.Body.Reason
			}
			e, err := s.hub.Reject(ctx, caller.DID, in.ID, reason)
			return &enrolmentOut{e}, err
		})
}
