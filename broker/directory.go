package broker

import (
	"context"
	"errors"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// keepAfter is added to an object's end of validity and the retention: how long
// the directory keeps it, ms.
const keepAfter = 24 * 3600 * 1000

// maxRecords bounds the records of one topic name that are listed.
const maxRecords = 1000

// Domain returns the typed-data domain of the network, for proofs.
func (n Network) Domain() eip712.Domain {
	return eip712.Domain{ChainID: n.ChainID, Registry: n.DIDRegistry}
}

// PutObject checks an object of a session's DID and stores it under its digest,
// unless it is there already. Checks are those of docs/protocol.md: C1 to C4 of
// a certificate, P1 and P2 of a package, T1 to T5 of a topic record; a package's
// certificate and a record's schema are stored before it.
func (b *Broker) PutObject(ctx context.Context, s *Session, kind Kind, digest envelope.Digest, raw []byte) error {
	if !b.writes.allow(s.DID) {
		return ErrThrottled
	}
	var o Object
	var err error
	switch kind {
	case KindCertificate:
		o, err = b.checkCertificate(ctx, raw)
	case KindPackage:
		o, err = b.checkPackage(ctx, raw)
	case KindTopic:
		o, err = b.checkTopic(ctx, raw)
	case KindSchema:
		o, err = b.checkSchema(s, raw)
	default:
		return ErrKind
	}
	switch {
	case err != nil:
		return err
	case o.Digest != digest:
		return ErrDigest
	case o.DID != s.DID:
		return ErrOwner
	}
	return b.store(ctx, o)
}

// store keeps a checked object; a raised floor takes effect at once.
func (b *Broker) store(ctx context.Context, o Object) error {
	o.Created = b.now()
	if o.Kind == KindTopic {
		if err := b.keepSchema(ctx, o); err != nil {
			return err
		}
	}
	if _, err := b.Store.Put(ctx, o, b.Limits.ObjectBytes); err != nil {
		return err
	}
	if o.Kind != KindCertificate {
		return nil
	}
	floor, err := b.Store.RaiseFloor(ctx, o.DID, o.Inst, o.Gen)
	if err != nil {
		return err
	}
	return b.void(ctx, envelope.Address(o.DID, o.Inst), floor)
}

// keepSchema keeps a record's schema as long as the record: it may be here
// since another one, long ago.
func (b *Broker) keepSchema(ctx context.Context, topic Object) error {
	s, err := b.Store.Get(ctx, KindSchema, topic.Schema)
	if err != nil || s.Expires >= topic.Expires {
		return err
	}
	s.Expires = topic.Expires
	_, err = b.Store.Put(ctx, s, b.Limits.ObjectBytes)
	return err
}

// void ends every session of an address whose floor was raised: whoever used an
// older certificate is out until it shows a new one. That it was done for a
// floor is noted last, so that whatever fails here is made good when the
// certificate is shown again.
func (b *Broker) void(ctx context.Context, addr string, floor uint64) error {
	b.banning.Lock()
	defer b.banning.Unlock()
	ban := b.ban(addr)
	if ban.Floor >= floor {
		return nil
	}
	ban.Addr, ban.Before = addr, max(ban.Before, b.now())
	if ban.Reason == "" {
		ban.Reason = "a certificate with a higher floor appeared"
	}
	b.refuse(ban)
	if _, err := b.Plane.Kick(ctx, addr); err != nil {
		return err
	}
	ban.Floor = floor
	if err := b.Store.Ban(ctx, ban); err != nil {
		return err
	}
	b.refuse(ban)
	return nil
}

func (b *Broker) checkCertificate(ctx context.Context, raw []byte) (Object, error) {
	c, err := envelope.ParseCertificate(raw)
	if err != nil {
		return Object{}, err
	}
	if err := b.judge(ctx, c); err != nil {
		return Object{}, err
	}
	return b.certificateObject(c), nil
}

// judge makes the checks C1 to C4.
func (b *Broker) judge(ctx context.Context, c *envelope.Certificate) error {
	floor, err := b.Store.RaiseFloor(ctx, c.DID, c.Inst, 0)
	if err != nil {
		return err
	}
	return c.Check(ctx, b.now(), b.Network.Domain(), b.DIDs, floor)
}

func (b *Broker) certificateObject(c *envelope.Certificate) Object {
	return Object{Digest: c.Digest(), Kind: KindCertificate, DID: c.DID, Inst: c.Inst, Bytes: c.Bytes(), Gen: c.Floor,
		NBF: c.NotBefore, NAF: c.NotAfter, Expires: b.keepUntil(c.NotAfter)}
}

func (b *Broker) keepUntil(naf int64) int64 { return naf + b.Network.RetentionMS + keepAfter }

func (b *Broker) checkPackage(ctx context.Context, raw []byte) (Object, error) {
	p, err := envelope.ParsePackage(raw)
	if err != nil {
		return Object{}, err
	}
	co, err := b.Store.Get(ctx, KindCertificate, p.Cert)
	if errors.Is(err, ErrNotFound) {
		return Object{}, problem.New(422, "cert", "the package's certificate is not here").WithHint("store the certificate first")
	}
	if err != nil {
		return Object{}, err
	}
	c, err := envelope.ParseCertificate(co.Bytes)
	if err != nil {
		return Object{}, err
	}
	if err := b.judge(ctx, c); err != nil {
		return Object{}, err
	}
	if err := p.Check(c, b.now()); err != nil {
		return Object{}, err
	}
	floor, err := b.Store.RaiseFloor(ctx, c.DID, c.Inst, 0)
	if err != nil {
		return Object{}, err
	}
	if err := p.CheckGeneration(floor, 0); err != nil {
		return Object{}, err
	}
	return Object{Digest: p.Digest(), Kind: KindPackage, DID: c.DID, Inst: c.Inst, Bytes: p.Bytes(), Cert: p.Cert, Gen: p.Gen,
		NBF: p.NotBefore, NAF: p.NotAfter, Expires: b.keepUntil(p.NotAfter)}, nil
}

func (b *Broker) checkSchema(s *Session, raw []byte) (Object, error) {
	f, err := envelope.ParseSchema(raw)
	if err != nil {
		return Object{}, err
	}
	if err := compile(f); err != nil {
		return Object{}, err
	}
	return Object{Digest: f.Digest(), Kind: KindSchema, DID: s.DID, Bytes: raw, Expires: b.keepUntil(b.now() + envelope.TopicLife)}, nil
}

// compile is the second half of T4.
func compile(f *envelope.Schema) error {
	files := make([]schema.File, len(f.Files))
	for i, x := range f.Files {
		files[i] = schema.File{Name: x.Name, Data: x.Bytes}
	}
	if _, err := schema.Compile(f.Kind, f.Root, files); err != nil {
		return problem.New(422, string(envelope.BadTopic), "the schema does not compile").Wrap(err).WithHint(err.Error())
	}
	return nil
}

func (b *Broker) checkTopic(ctx context.Context, raw []byte) (Object, error) {
	t, err := envelope.ParseTopic(raw)
	if err != nil {
		return Object{}, err
	}
	// A record is announced before its window and withdrawn after it, so the
	// directory asks whether it was ever in force, not whether it is now.
	if err := t.CheckBody(t.NotBefore); err != nil {
		return Object{}, err
	}
	so, err := b.Store.Get(ctx, KindSchema, t.Schema)
	if errors.Is(err, ErrNotFound) {
		return Object{}, problem.New(422, string(envelope.BadTopic), "the record's schema is not here").WithHint("store the schema first")
	}
	if err != nil {
		return Object{}, err
	}
	f, err := envelope.ParseSchema(so.Bytes)
	if err != nil {
		return Object{}, err
	}
	if err := t.CheckSchema(f); err != nil {
		return Object{}, err
	}
	if err := t.CheckProof(ctx, b.Network.Domain(), b.DIDs); err != nil {
		return Object{}, err
	}
	if err := b.checkOwner(ctx, t); err != nil {
		return Object{}, err
	}
	if err := b.checkSuccession(ctx, t); err != nil {
		return Object{}, err
	}
	return Object{Digest: t.Digest(), Kind: KindTopic, DID: t.DID, Bytes: t.Bytes(), NBF: t.NotBefore, NAF: t.NotAfter,
		Name: t.Name, Version: t.Version, Revision: t.Revision, Schema: t.Schema, Expires: b.keepUntil(max(t.NotAfter, b.now()))}, nil
}

// checkOwner is T3 as far as the chain tells: a topic creator's credential is
// the hub's, which the broker never asks.
func (b *Broker) checkOwner(ctx context.Context, t *envelope.Topic) error {
	id, err := ethr.Parse(t.DID)
	if err != nil {
		return err
	}
	owner, err := b.Names.Owner(ctx, t.Namespace())
	if err != nil {
		return problem.New(503, "chain", "the owner of the namespace could not be looked up").Wrap(err)
	}
	if owner != id.Address {
		return problem.New(422, string(envelope.BadTopic), "the signer does not own the namespace of the topic").
			WithHint("the owner of " + t.Namespace() + " publishes its topics")
	}
	return nil
}

// checkSuccession is T5 against the highest revision of the version known here.
func (b *Broker) checkSuccession(ctx context.Context, t *envelope.Topic) error {
	all, err := b.Store.Records(ctx, t.Name, maxRecords)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.Version != t.Version || o.Digest == t.Digest() {
			continue
		}
		known, err := envelope.ParseTopic(o.Bytes)
		if err != nil {
			return err
		}
		return t.CheckSuccession(known, t.NotBefore)
	}
	return nil
}

// Object returns an object of the directory.
func (b *Broker) Object(ctx context.Context, kind Kind, digest envelope.Digest) (Object, error) {
	switch kind {
	case KindCertificate, KindPackage, KindTopic, KindSchema:
		return b.Store.Get(ctx, kind, digest)
	}
	return Object{}, ErrKind
}

// Instances returns what the directory knows of a DID or of an address.
func (b *Broker) Instances(ctx context.Context, did, addr string) ([]Instance, error) {
	if (did == "") == (addr == "") || (addr != "" && !bus.IsAddress(addr)) {
		return nil, problem.New(400, "query", "one of did and addr is needed")
	}
	if did != "" {
		if _, err := ethr.Parse(did); err != nil {
			return nil, problem.New(400, string(envelope.Malformed), "the DID is not in normal form").Wrap(err)
		}
	}
	return b.Store.Instances(ctx, did, addr, b.now())
}

// Records returns the topic records of a name.
func (b *Broker) Records(ctx context.Context, name string) ([]Object, error) {
	if name == "" || len(name) > envelope.MaxTopicName {
		return nil, problem.New(400, "query", "a name is needed")
	}
	return b.Store.Records(ctx, name, maxRecords)
}
