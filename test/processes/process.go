package processes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/digital-spine/spine/internal/config"
)

var binary struct {
	once sync.Once
	dir  string
	err  error
}

// Binary builds the spine once for all tests of a test binary and returns its
// path; SPINE_TEST_BINARY names one to test instead, such as a release. Remove
// deletes what was built.
func Binary(t testing.TB) string {
	t.Helper()
	if given := os.Getenv("SPINE_TEST_BINARY"); given != "" {
		return given
	}
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "spine-binary-"); binary.err != nil {
			return
		}
		args := append([]string{"build", "-o", binary.dir + "/spine"}, buildFlags...)
		cmd := exec.Command("go", append(args, "github.com/digital-spine/spine/cmd/spine")...)
		if out, err := cmd.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("build the binary: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.dir + "/spine"
}

// Remove deletes what Binary built; TestMain calls it last.
func Remove() {
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
}

// Process is one command of the spine that can be started again and again on
// the same data. Its methods are for one goroutine.
type Process struct {
	Name string
	Data string // where it writes ready.json; "" when it writes none
	Log  string // file of what it printed, over all its starts
	Args []string

	bin    string
	cmd    *exec.Cmd
	ended  chan struct{}
	err    error // of the end, once ended is closed
	killed bool
}

// NewProcess describes a process and has the test kill it at its end and show
// the end of its log when the test failed.
func NewProcess(t testing.TB, name, data, log string, args ...string) *Process {
	t.Helper()
	p := &Process{Name: name, Data: data, Log: log, Args: args, bin: Binary(t)}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", name, p.tail())
		}
	})
	return p
}

// tail returns the last lines the process printed.
func (p *Process) tail() []byte {
	const most = 12_000
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return []byte(err.Error())
	}
	if len(b) > most {
		b = b[len(b)-most:]
	}
	return bytes.TrimSpace(b)
}

// Start starts the process; it must not be running.
func (p *Process) Start() error {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintf(log, "--- start at %s\n", time.Now().Format("15:04:05.000"))
	cmd := exec.Command(p.bin, p.Args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(p.Log)
	cmd.Env = append(os.Environ(), raceEnv...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended, p.killed = cmd, ended, false
	go func() {
		p.err = cmd.Wait()
		close(ended)
	}()
	return nil
}

// Running reports whether the process was started and did not end yet.
func (p *Process) Running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Kill ends the process without a word (kill -9) and waits until it is gone.
// It reports whether the process was still running.
func (p *Process) Kill() bool {
	if !p.Running() {
		return false
	}
	p.killed = true
	_ = p.cmd.Process.Kill()
	<-p.ended
	return true
}

// Stop asks the process to end (SIGTERM) and returns an error when it does not
// do so in order.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Failed(); err != nil {
		return err
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	select {
	case <-p.ended:
		p.killed = true
		if p.err != nil {
			return fmt.Errorf("%s did not stop in order: %w", p.Name, p.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not stop: %w", p.Name, ctx.Err())
	}
}

// Signal sends the process a signal, and does not wait for what becomes of it.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Wait waits until the process has ended, or ctx.
func (p *Process) Wait(ctx context.Context) {
	select {
	case <-p.ended:
	case <-ctx.Done():
	}
}

// Ended returns nil when the process ended by itself with status 0.
func (p *Process) Ended() error {
	if p.Running() {
		return errors.New("still running")
	}
	return p.err
}

// Failed returns an error when the process ended by itself.
func (p *Process) Failed() error {
	select {
	case <-p.ended:
		if !p.killed {
			return fmt.Errorf("%s ended by itself: %v\n%s", p.Name, p.err, p.tail())
		}
	default:
	}
	return nil
}

// Ready waits until the process that runs now can be used: a file that an
// earlier one left does not count.
func (p *Process) Ready(ctx context.Context) (config.Ready, error) {
	var r config.Ready
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if b, err := os.ReadFile(filepath.Join(p.Data, "ready.json")); err == nil {
			if err := json.Unmarshal(b, &r); err != nil {
				return r, fmt.Errorf("ready.json of %s: %w", p.Name, err)
			}
			if r.PID == p.cmd.Process.Pid {
				return r, nil
			}
		}
		select {
		case <-p.ended:
			return r, errors.Join(fmt.Errorf("%s ended before it was ready", p.Name), p.Failed())
		case <-ctx.Done():
			return r, fmt.Errorf("wait for %s to be ready: %w", p.Name, ctx.Err())
		case <-tick.C:
		}
	}
}
