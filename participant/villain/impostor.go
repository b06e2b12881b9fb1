package villain

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/nats-io/nkeys"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/httpkit"
)

// Impostor is a participant without a gateway: it has a DID, logs in, and
// speaks the protocol itself, so that no gateway of its own keeps it from
// sending what it must not.
type Impostor struct {
	DID string

	didKey   *ecdsa.PrivateKey
	instance ed25519.PrivateKey
	cert     *envelope.Certificate
	broker   *brokerclient.Client
	hub      *hubclient.Client
	conn     *bus.Conn
}

// instanceSigner signs with a key in memory.
type instanceSigner struct{ key ed25519.PrivateKey }

func (s instanceSigner) Sign(_ context.Context, m []byte) ([]byte, error) {
	return ed25519.Sign(s.key, m), nil
}

// didSigner signs with a key in memory.
type didSigner struct{ key *ecdsa.PrivateKey }

func (s didSigner) SignDigest(_ context.Context, d [32]byte) ([]byte, error) {
	return eip712.Sign(s.key, d)
}

// NewImpostor makes a DID, certifies an instance key, publishes the certificate
// and logs in to broker and hub: admission is open to any DID.
func NewImpostor(ctx context.Context, n *config.Network) (*Impostor, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	_, instance, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	v := &Impostor{
		DID:    ethr.ID{ChainID: n.ChainID, Address: crypto.PubkeyToAddress(key.PublicKey)}.String(),
		didKey: key, instance: instance,
		broker: brokerclient.New(n.Broker, httpkit.Client(30*time.Second)), hub: hubclient.New(n.Hub, httpkit.Client(30*time.Second)),
	}
	now := time.Now().UnixMilli()
	domain := eip712.Domain{ChainID: n.ChainID, Registry: n.Contracts.DIDRegistry}
	v.cert, err = envelope.NewCertificate(ctx, domain, didSigner{key}, instanceSigner{instance}, envelope.CertificateBody{
		DID: v.DID, Key: envelope.Digest(instance.Public().(ed25519.PublicKey)), NotBefore: now, NotAfter: now + envelope.CertificateLife,
	})
	if err != nil {
		return nil, err
	}
	return v, v.login(ctx)
}

func (v *Impostor) login(ctx context.Context) error {
	user, err := nkeys.CreateUser()
	if err != nil {
		return err
	}
	public, err := user.PublicKey()
	if err != nil {
		return err
	}
	prove := func(origin, nkey string, challenge func(context.Context) ([32]byte, error)) ([]byte, error) {
		nonce, err := challenge(ctx)
		if err != nil {
			return nil, err
		}
		l, err := envelope.NewLogin(ctx, instanceSigner{v.instance}, envelope.LoginBody{
			Cert: v.cert.Digest(), Origin: origin, Nonce: nonce, At: time.Now().UnixMilli(), NKey: nkey})
		if err != nil {
			return nil, err
		}
		return l.Bytes(), nil
	}
	proof, err := prove(v.hub.URL(), "", v.hub.Challenge)
	if err != nil {
		return err
	}
	if _, err := v.hub.Login(ctx, v.cert.Bytes(), proof); err != nil {
		return fmt.Errorf("log in to the hub: %w", err)
	}
	if proof, err = prove(v.broker.URL(), public, v.broker.Challenge); err != nil {
		return err
	}
	in, err := v.broker.Login(ctx, v.cert.Bytes(), proof)
	if err != nil {
		return fmt.Errorf("log in to the broker: %w", err)
	}
	if err := v.broker.PutObject(ctx, "cert", v.cert.Digest(), v.cert.Bytes()); err != nil {
		return fmt.Errorf("publish the certificate: %w", err)
	}
	v.conn, err = bus.Connect(ctx, bus.ConnConfig{URL: in.NATS.URL, Token: func() (string, error) { return in.NATS.Token, nil },
		NKey: public, Sign: user.Sign, InboxPrefix: in.NATS.Inbox, Name: "villain"})
	return err
}

// Close ends the connection.
func (v *Impostor) Close() { v.conn.Close() }

// Enrol asks the hub for a role and returns the request's id, for an issuer to
// grant.
func (v *Impostor) Enrol(ctx context.Context, role string) (string, error) {
	e, err := v.hub.RequestEnrolment(ctx, role)
	if err != nil {
		return "", err
	}
	return e.ID, nil
}

// Session is a session that an impostor opened with one recipient.
type Session struct {
	ID      envelope.Digest
	Grant   []byte
	topic   string
	digest  envelope.Digest // of the grant
	subject string
	v       *Impostor
	keys    *envelope.SessionKeys
	next    envelope.Entry
}

// Open opens a session on a topic with a recipient and publishes its grant. The
// credentials are what the impostor claims to hold.
func (v *Impostor) Open(ctx context.Context, topic, to string, credentials ...envelope.Digest) (*Session, error) {
	records, err := v.broker.Records(ctx, topic)
	if err != nil || len(records) == 0 {
		return nil, errors.Join(err, fmt.Errorf("no record of %s", topic))
	}
	members, err := v.broker.Instances(ctx, to)
	if err != nil || len(members) == 0 {
		return nil, errors.Join(err, fmt.Errorf("no instance of %s", to))
	}
	m := members[0]
	raw, err := v.broker.Object(ctx, "package", m.Package)
	if err != nil {
		return nil, err
	}
	pkg, err := envelope.ParsePackage(raw)
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	body := envelope.CoreBody{Suite: envelope.Suite1, From: v.DID, Cert: v.cert.Digest(), Topic: topic, Record: records[len(records)-1].Record,
		NotBefore: now, NotAfter: now + envelope.SessionDefault}
	rand.Read(body.Chan[:])
	core, err := envelope.NewCore(body)
	if err != nil {
		return nil, err
	}
	secret := envelope.NewSecret()
	box, err := envelope.SealBox(core.Session(), pkg, &envelope.BoxText{Secret: secret, Creds: credentials})
	if err != nil {
		return nil, err
	}
	grant, err := envelope.NewGrant(ctx, instanceSigner{v.instance}, core, pkg.Digest(), box)
	if err != nil {
		return nil, err
	}
	s := &Session{ID: core.Session(), Grant: grant.Bytes(), topic: topic, digest: grant.Digest(), subject: bus.Subject(m.PP, m.Addr, envelope.Address(v.DID, 0)), v: v,
		keys: envelope.NewSessionKeys(core.Session(), secret), next: envelope.Entry{Prev: core.Session(), Time: now}}
	return s, s.publish(ctx, s.Grant)
}

// Send seals one message as the session's next envelope and publishes it.
func (s *Session) Send(ctx context.Context, body []byte) (envelope.ID, error) {
	var id envelope.ID
	rand.Read(id[:])
	s.next.Time = max(s.next.Time, time.Now().UnixMilli())
	e, err := s.keys.Seal(ctx, instanceSigner{s.v.instance}, s.next, []envelope.Frame{{ID: id, Type: "application/json", Body: body, At: s.next.Time}})
	if err != nil {
		return id, err
	}
	s.next.Seq++
	s.next.Prev = e.Digest()
	return id, s.publish(ctx, e.Bytes())
}

// granted is the trace of what is told about the session's grant.
func (s *Session) granted(code string) gateway.Event {
	return gateway.Event{Code: code, DID: s.v.DID, Session: s.ID.String(), Digest: s.digest.String(), Topic: s.topic}
}

func (s *Session) publish(ctx context.Context, wire []byte) error {
	return s.v.conn.Publish(ctx, []bus.Msg{{Subject: s.subject, Data: wire}})[0]
}
