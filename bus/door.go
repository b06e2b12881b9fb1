package bus

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Attempt is a connection attempt of somebody who is not the broker itself.
type Attempt struct {
	Host  string // where from
	Name  string // what the client calls itself; nothing checks it
	Token string
	NKey  string // public key the client claims
	Nonce string // the server's, for this connection
	Sig   string // what the client says is its signature over Nonce; nothing checked it yet
}

// Grant is what an admitted client may do in the account of the gateways; what
// is not listed, it may not.
type Grant struct {
	Name               string // what Clients tells it as
	Publish, Subscribe []string
	Until              time.Time // the server closes the connection then
}

// Client is an open connection of a gateway.
type Client struct {
	ID              uint64 // unique while the server runs
	Name            string // of its Grant
	InMsgs, InBytes int64
}

// door decides who may connect. The server asks it in the goroutine that reads
// from the client, so an answer costs no message.
//
// It stands in place of the server's own auth callout, which takes the system
// account for granted. Shutdown takes that account away first, long before it
// closes listeners and clients: in v2.15 whoever says CONNECT in between, or
// says it again on a connection that was let in before, ends the process with a
// nil pointer. That cannot be closed from outside, because nothing tells when
// the last CONNECT that was read is through.
type door struct {
	srv      *server.Server
	log      *slog.Logger
	password string // of the broker itself; it never leaves the process

	mu    sync.RWMutex
	admit func(Attempt) (Grant, error) // nil: nobody is let in
	names map[uint64]string            // names of open connections, and of some that were
}

// brokerUser is the user that the broker connects as.
const brokerUser = "broker"

var _ server.Authentication = (*door)(nil)

// Check implements server.Authentication.
func (d *door) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	if o.Username == brokerUser {
		return subtle.ConstantTimeCompare([]byte(o.Password), []byte(d.password)) == 1 && d.place(c, AccountSpine, &server.User{Username: brokerUser})
	}
	d.mu.RLock()
	admit := d.admit
	d.mu.RUnlock()
	if admit == nil {
		// It is no fault of the client's, so it is not told that it is refused.
		_ = d.srv.DisconnectClientByID(c.GetID())
		return false
	}
	a := Attempt{Name: o.Name, Token: o.Token, NKey: o.Nkey, Nonce: string(c.GetNonce()), Sig: o.Sig}
	if addr := c.RemoteAddress(); addr != nil {
		a.Host = addr.String()
	}
	g, err := admit(a)
	if err != nil {
		// The client only learns that it was refused; the reason is for here.
		d.log.Info("connection refused", "host", a.Host, "name", a.Name, "err", err)
		return false
	}
	d.mu.Lock()
	d.names[c.GetID()] = g.Name
	d.mu.Unlock()
	return d.place(c, AccountGateway, &server.User{Username: g.Name, ConnectionDeadline: g.Until,
		Permissions: &server.Permissions{Publish: only(g.Publish), Subscribe: only(g.Subscribe)}})
}

// only allows some subjects. The server takes an empty list for all of them.
func only(subjects []string) *server.SubjectPermission {
	if len(subjects) == 0 {
		return &server.SubjectPermission{Deny: []string{">"}}
	}
	return &server.SubjectPermission{Allow: subjects}
}

// place puts a client into an account and reports whether it is in. When the
// account is full, the server says so to the client and closes the connection,
// but RegisterUser returns nothing, has not come to the permissions, and what
// the client sent behind its CONNECT would be taken without any. So permissions
// come before the account, and a connection that is closed was not let in.
func (d *door) place(c server.ClientAuthentication, account string, u *server.User) bool {
	var err error
	if u.Account, err = d.srv.LookupAccount(account); err != nil {
		d.log.Error("account of the message bus", "account", account, "err", err)
		return false
	}
	c.RegisterUser(&server.User{Username: u.Username, Permissions: u.Permissions})
	c.RegisterUser(u)
	return d.srv.GetClient(c.GetID()) != nil
}

// Admit has admit decide from now on who may connect, in many goroutines at
// once; nil lets nobody in. Connections that are open stay.
func (s *Server) Admit(admit func(Attempt) (Grant, error)) {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	s.door.admit = admit
}

// ID names this run of the server.
func (s *Server) ID() string { return s.srv.ID() }

// Clients lists the open connections of gateways.
func (s *Server) Clients() ([]Client, error) {
	// All at once: between two pages connections come and go, and one that is
	// passed over would be counted anew from its beginning.
	z, err := s.srv.Connz(&server.ConnzOptions{Account: AccountGateway, Limit: math.MaxInt})
	if err != nil {
		return nil, fmt.Errorf("connections: %w", err)
	}
	out := make([]Client, 0, len(z.Conns))
	s.door.mu.RLock()
	for _, c := range z.Conns {
		out = append(out, Client{ID: c.Cid, Name: s.door.names[c.Cid], InMsgs: c.InMsgs, InBytes: c.InBytes})
	}
	s.door.mu.RUnlock()
	s.door.forget()
	return out, nil
}

// forget drops the names of connections that went. One that is being let in is
// known to the server already.
func (d *door) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.names {
		if d.srv.GetClient(id) == nil {
			delete(d.names, id)
		}
	}
}

// Disconnect closes a connection and reports whether it was open.
func (s *Server) Disconnect(id uint64) bool { return s.srv.DisconnectClientByID(id) == nil }
