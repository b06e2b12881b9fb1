package envelope

import (
	"context"
	"crypto/ed25519"
)

// LoginBody holds the fields of a gateway's login (section 6).
type LoginBody struct {
	// Cert is the certificate that the gateway logs in with.
	Cert Digest `cbor:"2,keyasint"`
	// Origin is the server's base URL as in the network file, without a
	// trailing slash.
	Origin string `cbor:"3,keyasint"`
	// Nonce is the server's challenge.
	Nonce Digest `cbor:"4,keyasint"`
	// At is when it was signed, in ms.
	At int64 `cbor:"5,keyasint"`
	// NKey is the NATS user key that the data-plane token is bound to; empty
	// at servers without a data plane.
	NKey string `cbor:"6,keyasint,omitempty"`
}

type loginMap struct {
	V uint64 `cbor:"1,keyasint"`
	LoginBody
}

// Login proves to one server, once, that a gateway holds an instance key:
// Sign1(spine/login, body).
type Login struct {
	LoginBody
	raw   []byte
	sign1 sign1
}

// NewLogin signs a login. Errors: malformed, or those of the signer.
func NewLogin(ctx context.Context, signer InstanceSigner, body LoginBody) (*Login, error) {
	b, err := newSign1(ctx, signer, typeLogin, nil, encode(loginMap{1, body}))
	if err != nil {
		return nil, err
	}
	return ParseLogin(b)
}

// ParseLogin reads a login. It keeps b. Errors: too_large, malformed,
// not_canonical, version.
func ParseLogin(b []byte) (*Login, error) {
	s, err := parseSign1(b, MaxLogin, typeLogin)
	if err != nil {
		return nil, err
	}
	var m loginMap
	if err := decode(s.payload, MaxLogin, &m); err != nil {
		return nil, err
	}
	if m.V != 1 {
		return nil, BadVersion.Errorf("login version %d", m.V)
	}
	if m.At < 0 || m.Origin == "" || len(m.Origin) > MaxURL || len(m.NKey) > MaxURL {
		return nil, fail(Malformed, "login field out of range")
	}
	return &Login{LoginBody: m.LoginBody, raw: b, sign1: s}, nil
}

// Bytes returns the encoded login; not to be changed.
func (l *Login) Bytes() []byte { return l.raw }

// Digest returns D, the hash of what was signed.
func (l *Login) Digest() Digest { return l.sign1.digest(typeLogin, nil) }

// Check makes every check of a login but those of the certificate itself (C1
// to C5) and of the nonce being unused: it is for this server (rebound) and
// this challenge (replayed), made now (time), names the certificate (cert) and
// is signed by it (signature).
func (l *Login) Check(cert *Certificate, origin string, nonce Digest, now int64) error {
	switch {
	case l.Origin != origin:
		return fail(Rebound, "login for another server")
	case l.Nonce != nonce:
		return fail(Replayed, "login for another challenge")
	case l.At < now-Skew || l.At > now+Skew:
		return fail(BadTime, "login was not signed now")
	case l.Cert != cert.Digest():
		return fail(BadCert, "login names another certificate")
	}
	return l.Verify(cert.PublicKey())
}

// Verify checks the signature alone. Else signature.
func (l *Login) Verify(key ed25519.PublicKey) error {
	if !l.sign1.verify(key, typeLogin, nil) {
		return fail(BadSignature, "login is not signed by its certificate")
	}
	return nil
}
