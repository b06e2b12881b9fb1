package bus

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/digital-spine/spine/internal/testkit"
)

// Who is refused learns nothing but that; why is in the log, and it is no error
// of this server's.
func TestRefusedAtTheDoor(t *testing.T) {
	var logged lines
	s, err := Embed(t.Context(), EmbedConfig{StoreDir: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.Admit(func(a Attempt) (Grant, error) {
		if a.Token == "good" {
			return Grant{Name: "guest", Until: time.Now().Add(time.Hour)}, nil
		}
		return Grant{}, errors.New("not on the list")
	})
	_, err = nats.Connect(s.URL(), nats.Token("bad"))
	if !errors.Is(err, nats.ErrAuthorization) || strings.Contains(err.Error(), "list") {
		t.Errorf("told %v", err)
	}
	// The broker's own name opens nothing without its password.
	if _, err = nats.Connect(s.URL(), nats.UserInfo(brokerUser, "")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("as the broker: %v", err)
	}
	testkit.Eventually(t, testkit.Context(t), "the reason in the log", func() bool { return strings.Contains(logged.String(), "not on the list") })
	if got := logged.String(); strings.Contains(got, "level=ERROR") {
		t.Errorf("a refusal was logged as an error of the server:\n%s", got)
	}

	nc, err := nats.Connect(s.URL(), nats.Token("good"), nats.MaxReconnects(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	all, err := s.Clients()
	if err != nil || len(all) != 1 || all[0].Name != "guest" {
		t.Fatalf("connections: %+v %v", all, err)
	}
	if !s.Disconnect(all[0].ID) || s.Disconnect(all[0].ID) {
		t.Error("not disconnected once")
	}
	testkit.Eventually(t, testkit.Context(t), "the connection to go", nc.IsClosed)
	if all, err = s.Clients(); err != nil || len(all) != 0 {
		t.Errorf("connections: %+v %v", all, err)
	}
	if n := len(s.door.names); n != 0 {
		t.Errorf("the names of %d connections that went are kept", n)
	}
}

// Who finds the account full has no rights in it, not even for what it sent
// together with its CONNECT.
func TestFullAccountGivesNoRights(t *testing.T) {
	ctx := testkit.Context(t)
	s, err := Embed(ctx, EmbedConfig{StoreDir: t.TempDir(), Listen: "127.0.0.1:0", MaxConnections: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.Admit(func(a Attempt) (Grant, error) {
		return Grant{Name: "guest", Publish: []string{"m.1.*.me"}, Subscribe: []string{"_INBOX_me.>"}, Until: time.Now().Add(time.Hour)}, nil
	})
	b, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	all, err := b.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	one, err := nats.Connect(s.URL(), nats.Token("x"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Close)
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(s.URL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, err = fmt.Fprint(c, "CONNECT {\"auth_token\":\"x\",\"verbose\":false,\"protocol\":1}\r\n"+
		"PUB m.1.victim.forged 2\r\nhi\r\nPUB $JS.ACK.MB_01.victim.1.1.1.1.1 0\r\n\r\nPUB $JS.API.CONSUMER.MSG.NEXT.MB_01.victim _INBOX_me.1 1\r\n1\r\n")
	if err != nil {
		t.Fatal(err)
	}
	told, _ := io.ReadAll(c) // until the server closes it
	if !strings.Contains(string(told), "maximum account active connections exceeded") {
		t.Errorf("told %q", told)
	}
	// What the broker itself sends comes behind all that may have got through.
	if err := b.Publish("m.1.end", nil); err != nil {
		t.Fatal(err)
	}
	m, err := all.NextMsgWithContext(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "m.1.end" {
		t.Errorf("%s got through", m.Subject)
	}
}

// A grant that lists nothing gives nothing.
func TestEmptyGrant(t *testing.T) {
	s, err := Embed(testkit.Context(t), EmbedConfig{StoreDir: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.Admit(func(Attempt) (Grant, error) { return Grant{Name: "guest", Until: time.Now().Add(time.Hour)}, nil })
	refused := make(chan error, 2)
	nc, err := nats.Connect(s.URL(), nats.Token("x"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if err := nc.Publish("m.1.a.b", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.SubscribeSync("m.>"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Error(err)
			}
		case <-testkit.Context(t).Done():
			t.Fatal("publishing and subscribing were not both refused")
		}
	}
}
