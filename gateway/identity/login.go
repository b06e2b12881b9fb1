package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/problem"
)

// Login is what the broker gave this gateway for the data plane. Values of one
// login do not change; NATSToken returns the newest token, of later logins too.
type Login struct {
	NATSURL  string
	Stream   string
	Consumer string
	Inbox    string // prefix of reply subjects
	PP       int    // partition of the own mailbox
	Addr     string // address of the own mailbox
	Network  brokerclient.Network
	Expires  time.Time

	// NATSToken returns the newest data-plane token, bound to NKey.
	NATSToken func() (string, error)
	// NKey is the public NATS user key of this process; Sign signs a server's
	// nonce with it.
	NKey string
	Sign func(nonce []byte) ([]byte, error)

	token string
}

// Session returns the newest login to the broker, waiting for the first one.
// It fails when the gateway was stopped (network_mismatch) or ctx ends.
func (s *Self) Session(ctx context.Context) (*Login, error) {
	for {
		s.mu.Lock()
		login, stopped, changed := s.login, s.stopped, s.changed
		s.mu.Unlock()
		switch {
		case stopped != nil:
			return nil, stopped
		case login != nil:
			return login, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errors.Join(ErrNotReady, ctx.Err())
		}
	}
}

// natsToken returns the newest token.
func (s *Self) natsToken() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.login == nil {
		return "", ErrNotReady
	}
	return s.login.token, nil
}

// loginBroker logs in to the broker and keeps what it gave.
func (s *Self) loginBroker(ctx context.Context) error {
	nkey, err := s.user.PublicKey()
	if err != nil {
		return err
	}
	cert, login, err := s.signLogin(ctx, s.d.Broker.URL(), nkey, s.d.Broker.Challenge)
	if err != nil {
		return fmt.Errorf("log in to the broker: %w", err)
	}
	got, err := s.d.Broker.Login(ctx, cert, login)
	if err != nil {
		return fmt.Errorf("log in to the broker: %w", err)
	}
	if err := s.sameNetwork("broker", got.Network.RetentionMS, got.Network.StatusTTLMS, got.Network.Wire, got.Network.Cap); err != nil {
		return err
	}
	if want := s.d.Network.NATS; want != "" && got.NATS.URL != want {
		return ErrMismatch.With("server", "broker").With("value", "nats").Wrap(fmt.Errorf("it tells %q", got.NATS.URL))
	}
	if err := config.CheckURL(got.NATS.URL); err != nil {
		return ErrMismatch.With("server", "broker").With("value", "nats").Wrap(err)
	}
	if got.NATS.Addr != "" && got.NATS.Addr != s.addr {
		return problem.New(502, "answer_invalid", "the broker gave the mailbox of another instance")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.login = &Login{
		NATSURL: got.NATS.URL, Stream: got.NATS.Stream, Consumer: got.NATS.Consumer, Inbox: got.NATS.Inbox,
		PP: got.NATS.PP, Addr: s.addr, Network: got.Network, Expires: got.Expires,
		NATSToken: s.natsToken, NKey: nkey, Sign: s.user.Sign, token: got.NATS.Token,
	}
	s.broker = loggedIn{at: s.d.Clock.Now(), until: got.Expires}
	s.tell()
	return nil
}

// loginHub logs in to the hub, whose client keeps the bearer.
func (s *Self) loginHub(ctx context.Context) error {
	cert, login, err := s.signLogin(ctx, s.d.Hub.URL(), "", s.d.Hub.Challenge)
	if err != nil {
		return fmt.Errorf("log in to the hub: %w", err)
	}
	got, err := s.d.Hub.Login(ctx, cert, login)
	if err != nil {
		return fmt.Errorf("log in to the hub: %w", err)
	}
	if err := s.sameNetwork("hub", got.Network.RetentionMS, got.Network.StatusTTLMS, got.Network.Wire, got.Network.Cap); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hub = loggedIn{at: s.d.Clock.Now(), until: got.Expires}
	return nil
}

// signLogin answers a server's challenge under the newest certificate.
func (s *Self) signLogin(ctx context.Context, origin, nkey string, challenge func(context.Context) ([32]byte, error)) (cert, login []byte, err error) {
	nonce, err := challenge(ctx)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	c := s.newestCertificate(s.now())
	s.mu.Unlock()
	if c == nil {
		return nil, nil, ErrNotReady
	}
	l, err := envelope.NewLogin(ctx, ringSigner{s.d.Keyring, c.Key}, envelope.LoginBody{Cert: c.Digest, Origin: origin, Nonce: nonce, At: s.now(), NKey: nkey})
	if err != nil {
		return nil, nil, err
	}
	return c.Raw, l.Bytes(), nil
}

// sameNetwork compares what a server told with the network file.
func (s *Self) sameNetwork(server string, retention, ttl, wire, cap int64) error {
	n := s.d.Network
	for _, v := range []struct {
		name      string
		told, own int64
	}{{"retention_ms", retention, n.RetentionMS}, {"status_ttl_ms", ttl, n.StatusTTLMS}, {"wire", wire, n.Wire}, {"cap", cap, n.Cap}} {
		if v.told != v.own {
			return ErrMismatch.With("server", server).With("value", v.name).
				Wrap(fmt.Errorf("the %s tells %s %d, the network file has %d", server, v.name, v.told, v.own))
		}
	}
	return nil
}

// checkClock compares the own clock with a server's, unless it was not heard.
// One server that differs is enough to stop: which of the two is wrong cannot
// be told from here, and to wait is the safe side.
func (s *Self) checkClock(ctx context.Context, server string, told time.Time) {
	if told.IsZero() {
		return
	}
	off := s.d.Clock.Now().Sub(told)
	// Date has whole seconds: the true time lies up to one second after it.
	bad := off > clockSkew+time.Second || off < -clockSkew
	s.mu.Lock()
	was := len(s.offBy) > 0
	if bad {
		s.offBy[server] = off
	} else {
		delete(s.offBy, server)
	}
	is := len(s.offBy) > 0
	if was != is {
		s.tell()
	}
	s.mu.Unlock()
	if is && !was {
		s.emit(ctx, "clock", fmt.Sprintf("own clock differs from the %s's by %s", server, off.Round(time.Second)))
	} else if was && !is {
		s.d.Log.Info("the clock is right again")
	}
}

const clockSkew = time.Duration(envelope.Skew) * time.Millisecond
