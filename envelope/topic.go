package envelope

import (
	"context"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/evm/eip712"
)

// topicRecord is the typed data that the owner of a topic signs.
const topicRecord = "TopicRecord(string did,string name,string version,uint64 revision,string kind,bytes32 schema,bool open,uint8 order,uint8 retention,uint64 notBefore,uint64 notAfter)"

// Orders of a topic.
const (
	// Strict: after a hole, later messages of a lane group wait up to 10 s.
	Strict uint64 = 0
	// Prompt: later messages do not wait.
	Prompt uint64 = 1
)

// Kinds of schema.
const (
	KindJSON   = "json"   // JSON Schema 2020-12
	KindCSV    = "csv"    // a table by RFC 4180, typed by W3C table metadata
	KindBinary = "binary" // any file, by media type and length
)

// TopicBody holds the fields of a topic record (section 8).
type TopicBody struct {
	// DID signs: the owner of the namespace, or a topic creator.
	DID string `cbor:"2,keyasint"`
	// Name is <topic>.<application namespace>, for example
	// telemetry.market.apps.edge.iam.ewc.
	Name string `cbor:"3,keyasint"`
	// Version is major.minor.patch; another schema is another version.
	Version string `cbor:"4,keyasint"`
	// Revision counts changes of order and window within a version.
	Revision uint64 `cbor:"5,keyasint"`
	// Kind is the kind of schema.
	Kind string `cbor:"6,keyasint"`
	// Schema is the digest of the schema, see [Schema].
	Schema Digest `cbor:"7,keyasint"`
	// Open and Retention are false and 0 until public topics and retention
	// classes exist.
	Open bool `cbor:"8,keyasint"`
	// Order is Strict or Prompt.
	Order     uint64 `cbor:"9,keyasint"`
	Retention uint64 `cbor:"10,keyasint"`
	// NotBefore and NotAfter are its window, in ms.
	NotBefore int64 `cbor:"11,keyasint"`
	NotAfter  int64 `cbor:"12,keyasint"`
}

type topicMap struct {
	V uint64 `cbor:"1,keyasint"`
	TopicBody
}

// Topic is a record signed by the owner of an application's namespace: it
// fixes schema, order and validity of a topic. [body, proof].
type Topic struct {
	TopicBody
	raw    []byte
	proof  proof
	digest Digest
}

// NewTopic signs a topic record. The shape is checked, T1 is not. Errors:
// malformed, topic, or those of the signer.
func NewTopic(ctx context.Context, domain eip712.Domain, did DIDSigner, body TopicBody) (*Topic, error) {
	if err := body.check(); err != nil {
		return nil, err
	}
	digest, err := body.TypedDigest(domain)
	if err != nil {
		return nil, err
	}
	p, err := newProof(ctx, did, digest)
	if err != nil {
		return nil, err
	}
	return ParseTopic(appendProof(append([]byte{0x82}, encode(topicMap{1, body})...), p))
}

