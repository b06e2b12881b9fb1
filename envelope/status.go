package envelope

import (
	"context"
	"crypto/ed25519"
)

// StatusBody holds the fields of a status list's freshness (section 5).
type StatusBody struct {
	// Cert is the certificate of the issuer's gateway.
	Cert Digest `cbor:"2,keyasint"`
	// List is H of the bytes of the list credential.
	List Digest `cbor:"3,keyasint"`
	// Revision only rises, per list id.
	Revision uint64 `cbor:"4,keyasint"`
	// At and NotAfter are its window, in ms; at most the network's TTL.
	At       int64 `cbor:"5,keyasint"`
	NotAfter int64 `cbor:"6,keyasint"`
	// ListID is the id of the list credential.
	ListID string `cbor:"7,keyasint"`
}

type statusMap struct {
	V uint64 `cbor:"1,keyasint"`
	StatusBody
}

// Status says that a status list is the newest of its issuer for the next
// minute: Sign1(spine/status, body) under the issuer's instance key.
type Status struct {
	StatusBody
	raw   []byte
	sign1 sign1
}

// NewStatus signs a freshness. Errors: malformed, or those of the signer.
func NewStatus(ctx context.Context, signer InstanceSigner, body StatusBody) (*Status, error) {
	b, err := newSign1(ctx, signer, typeStatus, nil, encode(statusMap{1, body}))
	if err != nil {
		return nil, err
	}
	return ParseStatus(b)
}

// ParseStatus reads a freshness. It keeps b. Errors: too_large, malformed,
// not_canonical, version.
func ParseStatus(b []byte) (*Status, error) {
	s, err := parseSign1(b, MaxStatus, typeStatus)
	if err != nil {
		return nil, err
	}
	var m statusMap
	if err := decode(s.payload, MaxStatus, &m); err != nil {
		return nil, err
	}
	if m.V != 1 {
		return nil, BadVersion.Errorf("status version %d", m.V)
	}
	if m.At < 0 || m.NotAfter < 0 || m.ListID == "" || len(m.ListID) > MaxListID {
		return nil, fail(Malformed, "status field out of range")
	}
	return &Status{StatusBody: m.StatusBody, raw: b, sign1: s}, nil
}

// Bytes returns the encoded freshness; not to be changed.
func (s *Status) Bytes() []byte { return s.raw }

// Digest returns D, the hash of what was signed.
func (s *Status) Digest() Digest { return s.sign1.digest(typeStatus, nil) }

// Sum returns H of all bytes, the key under which results are cached.
func (s *Status) Sum() Digest { return Sum(s.raw) }

// CheckList demands that this is about the list credential with these bytes
// and id, and not older than the highest revision known of it (0 for none).
// Else status_stale.
func (s *Status) CheckList(id string, list Digest, revision uint64) error {
	switch {
	case s.ListID != id || s.List != list:
		return fail(StatusStale, "freshness of another list")
	case s.Revision < revision:
		return StatusStale.Errorf("revision %d, but %d is known", s.Revision, revision)
	}
	return nil
}

// CheckNow demands that now lies in the window, and that the window is no
// longer than ttl. Only its start may be ahead, by the skew: an end that is
// past is past. Else status_stale.
func (s *Status) CheckNow(now, ttl int64) error {
	switch {
	case s.NotAfter > s.At+ttl:
		return fail(StatusStale, "window longer than the network's")
	case s.At > now+Skew:
		return fail(StatusStale, "ahead of now")
	case s.NotAfter < now:
		return fail(StatusStale, "window is past")
	}
	return nil
}

// CheckCertificate demands that the certificate is the one named, belongs to
// the issuer of the list, and was in its window (C5). C1 to C4 are made on the
// certificate itself. Else cert.
func (s *Status) CheckCertificate(cert *Certificate, issuer string) error {
	if cert.Digest() != s.Cert || cert.DID != issuer {
		return fail(BadCert, "not the certificate of the status, or not of the issuer")
	}
	return cert.CheckAt(s.At)
}

// Verify checks the signature. Else signature.
func (s *Status) Verify(key ed25519.PublicKey) error {
	if !s.sign1.verify(key, typeStatus, nil) {
		return fail(BadSignature, "status is not signed by its certificate")
	}
	return nil
}
