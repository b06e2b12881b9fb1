// Package contacts keeps the names that a gateway's people give to DIDs. A name
// is for reading only: nothing is decided by it, nobody else is told, and it
// proves nothing about who is behind the DID.
package contacts

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// Store keeps contacts durably.
type Store interface {
	// List returns all contacts.
	List(ctx context.Context) ([]gateway.Contact, error)
	// Put makes or replaces the contact of that DID.
	Put(ctx context.Context, c gateway.Contact) error
	// Delete removes a contact; none of that DID is no error.
	Delete(ctx context.Context, did string) error
}

// ErrUnknown says that a DID has no name here.
var ErrUnknown = problem.New(http.StatusNotFound, "contact_unknown", "this DID has no name here")

// Book is the set of contacts. Its methods may be called from many goroutines.
type Book struct {
	store Store
	mu    sync.RWMutex
	names map[string]string
}

// Open reads the contacts of a store.
func Open(ctx context.Context, s Store) (*Book, error) {
	b := &Book{store: s}
	if err := b.read(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// read takes the names as the store has them.
func (b *Book) read(ctx context.Context) error {
	list, err := b.store.List(ctx)
	if err != nil {
		return err
	}
	b.names = make(map[string]string, len(list))
	for _, c := range list {
		b.names[c.DID] = c.Name
	}
	return nil
}

// failed is the error of a change that the store may have made in spite of it.
// The caller holds the lock.
func (b *Book) failed(ctx context.Context, err error) error {
	return errors.Join(err, b.read(context.WithoutCancel(ctx)))
}

// Name returns the name of a DID in normal form, "" when it has none. A nil
// book knows no names.
func (b *Book) Name(did string) string {
	if b == nil {
		return ""
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.names[did]
}

// List returns all contacts, sorted by name.
func (b *Book) List() []gateway.Contact {
	b.mu.RLock()
	out := make([]gateway.Contact, 0, len(b.names))
	for did, name := range b.names {
		out = append(out, gateway.Contact{DID: did, Name: name})
	}
	b.mu.RUnlock()
	slices.SortFunc(out, func(x, y gateway.Contact) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.DID, y.DID))
	})
	return out
}

// Put gives a DID a name. Codes contact_invalid, contacts_full.
func (b *Book) Put(ctx context.Context, did, name string) (*gateway.Contact, error) {
	did, err := ethr.Normalize(did)
	if err != nil {
		return nil, invalid("that is not a DID that this network knows").Wrap(err)
	}
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 100 || !utf8.ValidString(name) || strings.ContainsFunc(name, hidden) {
		return nil, invalid("a name is 1 to 100 bytes of visible text")
	}
	c := gateway.Contact{DID: did, Name: name}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.names[did]; !known && len(b.names) >= gateway.MaxContacts {
		return nil, problem.New(http.StatusConflict, "contacts_full", "there are as many contacts as there may be")
	}
	if err := b.store.Put(ctx, c); err != nil {
		return nil, b.failed(ctx, err)
	}
	b.names[did] = name
	return &c, nil
}

// Delete takes the name of a DID away; code contact_unknown.
func (b *Book) Delete(ctx context.Context, did string) error {
	if normal, err := ethr.Normalize(did); err == nil {
		did = normal
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.names[did]; !known {
		return ErrUnknown
	}
	if err := b.store.Delete(ctx, did); err != nil {
		return b.failed(ctx, err)
	}
	delete(b.names, did)
	return nil
}

func invalid(message string) *problem.Error {
	return problem.New(http.StatusUnprocessableEntity, "contact_invalid", message)
}

// hidden reports whether a rune could make a name look like another: control
// characters, and those that turn the direction of writing or have no width.
func hidden(r rune) bool {
	return !unicode.IsPrint(r)
}
