package httpapi

import (
	"context"
	"net/http"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
)

// Contacts are the names that people gave to DIDs; *contacts.Book is one.
type Contacts interface {
	Name(did string) string
	List() []gateway.Contact
	Put(ctx context.Context, did, name string) (*gateway.Contact, error)
	Delete(ctx context.Context, did string) error
}

// name returns the name of a DID, "" when it has none.
func (a *api) name(did string) string {
	if a.Contacts == nil {
		return ""
	}
	return a.Contacts.Name(did)
}

// contactPaths registers the names that people gave to DIDs.
func (a *api) contactPaths() {
	type contactList struct {
		Contacts []gateway.Contact `json:"contacts"`
	}
	register(a, a.operation("", http.MethodGet, "contacts", "list-contacts", "List the names given to DIDs"),
		func(context.Context, *struct{}) (*body[contactList], error) {
			l := []gateway.Contact{}
			if a.Contacts != nil {
				l = a.Contacts.List()
			}
			return &body[contactList]{contactList{l}}, nil
		})
	register(a, a.operation(access.Admin, http.MethodPut, "contacts/{did}", "put-contact", "Give a DID a name, known to this gateway only"),
		func(ctx context.Context, in *struct {
			DID  string `path:"did" maxLength:"256"`
			Body struct {
				Name string `json:"name" minLength:"1" maxLength:"100" doc:"visible text"`
			}
		}) (*body[gateway.Contact], error) {
			if a.Contacts == nil {
				return nil, errNotWired
			}
			c, err := a.Contacts.Put(ctx, in.DID, in.Body.Name)
			return answer(c, err)
		})
	register(a, a.operation(access.Admin, http.MethodDelete, "contacts/{did}", "delete-contact", "Take a name away"),
		func(ctx context.Context, in *struct {
			DID string `path:"did" maxLength:"256"`
		}) (*struct{}, error) {
			if a.Contacts == nil {
				return nil, errNotWired
			}
			return nil, a.Contacts.Delete(ctx, in.DID)
		})
}
