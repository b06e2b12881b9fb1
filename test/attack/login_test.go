package attack

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/nats-io/nkeys"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/httpkit"
)

// stranger is a DID that anybody can make, without a role or a gateway.
type stranger struct {
	key  *ecdsa.PrivateKey
	inst ed25519.PrivateKey
}

// SignDigest implements envelope.DIDSigner.
func (s *stranger) SignDigest(_ context.Context, digest [32]byte) ([]byte, error) {
	sig, err := crypto.Sign(digest[:], s.key)
	if err == nil {
		sig[64] += 27
	}
	return sig, err
}

// Sign implements envelope.InstanceSigner.
func (s *stranger) Sign(_ context.Context, m []byte) ([]byte, error) {
	return ed25519.Sign(s.inst, m), nil
}

// logIn logs a stranger in to a hub or a broker and returns its bearer.
func logIn(t *testing.T, n *config.Network, server string) string {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pub, inst, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, now := &stranger{key, inst}, time.Now().UnixMilli()
	cert, err := envelope.NewCertificate(t.Context(), broker.Network{ChainID: n.ChainID, DIDRegistry: n.Contracts.DIDRegistry}.Domain(), s, s, envelope.CertificateBody{
		DID: "did:ethr:0x539:" + crypto.PubkeyToAddress(key.PublicKey).Hex(), Key: envelope.Digest(pub), NotBefore: now - 3_600_000, NotAfter: now + 86_400_000})
	if err != nil {
		t.Fatal(err)
	}
	hc := httpkit.Client(10 * time.Second)
	var challenge struct{ Nonce string }
	if err := httpkit.DoJSON(t.Context(), hc, http.MethodPost, server+"/api/v1/challenge", "", nil, &challenge); err != nil {
		t.Fatal(err)
	}
	nonce, err := base64.RawURLEncoding.DecodeString(challenge.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	body := envelope.LoginBody{Cert: cert.Digest(), Origin: server, At: now}
	copy(body.Nonce[:], nonce)
	if server == n.Broker {
		user, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		if body.NKey, err = user.PublicKey(); err != nil {
			t.Fatal(err)
		}
	}
	login, err := envelope.NewLogin(t.Context(), s, body)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	var out struct{ Token string }
	if err := httpkit.DoJSON(t.Context(), hc, http.MethodPost, server+"/api/v1/login", "",
		map[string]string{"certificate": text(cert.Bytes()), "login": text(login.Bytes())}, &out); err != nil {
		t.Fatal(err)
	}
	return out.Token
}
