// Package owner is a gateway in the part of the owner of a namespace: it
// publishes topics as records signed by the DID's key, and makes organisations,
// applications and roles on the chain with the DID's account.
//
// Nothing here gives rights: that this DID owns a namespace is read from the
// chain by everybody who uses a record.
package owner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

const (
	rootFile = "root.json"
	// lead is how far ahead a changed record begins, so that every sender has
	// read it by then.
	lead = 15 * time.Minute
	// behind is how far back a new record begins, for senders whose clock is
	// late.
	behind = 120 * time.Second
)

// Errors of this package, by code.
var (
	ErrTopicInvalid = problem.New(http.StatusUnprocessableEntity, "topic_invalid", "the topic is not as it should be")
	ErrTopicVersion = problem.New(http.StatusConflict, "topic_version_exists", "this version of the topic has another schema").
			WithHint("publish a changed schema as a new version")
	ErrTopicUnknown = problem.New(http.StatusNotFound, "topic_unknown", "no record of this topic is in the directory")
)

// Published is a record of this gateway's own with its schema object.
type Published struct {
	Record *envelope.Topic
	Schema *envelope.Schema
}

// Store keeps what this gateway published, so that it can be published again
// and so that no revision is used twice.
type Store interface {
	// Put stores a record before it is published.
	Put(ctx context.Context, p Published) error
	// Newest returns the highest revision of a version, nil when there is none.
	Newest(ctx context.Context, name, version string) (*Published, error)
}

// Directory is the broker's; *brokerclient.Client is one.
type Directory interface {
	PutObject(ctx context.Context, kind string, digest [32]byte, raw []byte) error
	Object(ctx context.Context, kind string, digest [32]byte) ([]byte, error)
	Records(ctx context.Context, name string) ([]brokerclient.Record, error)
}

// Deps are what an Owner stands on.
type Deps struct {
	DID       string
	Signer    envelope.DIDSigner
	Directory Directory
	Store     Store
	Names     Names // nil: names cannot be made here
	Domain    eip712.Domain
	Clock     clockwork.Clock
}

// Owner publishes topics and names. Its methods may be called from many
// goroutines.
type Owner struct {
	d  Deps
	mu sync.Mutex // one publication at a time
}

// New makes an owner; it makes no request.
func New(d Deps) *Owner { return &Owner{d: d} }

// Spec is what an owner says about a topic.
type Spec struct {
	Name      string
	Version   string
	Kind      string // of the schema: schema.KindJSON when empty, KindCSV or KindBinary
	Schema    []byte // one file: JSON Schema, table metadata, or media types
	Order     uint64 // envelope.Strict or envelope.Prompt
	NotBefore int64  // ms; 0: now, or 15 minutes ahead for a change
	NotAfter  int64  // ms; 0: as long as a record may live
}

// PutTopic signs and publishes a topic. Publishing the same again changes
// nothing; another order or window makes the next revision; another schema
// under the same version is topic_version_exists. Codes topic_invalid,
// schema_invalid.
func (o *Owner) PutTopic(ctx context.Context, s Spec) (*Published, error) {
	invalid := func(message string) error {
		return problem.New(http.StatusUnprocessableEntity, ErrTopicInvalid.Code, message)
	}
	label, namespace, _ := strings.Cut(s.Name, ".")
	ns, err := ens.Normalize(namespace)
	if err != nil || !gateway.ValidTopic(s.Name) {
		return nil, invalid("a topic's name is <topic>.<namespace>, at most 255 bytes")
	}
	s.Name = label + "." + ns
	switch {
	case !gateway.ValidVersion(s.Version):
		return nil, invalid("a version is major.minor.patch")
	case s.Order > envelope.Prompt:
		return nil, invalid("order is strict or prompt")
	}
	if s.Kind == "" {
		s.Kind = schema.KindJSON
	}
	if _, err := schema.Compile(s.Kind, rootFile, []schema.File{{Name: rootFile, Data: s.Schema}}); err != nil {
		return nil, err
	}
	sch, err := envelope.NewSchema(s.Kind, rootFile, []envelope.File{{Name: rootFile, Bytes: bytes.Clone(s.Schema)}})
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	known, err := o.newest(ctx, s.Name, s.Version)
	if err != nil {
		return nil, err
	}
	now := o.d.Clock.Now().UnixMilli()
	body := envelope.TopicBody{DID: o.d.DID, Name: s.Name, Version: s.Version, Revision: 1, Kind: s.Kind, Schema: sch.Digest(), Order: s.Order}
	body.NotBefore = now - behind.Milliseconds()
	if known != nil {
		k := known.Record
		if k.Schema != body.Schema {
			return nil, ErrTopicVersion
		}
		if k.DID == o.d.DID && k.Order == s.Order && k.NotAfter > now && (s.NotBefore == 0 || s.NotBefore == k.NotBefore) && (s.NotAfter == 0 || s.NotAfter == k.NotAfter) {
			return known, o.publish(ctx, known)
		}
		body.Revision, body.NotBefore = k.Revision+1, now+lead.Milliseconds()
	}
	if s.NotBefore != 0 {
		if known != nil && s.NotBefore < body.NotBefore {
			return nil, invalid("a changed record begins at least 15 minutes ahead")
		}
		body.NotBefore = s.NotBefore
	}
	body.NotAfter = body.NotBefore + envelope.TopicLife
	if s.NotAfter != 0 {
		body.NotAfter = s.NotAfter
	}
	if err := body.CheckBody(body.NotBefore); err != nil {
		return nil, ErrTopicInvalid.Wrap(err)
	}
	rec, err := envelope.NewTopic(ctx, o.d.Domain, o.d.Signer, body)
	if err != nil {
		return nil, err
	}
	p := &Published{Record: rec, Schema: sch}
	// Stored first: a crash then publishes this record, not another of the
	// same revision.
	if err := o.d.Store.Put(ctx, *p); err != nil {
		return nil, err
	}
	return p, o.publish(ctx, p)
}

