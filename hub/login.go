package hub

import (
	"context"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/vc"
)

// Login checks a login by instance certificate as any peer would (protocol
// section 6: the nonce, the login under the certificate's key, C1 to C5) and
// returns a bearer token and when it ends (ms).
//
// Codes: nonce and what the checks say (malformed, rebound, time, cert,
// signature, weak_key, pop, cert_void, all 401), did_stale (503).
func (h *Hub) Login(ctx context.Context, certificate, login []byte) (token string, expires int64, err error) {
	now := h.now()
	l, err := envelope.ParseLogin(login)
	if err != nil {
		return "", 0, loginError(err)
	}
	cert, err := envelope.ParseCertificate(certificate)
	if err != nil {
		return "", 0, loginError(err)
	}
	if err := h.challenged(l.Nonce); err != nil {
		return "", 0, err
	}
	if l.NKey != "" {
		return "", 0, loginError(envelope.Malformed.Errorf("a login to the hub names no nkey"))
	}
	if err := l.Check(cert, h.origin(), l.Nonce, now); err != nil {
		return "", 0, loginError(err)
	}
	if err := cert.CheckNow(now); err != nil {
		return "", 0, loginError(err)
	}
	if err := cert.Check(ctx, now, h.domain, h.dids, 0); err != nil {
		return "", 0, loginError(err)
	}
	highest, err := h.store.RaiseFloor(ctx, cert.DID, cert.Inst, cert.Floor)
	if err != nil {
		return "", 0, err
	}
	if err := cert.CheckFloor(highest); err != nil {
		return "", 0, loginError(err)
	}
	// Only logins that hold use a nonce up, so that writing it down cannot be
	// forced by strangers without a DID.
	first, err := h.store.UseNonce(ctx, l.Nonce, now)
	if err != nil {
		return "", 0, err
	}
	if !first {
		return "", 0, ErrNonce
	}
	expires = now + TokenLife.Milliseconds()
	return h.seal(Session{DID: cert.DID, Inst: cert.Inst, Floor: cert.Floor, Expires: expires}), expires, nil
}

// loginError gives the checks' errors the status of a failed login.
func loginError(err error) error {
	switch code := problem.CodeOf(err); code {
	case "internal", "timeout", "canceled":
		return err
	case vc.CodeDIDStale:
		return problem.New(503, code, "no fresh state of this DID can be had").WithHint("try again").Wrap(err)
	default:
		return problem.New(401, code, err.Error()).Wrap(err)
	}
}
