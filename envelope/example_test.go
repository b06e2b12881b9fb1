package envelope_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"fmt"
	"log"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
)

// instanceKey and didKey keep keys in memory; a gateway's are in its keyring.
type instanceKey struct{ ed25519.PrivateKey }

func (k instanceKey) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(k.PrivateKey, message), nil
}

type didKey struct{ seed string }

func (k didKey) SignDigest(_ context.Context, digest [32]byte) ([]byte, error) {
	key, err := crypto.HexToECDSA(k.seed)
	if err != nil {
		return nil, err
	}
	return eip712.Sign(key, digest)
}

// A message from a sender to a recipient, without what each checks of the
// other: see docs/protocol.md section 13 for that.
func Example() {
	ctx := context.Background()
	now := int64(1767225600000)
	domain := eip712.Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}

	// Both have a certificate, the recipient has a key package.
	certify := func(did, didSeed string, instance instanceKey) *envelope.Certificate {
		return check(envelope.NewCertificate(ctx, domain, didKey{didSeed}, instance, envelope.CertificateBody{
			DID: did, Key: envelope.Digest(instance.Public().(ed25519.PublicKey)), NotBefore: now, NotAfter: now + envelope.CertificateLife,
		}))
	}
	sender := instanceKey{ed25519.NewKeyFromSeed(make([]byte, 32))}
	senderCert := certify("did:ethr:0x539:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", fmt.Sprintf("%064x", 1), sender)
	recipient := instanceKey{ed25519.NewKeyFromSeed([]byte("another seed of thirty-two bytes"))}
	recipientCert := certify("did:ethr:0x539:0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF", fmt.Sprintf("%064x", 2), recipient)
	private := check(hpke.MLKEM768X25519().GenerateKey())
	pkg := check(envelope.NewPackage(ctx, recipient, envelope.PackageBody{
		Cert: recipientCert.Digest(), Gen: envelope.NextGeneration(0, now, now), NotBefore: now, NotAfter: recipientCert.NotAfter,
		KEM: map[uint64][]byte{envelope.Suite1: private.PublicKey().Bytes()},
	}))

	// The sender opens a session for the recipient and seals a message.
	core := check(envelope.NewCore(envelope.CoreBody{
		Suite: envelope.Suite1, From: senderCert.DID, Cert: senderCert.Digest(), Topic: "hello.market.apps.edge.iam.ewc",
		NotBefore: now, NotAfter: now + envelope.SessionDefault,
	}))
	secret := envelope.NewSecret()
	box := check(envelope.SealBox(core.Session(), pkg, &envelope.BoxText{Secret: secret}))
	grant := check(envelope.NewGrant(ctx, sender, core, pkg.Digest(), box))
	sealed := check(envelope.NewSessionKeys(core.Session(), secret).Seal(ctx, sender,
		envelope.Entry{Seq: 0, Prev: core.Session(), Time: now},
		[]envelope.Frame{{ID: envelope.ID{1}, Type: "application/json", Body: []byte(`{"n":1}`), At: now}}))

	// The recipient gets the bytes of both.
	g := check(envelope.ParseGrant(grant.Bytes()))
	if err := g.Verify(senderCert.PublicKey()); err != nil {
		log.Fatal(err)
	}
	text := check(envelope.OpenBox(private, g.Core.Session(), g.Package, g.Box))
	e := check(envelope.ParseEnvelope(sealed.Bytes()))
	if err := e.Verify(senderCert.PublicKey()); err != nil {
		log.Fatal(err)
	}
	opened := check(envelope.NewSessionKeys(g.Core.Session(), text.Secret).Open(e))
	fmt.Printf("%s on %s: %s\n", g.Core.From, g.Core.Topic, opened.Frames[0].Body)
	// Output: did:ethr:0x539:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf on hello.market.apps.edge.iam.ewc: {"n":1}
}

func check[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
