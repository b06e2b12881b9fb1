package httpapi

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/internal/httpkit"
)

// The operator's administration. Everything here can be done by anybody who
// runs a message bus; gateways detect what touches messages.

type mailboxBody struct {
	Addr    string `json:"addr"`
	DID     string `json:"did"`
	Inst    uint64 `json:"inst"`
	PP      int    `json:"pp"`
	Created int64  `json:"created" doc:"ms since 1970"`
	Login   int64  `json:"login" doc:"last login, ms since 1970"`
}

type messageBody struct {
	Seq     uint64 `json:"seq"`
	Subject string `json:"subject"`
	Data    string `json:"data" doc:"base64url"`
	Time    int64  `json:"time" doc:"ms since 1970"`
}

// BoxPath names a mailbox in an operator's request.
type BoxPath struct {
	Auth
	Addr string `path:"addr" maxLength:"26" doc:"address of the mailbox"`
}

func (a *api) operatorKey(in Auth) error { return a.admin.Check(httpkit.BearerOf(in.Authorization)) }

func adminOp(id, method, path, summary string) huma.Operation {
	return secured(op(id, method, "admin/"+path, summary, "admin"))
}

func (a *api) operator(api huma.API) {
	a.operatorReads(api)
	a.operatorMailbox(api)

	type publishIn struct {
		Auth
		Body struct {
			Subject string `json:"subject" maxLength:"64"`
			Data    string `json:"data" doc:"base64url"`
		}
	}
	type seq struct {
		Seq uint64 `json:"seq"`
	}
	huma.Register(api, adminOp("admin-publish", http.MethodPost, "publish", "Store bytes under any subject"),
		func(ctx context.Context, i *publishIn) (*body[seq], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			data, err := decode(i.Body.Data)
			if err != nil {
				return nil, err
			}
			n, err := a.b.Publish(ctx, i.Body.Subject, data)
			return &body[seq]{seq{n}}, err
		})

	type kickIn struct {
		Auth
		Body struct {
			DID     string `json:"did" maxLength:"256"`
			Seconds int64  `json:"seconds" minimum:"0" doc:"how long the participant is refused; 0: its tokens are void, it may log in again"`
			Reason  string `json:"reason" maxLength:"1000"`
		}
	}
	type closed struct {
		Closed int `json:"closed" doc:"connections that were closed"`
	}
	huma.Register(api, adminOp("admin-kick", http.MethodPost, "kick", "Disconnect a participant and refuse it for a time"),
		func(ctx context.Context, i *kickIn) (*body[closed], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			n, err := a.b.Kick(ctx, i.Body.DID, seconds(i.Body.Seconds), i.Body.Reason)
			return &body[closed]{closed{n}}, err
		})
}

func (a *api) operatorReads(api huma.API) {
	type listIn struct {
		Auth
		After string `query:"after" maxLength:"26" doc:"address to continue after"`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	type list struct {
		Mailboxes []mailboxBody `json:"mailboxes"`
		Next      string        `json:"next,omitempty" doc:"value of after for the next page"`
	}
	huma.Register(api, adminOp("admin-mailboxes", http.MethodGet, "mailboxes", "List mailboxes"),
		func(ctx context.Context, i *listIn) (*body[list], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			all, err := a.b.Store.Mailboxes(ctx, i.After, i.Limit)
			if err != nil {
				return nil, err
			}
			out := list{Mailboxes: []mailboxBody{}}
			for _, m := range all {
				out.Mailboxes = append(out.Mailboxes, mailboxBody(m))
			}
			if len(all) == i.Limit {
				out.Next = all[len(all)-1].Addr
			}
			return &body[list]{out}, nil
		})

	type messagesIn struct {
		BoxPath
		After uint64 `query:"after" doc:"sequence to continue after"`
		Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
	}
	type messages struct {
		Messages []messageBody `json:"messages"`
	}
	huma.Register(api, adminOp("admin-messages", http.MethodGet, "mailboxes/{addr}/messages", "List the stored messages of a mailbox"),
		func(ctx context.Context, i *messagesIn) (*body[messages], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			all, err := a.b.Messages(ctx, i.Addr, i.After, i.Limit)
			if err != nil {
				return nil, err
			}
			out := messages{Messages: []messageBody{}}
			for _, m := range all {
				out.Messages = append(out.Messages, messageBody{Seq: m.Seq, Subject: m.Subject, Time: m.Time, Data: base64.RawURLEncoding.EncodeToString(m.Data)})
			}
			return &body[messages]{out}, nil
		})
}

func (a *api) operatorMailbox(api huma.API) {
	type pauseIn struct {
		BoxPath
		Body struct {
			Seconds int64 `json:"seconds" minimum:"1"`
		}
	}
	huma.Register(api, adminOp("admin-pause", http.MethodPost, "mailboxes/{addr}/pause", "Stop delivery for a time"),
		func(ctx context.Context, i *pauseIn) (*body[empty], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			return &body[empty]{}, a.b.Pause(ctx, i.Addr, seconds(i.Body.Seconds))
		})
	huma.Register(api, adminOp("admin-resume", http.MethodPost, "mailboxes/{addr}/resume", "Resume delivery"),
		func(ctx context.Context, i *BoxPath) (*body[empty], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			return &body[empty]{}, a.b.Pause(ctx, i.Addr, 0)
		})

	type deleteIn struct {
		BoxPath
		Seq   uint64 `path:"seq"`
		Query string `query:"reason" maxLength:"1000" doc:"why; or in the body"`
		Body  *struct {
			Reason string `json:"reason" maxLength:"1000"`
		} `required:"false"`
	}
	huma.Register(api, adminOp("admin-delete", http.MethodDelete, "mailboxes/{addr}/messages/{seq}", "Remove a stored message"),
		func(ctx context.Context, i *deleteIn) (*body[empty], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			reason := i.Query
			if i.Body != nil && i.Body.Reason != "" {
				reason = i.Body.Reason
			}
			return &body[empty]{}, a.b.Delete(ctx, i.Addr, i.Seq, reason)
		})

	type rewindIn struct {
		BoxPath
		Body struct {
			Seq uint64 `json:"seq"`
		}
	}
	huma.Register(api, adminOp("admin-rewind", http.MethodPost, "mailboxes/{addr}/rewind", "Deliver again from a sequence, or skip to it"),
		func(ctx context.Context, i *rewindIn) (*body[empty], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			return &body[empty]{}, a.b.Rewind(ctx, i.Addr, i.Body.Seq)
		})

	type purgeIn struct {
		BoxPath
		Body struct {
			Sender string `json:"sender" maxLength:"26" doc:"address of the sender, or *"`
			Reason string `json:"reason" maxLength:"1000"`
		}
	}
	type removed struct {
		Removed uint64 `json:"removed"`
	}
	huma.Register(api, adminOp("admin-purge", http.MethodPost, "mailboxes/{addr}/purge", "Remove a sender's messages from a mailbox"),
		func(ctx context.Context, i *purgeIn) (*body[removed], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			n, err := a.b.Purge(ctx, i.Addr, i.Body.Sender, i.Body.Reason)
			return &body[removed]{removed{n}}, err
		})
}
