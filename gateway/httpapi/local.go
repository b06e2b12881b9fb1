package httpapi

import (
	"context"
	"net/http"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/internal/problem"
)

// Named is the path parameter of resources with a name. Exported, because only
// then the parser of requests sees it where it is embedded.
type Named struct {
	Name string `path:"name" maxLength:"255" doc:"the name"`
}

// channels registers the local channels.
func (a *api) channels() {
	type channelList struct {
		Channels []gateway.Channel `json:"channels"`
	}
	register(a, a.operation(access.Send, http.MethodGet, "channels", "list-channels", "List the channels"),
		func(context.Context, *struct{}) (*body[channelList], error) {
			l := a.Channels.List()
			if l == nil {
				l = []gateway.Channel{}
			}
			return &body[channelList]{channelList{l}}, nil
		})
	register(a, a.operation(access.Send, http.MethodGet, "channels/{name}", "get-channel", "Show a channel"),
		func(_ context.Context, in *Named) (*body[gateway.Channel], error) {
			c, err := a.Channels.Channel(in.Name)
			if err != nil {
				return nil, err
			}
			return &body[gateway.Channel]{*c}, nil
		})
	type rule struct {
		Topic   string             `json:"topic" doc:"the topic's full name"`
		Version string             `json:"version,omitempty" doc:"major.minor.patch; absent: the newest when sending, any when receiving"`
		Send    *gateway.Admission `json:"send,omitempty" doc:"who may be sent to"`
		Receive *gateway.Admission `json:"receive,omitempty" doc:"whose messages are accepted"`
		Require string             `json:"require,omitempty" enum:"all,any" doc:"who must be reachable before a message goes out"`
		Lazy    bool               `json:"lazy,omitempty" doc:"messages with a file are handed over once it is described here; its content follows"`
		Name    string             `json:"name,omitempty" doc:"the name in the path"`
	}
	register(a, a.operation(access.Admin, http.MethodPut, "channels/{name}", "put-channel", "Make or replace a channel"),
		func(ctx context.Context, in *struct {
			Named
			Body rule
		}) (*body[gateway.Channel], error) {
			if in.Body.Name != "" && in.Body.Name != in.Name {
				return nil, gateway.ChannelInvalid("name", "path and body name different channels")
			}
			c, err := a.Channels.Put(ctx, gateway.Channel{
				Name: in.Name, Topic: in.Body.Topic, Version: in.Body.Version, Send: in.Body.Send, Receive: in.Body.Receive, Require: in.Body.Require, Lazy: in.Body.Lazy,
			})
			if err != nil {
				return nil, err
			}
			return &body[gateway.Channel]{*c}, nil
		})
	register(a, a.operation(access.Admin, http.MethodDelete, "channels/{name}", "delete-channel", "Delete a channel"),
		func(ctx context.Context, in *Named) (*struct{}, error) {
			return nil, a.Channels.Delete(ctx, in.Name)
		})
}

// events registers what the operator may know.
func (a *api) events() {
	type eventList struct {
		Events []gateway.Event `json:"events"`
		Next   int64           `json:"next" doc:"pass it as after to go on; with order desc as before, 0 at the end"`
	}
	register(a, a.operation(access.Admin, http.MethodGet, "events", "list-events", "What was refused, detected or repaired"),
		func(ctx context.Context, in *struct {
			After  int64  `query:"after" minimum:"0" doc:"events above this number"`
			Wait   string `query:"wait" doc:"how long to wait for the first, up to 30s"`
			Kind   string `query:"kind" enum:"refused,detected,repaired,sent,state" doc:"only this kind"`
			Code   string `query:"code" maxLength:"64" doc:"only this code"`
			Max    int    `query:"max" minimum:"0" maximum:"1000" doc:"at most this many, default 100"`
			Order  string `query:"order" enum:"asc,desc" doc:"desc: the newest first, with before in place of after and no waiting; default asc"`
			Before int64  `query:"before" minimum:"0" doc:"with order desc: events below this number; 0: the newest"`
		}) (*body[eventList], error) {
			q := events.Query{After: in.After, Kind: in.Kind, Code: in.Code, Max: in.Max}
			if in.Wait != "" {
				var err error
				if q.Wait, err = duration(in.Wait); err != nil || q.Wait < 0 {
					return nil, problem.New(http.StatusUnprocessableEntity, "query_invalid", "wait is a time such as 10s").With("member", "wait")
				}
			}
			list := a.Events.List
			if in.Order == "desc" {
				list = func(ctx context.Context, q events.Query) ([]gateway.Event, int64, error) {
					return a.Events.Newest(ctx, in.Before, q)
				}
			}
			l, next, err := list(ctx, q)
			if err != nil {
				return nil, err
			}
			if l == nil {
				l = []gateway.Event{}
			}
			return &body[eventList]{eventList{l, next}}, nil
		})
}

// keys registers the API keys.
func (a *api) keys() {
	type keyList struct {
		Keys []access.Key `json:"keys"`
	}
	type made struct {
		access.Key
		Secret string `json:"apiKey" doc:"the key to use as bearer; it is shown once"`
	}
	register(a, a.operation(access.Admin, http.MethodGet, "keys", "list-keys", "List the API keys"),
		func(context.Context, *struct{}) (*body[keyList], error) {
			return &body[keyList]{keyList{a.Keys.List()}}, nil
		})
	create := a.operation(access.Admin, http.MethodPost, "keys", "create-key", "Make an API key")
	create.DefaultStatus = http.StatusCreated
	register(a, create, func(ctx context.Context, in *struct {
		Body struct {
			Name   string         `json:"name" maxLength:"100" doc:"what it is for"`
			Scopes []access.Scope `json:"scopes" minItems:"1" doc:"send, receive, admin"`
		}
	}) (*body[made], error) {
		k, token, err := a.Keys.Create(ctx, in.Body.Name, in.Body.Scopes)
		if err != nil {
			return nil, err
		}
		return &body[made]{made{*k, token}}, nil
	})
	register(a, a.operation(access.Admin, http.MethodDelete, "keys/{id}", "delete-key", "End an API key"),
		func(ctx context.Context, in *struct {
			ID string `path:"id" maxLength:"64"`
		}) (*struct{}, error) {
			return nil, a.Keys.Delete(ctx, in.ID)
		})
}