// publish gives the directory a schema and its record; both may be there.
func (o *Owner) publish(ctx context.Context, p *Published) error {
	if err := o.d.Directory.PutObject(ctx, brokerclient.KindSchema, p.Schema.Digest(), p.Schema.Bytes()); err != nil {
		return fmt.Errorf("publish schema: %w", err)
	}
	if err := o.d.Directory.PutObject(ctx, brokerclient.KindTopic, p.Record.Digest(), p.Record.Bytes()); err != nil {
		return fmt.Errorf("publish record: %w", err)
	}
	return nil
}

// newest finds the highest revision of a version that this gateway made or the
// directory lists, so that instances of one DID, and a gateway that lost its
// store, go on where they were.
func (o *Owner) newest(ctx context.Context, name, version string) (*Published, error) {
	own, err := o.d.Store.Newest(ctx, name, version)
	if err != nil {
		return nil, err
	}
	listed, err := o.listed(ctx, name, version)
	switch {
	case errors.Is(err, ErrTopicUnknown):
		return own, nil
	case err != nil:
		return nil, err
	case own != nil && listed.Record.Revision == own.Record.Revision:
		// Another instance of this DID was faster, and the own record never gets
		// there: the directory's counts, if the same key signed it.
		a, err := listed.Record.Signer(o.d.Domain)
		b, bad := own.Record.Signer(o.d.Domain)
		if err == nil && bad == nil && a == b && listed.Record.DID == o.d.DID {
			return listed, nil
		}
	case own == nil || listed.Record.Revision > own.Record.Revision:
		if _, err := listed.Record.Signer(o.d.Domain); err != nil || listed.Record.DID != o.d.DID {
			return own, nil // somebody else's, or nobody's
		}
		return listed, nil
	}
	return own, nil
}

// Topic returns the newest record of a topic as the directory has it, of the
// highest version when version is empty. It is not judged: see trust.Book.
func (o *Owner) Topic(ctx context.Context, name, version string) (*Published, error) {
	return o.listed(ctx, name, version)
}

func (o *Owner) listed(ctx context.Context, name, version string) (*Published, error) {
	list, err := o.d.Directory.Records(ctx, name)
	if errors.Is(err, brokerclient.ErrNotFound) || err == nil && len(list) == 0 {
		return nil, ErrTopicUnknown
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b brokerclient.Record) int {
		if c := compareVersions(b.Version, a.Version); c != 0 {
			return c
		}
		return int(int64(b.Revision) - int64(a.Revision))
	})
	for _, r := range list {
		if version != "" && r.Version != version {
			continue
		}
		p, err := o.fetch(ctx, r.Record)
		if err != nil {
			return nil, err
		}
		if p.Record.Name == name && p.Record.Version == r.Version {
			return p, nil
		}
	}
	return nil, ErrTopicUnknown
}

func (o *Owner) fetch(ctx context.Context, digest [32]byte) (*Published, error) {
	raw, err := o.d.Directory.Object(ctx, brokerclient.KindTopic, digest)
	if err != nil {
		return nil, err
	}
	rec, err := envelope.ParseTopic(raw)
	if err != nil {
		return nil, err
	}
	if raw, err = o.d.Directory.Object(ctx, brokerclient.KindSchema, rec.Schema); err != nil {
		return nil, err
	}
	sch, err := envelope.ParseSchema(raw)
	if err != nil {
		return nil, err
	}
	return &Published{Record: rec, Schema: sch}, rec.CheckSchema(sch)
}

// Root returns the bytes of the schema's root file.
func (p *Published) Root() []byte {
	for _, f := range p.Schema.Files {
		if f.Name == p.Schema.Root {
			return f.Bytes
		}
	}
	return nil
}

// compareVersions compares major.minor.patch numbers.
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return 0
}
