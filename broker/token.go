package broker

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/digital-spine/spine/bus"
)

// challengeLife is how long a challenge may be answered.
const challengeLife = 60 * time.Second

// maxUsed bounds the answered challenges that are remembered; only answers with
// a valid signature get there.
const maxUsed = 100_000

// Uses of a token.
const (
	useHTTP = "http"
	useNATS = "nats"
)

// Session is who a token speaks for.
type Session struct {
	DID    string `json:"did"`
	Inst   uint64 `json:"inst"`
	Addr   string `json:"addr"`
	PP     int    `json:"pp"`
	NKey   string `json:"nkey,omitempty"`
	Inbox  string `json:"inbox,omitempty"`
	Made   int64  `json:"iat"` // ms
	Expire int64  `json:"exp"` // ms
	ID     string `json:"jti"`
	Use    string `json:"use"`
}

// Permissions returns what the session may do on the message bus.
func (s *Session) Permissions() bus.Permissions {
	return bus.GatewayPermissions(s.Addr, bus.Stream(s.PP), s.Inbox)
}

// seal makes a token: claims and a MAC under the broker's own key. Every broker
// process with the same secret reads it.
func (b *Broker) seal(s Session) string {
	var id [12]byte
	rand.Read(id[:])
	s.ID = hex.EncodeToString(id[:])
	claims, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and numbers only
	}
	body := base64.RawURLEncoding.EncodeToString(claims)
	return body + "." + base64.RawURLEncoding.EncodeToString(mac(b.keys.token, body))
}

// unseal checks a token for a use.
func (b *Broker) unseal(token, use string) (*Session, error) {
	if len(token) > 4096 {
		return nil, ErrToken
	}
	body, sig, ok := strings.Cut(token, ".")
	got, err := base64.RawURLEncoding.DecodeString(sig)
	if !ok || err != nil || !hmac.Equal(got, mac(b.keys.token, body)) {
		return nil, ErrToken
	}
	claims, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, ErrToken
	}
	var s Session
	if err := json.Unmarshal(claims, &s); err != nil || s.Use != use || b.now() >= s.Expire {
		return nil, ErrToken
	}
	if err := b.banned(s.Addr, s.Made); err != nil {
		return nil, err
	}
	return &s, nil
}

// Session returns who an HTTP bearer token speaks for.
func (b *Broker) Session(token string) (*Session, error) { return b.unseal(token, useHTTP) }

// Connecting is a connection attempt as the bus server describes it.
type Connecting struct {
	Token string
	NKey  string // public key the client claims
	Nonce string // the server's, for this connection
	Sig   string // base64url of the client's signature over Nonce
}

// Admit decides a connection attempt. The server leaves the nonce's signature to
// whoever decides, so it is verified here: without it a stolen token would be
// enough.
func (b *Broker) Admit(c Connecting) (*Session, error) {
	s, err := b.unseal(c.Token, useNATS)
	if err != nil {
		return nil, err
	}
	sig, err := base64.RawURLEncoding.DecodeString(c.Sig)
	if err != nil || c.Nonce == "" || c.NKey != s.NKey {
		return nil, ErrNonce
	}
	key, err := nkeys.FromPublicKey(s.NKey)
	if err != nil || key.Verify([]byte(c.Nonce), sig) != nil {
		return nil, ErrNonce
	}
	if !b.connect(s.Addr) {
		return nil, ErrThrottled.WithHint("too many connections of this instance")
	}
	return s, nil
}

// maxConns bounds the connections of one address: the account of all gateways
// has a limit, which nobody may use up alone.
const maxConns = 16

// connect counts a connection that is about to be made; every metering sets the
// count to what is open.
func (b *Broker) connect(addr string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns[addr] >= maxConns {
		return false
	}
	b.conns[addr]++
	return true
}

// inbox returns the prefix under which a key's connection may receive. Nobody
// else can guess it: JetStream delivers to whatever reply subject a publisher
// names. The same key gets the same prefix, so that a refreshed token fits the
// connection that uses it.
func (b *Broker) inbox(addr, nkey string) string {
	return "_INBOX_" + addr + "_" + hex.EncodeToString(mac(b.keys.inbox, addr, nkey)[:16])
}

// Challenge makes a nonce that can be answered once within 60 s. It carries its
// own proof, so that asking for challenges uses no memory.
func (b *Broker) Challenge() [32]byte {
	var n [32]byte
	now := b.now()
	b.answersSince(now)
	binary.BigEndian.PutUint64(n[:], uint64(now))
	rand.Read(n[8:16])
	copy(n[16:], mac(b.keys.nonce, string(n[:16])))
	return n
}

// answersSince tells from when on it is known which challenges were answered:
// from the start, or from when it is noticed that the clock was ahead then.
func (b *Broker) answersSince(now int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.started = min(b.started, now)
	return b.started
}

// challenged checks a nonce without using it up.
func (b *Broker) challenged(n [32]byte) error {
	if !hmac.Equal(n[16:], mac(b.keys.nonce, string(n[:16]))[:16]) {
		return ErrChallenge
	}
	made := int64(binary.BigEndian.Uint64(n[:]))
	now := b.now()
	if age := now - made; age < 0 || age > challengeLife.Milliseconds() || made < b.answersSince(now) {
		return ErrChallenge
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.used[n]; ok {
		return ErrChallenge
	}
	return nil
}

// use marks a nonce as answered; false when it was already.
func (b *Broker) use(n [32]byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if _, ok := b.used[n]; ok {
		return false
	}
	if len(b.used) >= maxUsed/2 {
		for k, until := range b.used {
			if until < now {
				delete(b.used, k)
			}
		}
	}
	if len(b.used) >= maxUsed {
		return false
	}
	b.used[n] = now + challengeLife.Milliseconds()
	return true
}
