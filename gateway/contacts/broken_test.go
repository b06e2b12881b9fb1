package contacts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/contacts"
)

const someone = "did:ethr:volta:0x00000000000000000000000000000000000000aa"

// breaking is a store in memory of which one change breaks off.
type breaking struct {
	names map[string]string
	left  int  // changes until the one that breaks off
	after bool // it is made all the same
}

func (b *breaking) change(make func()) error {
	b.left--
	if b.left != 0 || b.after {
		make()
	}
	if b.left == 0 {
		return errors.New("the answer is lost")
	}
	return nil
}

func (b *breaking) List(context.Context) (out []gateway.Contact, err error) {
	for did, name := range b.names {
		out = append(out, gateway.Contact{DID: did, Name: name})
	}
	return out, nil
}

func (b *breaking) Put(_ context.Context, c gateway.Contact) error {
	return b.change(func() { b.names[c.DID] = c.Name })
}

func (b *breaking) Delete(_ context.Context, did string) error {
	return b.change(func() { delete(b.names, did) })
}

// TestABookHasWhatItsStoreHas: after each change, also one that broke off and
// may have been made, names are those that the next start finds.
func TestABookHasWhatItsStoreHas(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; n <= 4; n++ {
			t.Run(fmt.Sprintf("change %d, made %v", n, after), func(t *testing.T) {
				ctx := t.Context()
				s := &breaking{names: map[string]string{}, left: n, after: after}
				b, err := contacts.Open(ctx, s)
				if err != nil {
					t.Fatal(err)
				}
				failed := 0
				for _, change := range []func() error{
					func() error { _, err := b.Put(ctx, someone, "first"); return err },
					func() error { _, err := b.Put(ctx, someone, "second"); return err },
					func() error { return b.Delete(ctx, someone) },
					func() error { _, err := b.Put(ctx, someone, "third"); return err },
				} {
					if err := change(); err != nil {
						failed++
					}
					next, err := contacts.Open(ctx, s)
					if err != nil {
						t.Fatal(err)
					}
					if got, want := b.List(), next.List(); !slices.Equal(got, want) {
						t.Errorf("%v, and after a start %v", got, want)
					}
				}
				if failed == 0 {
					t.Error("nothing broke off")
				}
			})
		}
	}
}
