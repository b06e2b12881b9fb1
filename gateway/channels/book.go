// Package channels keeps the channels of a gateway: the local rules that say on
// which topics it sends and receives, to whom and from whom. Readers see one
// consistent set without locks; a change is durable before it counts.
//
// It does not ask whether topic, roles or DIDs exist: a channel may be made
// before the things it names.
package channels

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// Store keeps channels durably.
type Store interface {
	// List returns all channels.
	List(ctx context.Context) ([]gateway.Channel, error)
	// Put makes or replaces the channel of that name.
	Put(ctx context.Context, c gateway.Channel) error
	// Delete removes a channel; none of that name is no error.
	Delete(ctx context.Context, name string) error
}

// Book is the set of channels. Its methods may be called from many goroutines.
type Book struct {
	store Store
	mu    sync.Mutex // one change at a time
	now   atomic.Pointer[set]
}

// set is one state of the book; it never changes.
type set struct {
	byName  map[string]*gateway.Channel
	byTopic map[string][]gateway.Channel
	sorted  []gateway.Channel
	changed chan struct{} // closed when another set took over
}

var _ gateway.Channels = (*Book)(nil)

// Open reads the channels of a store.
func Open(ctx context.Context, s Store) (*Book, error) {
	list, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	b := &Book{store: s}
	b.now.Store(newSet(list))
	return b, nil
}

func newSet(list []gateway.Channel) *set {
	slices.SortFunc(list, func(a, b gateway.Channel) int { return strings.Compare(a.Name, b.Name) })
	s := &set{
		byName: make(map[string]*gateway.Channel, len(list)), byTopic: make(map[string][]gateway.Channel),
		sorted: list, changed: make(chan struct{}),
	}
	for i := range list {
		c := &list[i]
		s.byName[c.Name] = c
		s.byTopic[c.Topic] = append(s.byTopic[c.Topic], *c)
	}
	return s
}

// Channel implements gateway.Channels. What it returns must not be changed.
func (b *Book) Channel(name string) (*gateway.Channel, error) {
	if c, ok := b.now.Load().byName[name]; ok {
		return c, nil
	}
	return nil, gateway.ChannelUnknown(name)
}

// ForTopic implements gateway.Channels. What it returns must not be changed.
func (b *Book) ForTopic(topic string) []gateway.Channel { return b.now.Load().byTopic[topic] }

// Changed implements gateway.Channels.
func (b *Book) Changed() <-chan struct{} { return b.now.Load().changed }

// List returns all channels, sorted by name; they must not be changed.
func (b *Book) List() []gateway.Channel { return b.now.Load().sorted }

// Put makes or replaces a channel, after bringing its DIDs and names to normal
// form, and returns it as it is kept. Code channel_invalid; channels_full.
func (b *Book) Put(ctx context.Context, c gateway.Channel) (*gateway.Channel, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := normalize(&c); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.now.Load()
	if old.byName[c.Name] == nil && len(old.sorted) >= gateway.MaxChannels {
		return nil, problem.New(http.StatusConflict, "channels_full", "there are as many channels as there may be").
			With("limit", gateway.MaxChannels).WithHint("delete one that is not used")
	}
	if err := b.store.Put(ctx, c); err != nil {
		return nil, err
	}
	list := without(old.sorted, c.Name)
	b.swap(old, append(list, c))
	return &c, nil
}

// Delete removes a channel; code channel_unknown.
func (b *Book) Delete(ctx context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.now.Load()
	if old.byName[name] == nil {
		return gateway.ChannelUnknown(name)
	}
	if err := b.store.Delete(ctx, name); err != nil {
		return err
	}
	b.swap(old, without(old.sorted, name))
	return nil
}

func (b *Book) swap(old *set, list []gateway.Channel) {
	b.now.Store(newSet(list))
	close(old.changed)
}

// without returns a copy of list that lacks the channel of that name.
func without(list []gateway.Channel, name string) []gateway.Channel {
	out := make([]gateway.Channel, 0, len(list)+1)
	for _, c := range list {
		if c.Name != name {
			out = append(out, c)
		}
	}
	return out
}

// normalize brings the names in a channel to the forms in which peers are
// compared with them.
func normalize(c *gateway.Channel) error {
	label, namespace, _ := strings.Cut(c.Topic, ".")
	ns, err := ens.Normalize(namespace)
	if err != nil {
		return gateway.ChannelInvalid("topic", "the topic's namespace is not a name that ENS allows")
	}
	c.Topic = label + "." + ns
	for member, a := range map[string]**gateway.Admission{"send": &c.Send, "receive": &c.Receive} {
		if *a == nil {
			continue
		}
		n := &gateway.Admission{} // nil stays nil, so that what is kept is what is read back
		for _, r := range (*a).Roles {
			name, err := ens.Normalize(r)
			if err != nil {
				return gateway.ChannelInvalid(member+".roles", "a role's name is not one that ENS allows")
			}
			n.Roles = append(n.Roles, name)
		}
		for _, d := range (*a).DIDs {
			did, err := ethr.Normalize(d)
			if err != nil {
				return gateway.ChannelInvalid(member+".dids", "a DID is not a did:ethr of a known form")
			}
			n.DIDs = append(n.DIDs, did)
		}
		slices.Sort(n.Roles)
		slices.Sort(n.DIDs)
		n.Roles, n.DIDs = slices.Compact(n.Roles), slices.Compact(n.DIDs)
		*a = n
	}
	return nil
}
