package bus

import (
	"errors"
	"log/slog"
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
