package hub

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"
)

// Lives of what login hands out.
const (
	challengeLife = 60 * time.Second
	TokenLife     = 10 * time.Minute
	maxToken      = 1 << 10
)

// Session is who a bearer token speaks for.
type Session struct {
	DID     string `json:"did"`
	Inst    uint64 `json:"inst"`
	Floor   uint64 `json:"floor"` // of the certificate that logged in
	Expires int64  `json:"exp"`   // ms
}

// mac authenticates what the hub handed out itself; use keeps challenges and
// tokens apart.
func (h *Hub) mac(use string, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, h.secret[:])
	m.Write([]byte(use))
	m.Write([]byte{0})
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// Challenge makes a nonce that can be used by one login within 60 s: time,
// random bytes, and a MAC over both, so that asking for challenges costs the
// hub no memory.
func (h *Hub) Challenge() [32]byte {
	var n [32]byte
	binary.BigEndian.PutUint64(n[:], uint64(h.now()))
	rand.Read(n[8:16])
	copy(n[16:], h.mac("nonce", n[:16]))
	return n
}

// challenged tells whether a nonce is one of ours and young enough.
func (h *Hub) challenged(n [32]byte) error {
	if !hmac.Equal(n[16:], h.mac("nonce", n[:16])[:16]) {
		return ErrNonce
	}
	age := h.now() - int64(binary.BigEndian.Uint64(n[:]))
	if age < 0 || age > challengeLife.Milliseconds() {
		return ErrNonce
	}
	return nil
}

// seal makes the token of a session. Every process on the same database reads
// it, also after a restart.
func (h *Hub) seal(s Session) string {
	claims, err := json.Marshal(s)
	if err != nil {
		panic("hub: a session always encodes: " + err.Error())
	}
	body := base64.RawURLEncoding.EncodeToString(claims)
	return body + "." + base64.RawURLEncoding.EncodeToString(h.mac("token", []byte(body)))
}

// Session returns who a bearer token speaks for, and counts one write of that
// DID. A floor that was raised after the login ends the token. ErrUnauthorized,
// ErrThrottled.
func (h *Hub) Session(ctx context.Context, token string) (*Session, error) {
	body, sig, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxToken {
		return nil, ErrUnauthorized
	}
	got, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil || !hmac.Equal(got, h.mac("token", []byte(body))) {
		return nil, ErrUnauthorized
	}
	claims, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, ErrUnauthorized
	}
	var s Session
	if err := json.Unmarshal(claims, &s); err != nil || h.now() >= s.Expires {
		return nil, ErrUnauthorized
	}
	if err := h.writes.allow(s.DID); err != nil {
		return nil, err
	}
	floor, err := h.store.RaiseFloor(ctx, s.DID, s.Inst, s.Floor)
	if err != nil {
		return nil, err
	}
	if s.Floor < floor {
		return nil, ErrUnauthorized
	}
	return &s, nil
}