// ParseTopic reads a topic record. It keeps b. Errors: too_large, malformed,
// not_canonical, version.
func ParseTopic(b []byte) (*Topic, error) {
	if len(b) > MaxTopic {
		return nil, TooLarge.Errorf("record of %d bytes, at most %d", len(b), MaxTopic)
	}
	if err := canonical(b); err != nil {
		return nil, err
	}
	t := &Topic{raw: b}
	r := reader{b: b}
	r.exact(majorArray, 2)
	body := r.item()
	t.proof = r.proof()
	if !r.done() {
		return nil, misread(b)
	}
	var m topicMap
	if err := decode(body, MaxTopic, &m); err != nil {
		return nil, err
	}
	if m.V != 1 {
		return nil, BadVersion.Errorf("record version %d", m.V)
	}
	t.TopicBody = m.TopicBody
	t.digest = hash(labelTopic, body)
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// check demands the shape of the fields, as far as parsing does.
func (b *TopicBody) check() error {
	if err := checkDID(b.DID); err != nil {
		return err
	}
	switch {
	case len(b.Name) > MaxTopicName, len(b.Version) > MaxVersionText, len(b.Kind) > MaxKindText:
		return fail(Malformed, "text too long")
	case b.Revision > maxInt, b.Order > 255, b.Retention > 255,
		b.NotBefore < 0, b.NotAfter < 0, b.NotBefore > maxInt, b.NotAfter > maxInt:
		return fail(Malformed, "number out of range")
	}
	return nil
}

// TypedDigest returns the EIP-712 digest that the owner signs.
func (b *TopicBody) TypedDigest(domain eip712.Domain) ([32]byte, error) {
	return eip712.Digest(domain, topicRecord, b.DID, b.Name, b.Version, b.Revision, b.Kind, b.Schema,
		b.Open, b.Order, b.Retention, b.NotBefore, b.NotAfter)
}

// Bytes returns the encoded record; not to be changed.
func (t *Topic) Bytes() []byte { return t.raw }

// Digest returns the name of the record, H("spine/1 topic" || body). It leaves
// the proof out.
func (t *Topic) Digest() Digest { return t.digest }

// Sum returns H of all bytes, the key under which results are cached.
func (t *Topic) Sum() Digest { return Sum(t.raw) }

// Namespace returns the application namespace of the name: what follows the
// first dot.
func (b *TopicBody) Namespace() string {
	_, ns, _ := strings.Cut(b.Name, ".")
	return ns
}

// CreatorRole returns the role whose holders may sign records of this
// namespace besides its owner (T3).
func (b *TopicBody) CreatorRole() string { return "topiccreator.roles." + b.Namespace() }

// CheckBody is T1: every field is one this version knows, and the window holds
// the start of the session (notBefore of its core; a directory passes now).
// Whether the namespace is in its ENS-normalised form is seen in T3, where its
// owner is looked up. Else topic.
func (b *TopicBody) CheckBody(notBefore int64) error {
	switch {
	case !topicName(b.Name):
		return fail(BadTopic, "name is not <topic>.<namespace>")
	case !semver(b.Version):
		return fail(BadTopic, "version is not major.minor.patch")
	case b.Kind != KindJSON && b.Kind != KindCSV && b.Kind != KindBinary:
		return BadTopic.Errorf("kind %q is not known", b.Kind)
	case b.Open:
		return fail(BadTopic, "public topics do not exist yet")
	case b.Order > Prompt:
		return fail(BadTopic, "order is neither strict nor prompt")
	case b.Retention != 0:
		return fail(BadTopic, "retention classes do not exist yet")
	case b.NotAfter > b.NotBefore+TopicLife:
		return fail(BadTopic, "window longer than 400 days")
	case notBefore < b.NotBefore || notBefore > b.NotAfter:
		return fail(BadTopic, "not in force")
	}
	return nil
}

// Signer returns the address whose key made the proof. Errors: topic.
func (t *Topic) Signer(domain eip712.Domain) (common.Address, error) {
	digest, err := t.TypedDigest(domain)
	if err != nil {
		return common.Address{}, err
	}
	return t.proof.signer(domain, t.DID, digest, BadTopic)
}

// CheckProof is T2: signed by a key that the DID entitles. Errors: topic,
// did_stale.
func (t *Topic) CheckProof(ctx context.Context, domain eip712.Domain, states DIDStates) error {
	signer, err := t.Signer(domain)
	if err != nil {
		return err
	}
	return entitled(ctx, states, t.DID, signer, BadTopic)
}

// CheckSchema is the digest part of T4: these files are the record's schema.
// Else topic. That they compile is the caller's to check.
func (b *TopicBody) CheckSchema(s *Schema) error {
	if s.Kind != b.Kind || s.Digest() != b.Schema {
		return fail(BadTopic, "schema is not the one of the record")
	}
	return nil
}

// CheckSuccession is T5 against the highest revision known of the same name
// and version: same schema and kind; an equal revision is the same record; a
// lower one only for a session that began before the known one's window. Else
// topic.
func (t *Topic) CheckSuccession(known *Topic, notBefore int64) error {
	switch {
	case t.Name != known.Name || t.Version != known.Version:
		return fail(BadTopic, "another name or version")
	case t.Kind != known.Kind || t.Schema != known.Schema:
		return fail(BadTopic, "another schema under a known version")
	case t.Revision == known.Revision && t.Digest() != known.Digest():
		return fail(BadTopic, "another record under a known revision")
	case t.Revision < known.Revision && notBefore >= known.NotBefore:
		return fail(BadTopic, "outdated revision")
	}
	return nil
}

// topicName reports whether a name is a label of [a-z0-9-]{1,63} before a
// namespace without upper-case ASCII, white space or empty labels.
func topicName(name string) bool {
	topic, namespace, ok := strings.Cut(name, ".")
	if !ok || len(topic) < 1 || len(topic) > 63 || len(name) > MaxTopicName {
		return false
	}
	for _, c := range []byte(topic) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	for label := range strings.SplitSeq(namespace, ".") {
		if label == "" {
			return false
		}
	}
	return !strings.ContainsFunc(namespace, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r >= 'A' && r <= 'Z'
	})
}

// semver reports whether a version is three decimal numbers without leading
// zeros.
func semver(v string) bool {
	n := 0
	for part := range strings.SplitSeq(v, ".") {
		n++
		if part == "" || len(part) > 1 && part[0] == '0' || len(part) > 9 {
			return false
		}
		for _, c := range []byte(part) {
			if c < '0' || c > '9' {
				return false
			}
		}
	}
	return n == 3
}
