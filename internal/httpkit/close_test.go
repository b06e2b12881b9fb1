package httpkit

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A client's connection in reserve, on which nothing was asked yet, does not
// hold up a stop; the standard library waits 5 s for each.
func TestCloseHangsUpOnTheSilent(t *testing.T) {
	s := start(t, "")
	silent, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	// Connections are accepted in their order: once this is answered, that is in.
	r, err := http.Get(s.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the silent connection: %v", err)
	}
}
