package bus

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// EmbedConfig describes the embedded server.
type EmbedConfig struct {
	StoreDir string // folder of the streams; locked while the server runs
	Listen   string // host:port; port 0 takes the port of the last run when it is free
	Name     string // unique and stable; "spine" when empty
	// SyncInterval is "always" when empty: a message is on disk before it is
	// acknowledged. Anything else weakens the promise and is for measurements.
	SyncInterval   string
	MaxFileStore   int64 // bytes all streams together may reserve; 256 GiB when zero
	MaxConnections int   // gateway connections; 20,000 when zero
	// ShutdownTimeout bounds Close; 20 s when zero. Leaving earlier is safe, since
	// everything acknowledged is on disk.
	ShutdownTimeout time.Duration
	Log             *slog.Logger
}

// Server is an embedded NATS server with the accounts of the data plane. Until
// Admit is called, nobody but the broker itself may connect.
type Server struct {
	srv     *server.Server
	door    *door
	lock    *os.File
	url     string
	timeout time.Duration
}

// Embed starts the server and returns when it accepts connections. The server
// runs until Close.
func Embed(ctx context.Context, c EmbedConfig) (*Server, error) {
	if c.Name == "" {
		c.Name = "spine"
	}
	if c.SyncInterval == "" {
		c.SyncInterval = "always"
	}
	if c.MaxFileStore <= 0 {
		c.MaxFileStore = 256 << 30
	}
	if c.MaxConnections <= 0 {
		c.MaxConnections = 20_000
	}
	if c.ShutdownTimeout <= 0 {
		c.ShutdownTimeout = 20 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("nats listen address %q: %w", c.Listen, err)
	}
	// Logins and subjects pass here in plain text.
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("nats listen address %s: plain text beyond loopback; listen on loopback, and put a proxy or leaf node that speaks TLS in front", c.Listen)
	}
	lock, err := lockStore(c.StoreDir)
	if err != nil {
		return nil, err
	}
	s := &Server{lock: lock, timeout: c.ShutdownTimeout}
	if err := s.start(ctx, c, host, port); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, c EmbedConfig, host, port string) error {
	s.door = &door{log: c.Log, password: secret(), names: make(map[uint64]string)}
	o := &server.Options{}
	if err := o.ProcessConfigString(serverText(c)); err != nil {
		return fmt.Errorf("nats configuration: %w", err)
	}
	o.Host, o.NoSigs, o.AlwaysEnableNonce, o.CustomClientAuthentication = host, true, true, s.door
	sticky := filepath.Join(c.StoreDir, "ADDRESS")
	var err error
	if o.Port, err = choosePort(ctx, host, port, sticky); err != nil {
		return err
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("nats server: %w", err)
	}
	s.door.srv = srv
	srv.SetLoggerV2(&serverLog{log: c.Log}, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		srv.Shutdown()
		return errors.New("nats server did not become ready in 20 s; see its log")
	}
	s.srv = srv
	addr := srv.Addr().String()
	s.url = "nats://" + addr
	if err := remember(sticky, addr); err != nil {
		srv.Shutdown()
		return fmt.Errorf("remember nats address: %w", err)
	}
	return nil
}

// remember writes the address so that a kill leaves it whole or leaves none.
func remember(file, addr string) error {
	if b, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(b)) == addr {
		return nil
	}
	if err := os.WriteFile(file+".new", []byte(addr+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// secret makes a password.
func secret() string {
	var b [24]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// choosePort turns port 0 into the port of the last run when that is free, so
// that gateways find the server again, else into one the system picks.
func choosePort(ctx context.Context, host, port, sticky string) (int, error) {
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return 0, fmt.Errorf("nats listen port %q is not a number", port)
	}
	if n != 0 {
		return n, nil
	}
	if b, err := os.ReadFile(sticky); err == nil {
		h, p, err := net.SplitHostPort(strings.TrimSpace(string(b)))
		if old, perr := strconv.Atoi(p); err == nil && perr == nil && h == host {
			var lc net.ListenConfig
			if ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(h, p)); err == nil {
				ln.Close()
				return old, nil
			}
		}
	}
	return server.RANDOM_PORT, nil
}

// URL returns what gateways connect to, nats://host:port.
func (s *Server) URL() string { return s.url }

// Connect opens an in-process connection as the broker, in the account that has
// the streams.
func (s *Server) Connect(o ...nats.Option) (*nats.Conn, error) {
	o = append([]nats.Option{nats.InProcessServer(s.srv), nats.UserInfo(brokerUser, s.door.password), nats.MaxReconnects(-1),
		nats.ReconnectWait(50 * time.Millisecond), nats.Name(brokerUser)}, o...)
	nc, err := nats.Connect("", o...)
	if err != nil {
		return nil, fmt.Errorf("connect to the message bus as its broker: %w", err)
	}
	return nc, nil
}

// Health returns nil while JetStream works.
func (s *Server) Health() error {
	if h := s.srv.Healthz(&server.HealthzOptions{}); h.StatusCode != 200 {
		return fmt.Errorf("nats server: %s", h.Error)
	}
	return nil
}

// Close lets nobody in any more and stops the server: at most for the shutdown
// timeout, because each consumer takes about 10 ms to stop and nothing depends
// on it.
func (s *Server) Close() error {
	s.Admit(nil)
	done := make(chan struct{})
	go func() {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
		close(done)
	}()
	t := time.NewTimer(s.timeout)
	defer t.Stop()
	select {
	case <-done:
		return s.lock.Close()
	case <-t.C:
		// The lock stays: the server may still write until the process ends.
		return fmt.Errorf("nats server did not stop within %s", s.timeout)
	}
}

// serverLog gives the server's log lines to slog.
type serverLog struct{ log *slog.Logger }

func (l *serverLog) Noticef(f string, v ...any) { l.log.Debug(fmt.Sprintf(f, v...)) }

func (l *serverLog) Warnf(f string, v ...any)  { l.log.Warn(fmt.Sprintf(f, v...)) }
func (l *serverLog) Fatalf(f string, v ...any) { l.log.Error(fmt.Sprintf(f, v...)) }

// ofClient begins a line about one connection.
var ofClient = regexp.MustCompile(`^\S+ - (cid|wid):\d+ - `)

// Errorf tells what one client did wrong more quietly than what went wrong here.
func (l *serverLog) Errorf(f string, v ...any) {
	line, level := fmt.Sprintf(f, v...), slog.LevelError
	if ofClient.MatchString(line) {
		level = slog.LevelInfo
	}
	l.log.Log(context.Background(), level, line)
}
func (l *serverLog) Debugf(f string, v ...any) { l.log.Debug(fmt.Sprintf(f, v...)) }
func (l *serverLog) Tracef(f string, v ...any) { l.log.Debug(fmt.Sprintf(f, v...)) }
