package bus

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStopWhileClientsConnect stops servers while clients connect as fast as
// they can, and while clients that were let in say CONNECT again and again. A
// server that does not bear it panics in a goroutine of its own and takes the
// whole test process with it.
func TestStopWhileClientsConnect(t *testing.T) {
	const connect = "CONNECT {\"nkey\":\"key\",\"sig\":\"signature\",\"auth_token\":\"token\",\"verbose\":false}\r\nPING\r\n"
	for range 20 {
		var logged lines
		s, err := Embed(t.Context(), EmbedConfig{StoreDir: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(&logged, nil))})
		if err != nil {
			t.Fatal(err)
		}
		s.Admit(func(Attempt) (Grant, error) { return Grant{Name: "gateway", Until: time.Now().Add(time.Hour)}, nil })
		addr := strings.TrimPrefix(s.URL(), "nats://")
		stopped := make(chan struct{})
		var wg, warm sync.WaitGroup
		for i := range 16 {
			warm.Add(1)
			wg.Go(func() {
				admitted := sync.OnceFunc(warm.Done)
				defer admitted()
				for {
					select {
					case <-stopped:
						return
					default:
					}
					c, err := net.Dial("tcp", addr)
					if err != nil {
						continue
					}
					for _, err = io.WriteString(c, connect); err == nil; _, err = io.WriteString(c, connect) {
						if err = pong(c); err != nil {
							break
						}
						admitted()
						if i%2 == 0 {
							break
						}
					}
					c.Close()
				}
			})
		}
		warm.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		close(stopped)
		wg.Wait()
		if got := logged.String(); strings.Contains(got, "level=ERROR") {
			t.Errorf("an orderly stop was logged as errors:\n%s", got)
		}
	}
}

// pong reads until the server has answered a PING.
func pong(c net.Conn) error {
	for s := bufio.NewScanner(c); s.Scan(); {
		if s.Text() == "PONG" {
			return nil
		}
		if strings.HasPrefix(s.Text(), "-ERR") {
			return fmt.Errorf("refused: %s", s.Text())
		}
	}
	return io.EOF
}

// lines gathers what is logged in many goroutines.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
