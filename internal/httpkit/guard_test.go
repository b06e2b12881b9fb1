package httpkit

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// serve starts a server whose patience with bodies a test can wait for.
func serve(t *testing.T, patience time.Duration) *Server {
	t.Helper()
	s := New(Options{Title: "t", Version: "1"})
	s.bodyFor, s.unreadFor = patience, patience
	s.Router.Post("/read", func(w http.ResponseWriter, r *http.Request) {
		b, err := ReadBody(r, 1000)
		if err != nil {
			WriteProblem(w, r, err)
			return
		}
		WriteJSON(w, http.StatusOK, len(b))
	})
	s.Router.Put("/read", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if err := s.Listen(t.Context(), "127.0.0.1:0", ""); err != nil {
		t.Fatal(err)
	}
	go s.Serve()
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// TestBodyThatNeverComes has a client say that it has a body and send a part:
// whatever became of the request, its connection is not held for ever.
func TestBodyThatNeverComes(t *testing.T) {
	s := serve(t, 50*time.Millisecond)
	for _, tc := range []struct {
		request string
		status  int
		code    string
	}{
		{"POST /read", http.StatusBadRequest, "body_incomplete"},
		{"PUT /read", http.StatusNoContent, ""}, // never reads it
		{"POST /nothing", http.StatusNotFound, "not_found"},
		{"POST /healthz", http.StatusMethodNotAllowed, "method_not_allowed"},
	} {
		t.Run(tc.request, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf", tc.request)
			in := bufio.NewReader(conn)
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if p := DecodeProblem(resp.StatusCode, b); resp.StatusCode != tc.status || (tc.code != "" && p.Code != tc.code) {
				t.Errorf("answered %d %s", resp.StatusCode, b)
			}
			if _, err := in.ReadByte(); err != io.EOF {
				t.Errorf("the connection is held: %v", err)
			}
		})
	}
}

// TestConnectionAfterABody asks again on the connection of a request whose body
// came, later than a body may take.
func TestConnectionAfterABody(t *testing.T) {
	const patience = 50 * time.Millisecond
	s := serve(t, patience)
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for range 2 {
		fmt.Fprint(conn, "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		_ = conn.SetReadDeadline(time.Now().Add(2 * patience))
		if _, err := in.ReadByte(); err == io.EOF { // a deadline of the client's: open still
			t.Fatal("the connection was closed")
		}
		_ = conn.SetReadDeadline(time.Time{})
	}
}

func TestMethodsArePointedOut(t *testing.T) {
	s := serve(t, time.Minute)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.URL()+"/read", nil)
	resp, err := Client(5 * time.Second).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST, PUT" {
		t.Errorf("%s, Allow %q", resp.Status, resp.Header.Get("Allow"))
	}
}

func TestQueryThatCannotBeRead(t *testing.T) {
	s := serve(t, time.Minute)
	for query, want := range map[string]int{"": 200, "a=1&a=2&=": 200, "a=%zz": 400, "a=1;b=2": 400, "%": 400} {
		resp, err := Client(5 * time.Second).Get(s.URL() + "/healthz?" + query)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || (want == 400 && DecodeProblem(400, b).Code != "query_malformed") {
			t.Errorf("%q: %d %s", query, resp.StatusCode, b)
		}
	}
}

// TestAnswerDoesNotGrow sends what is wrong in many places, and at great length.
func TestAnswerDoesNotGrow(t *testing.T) {
	s := start(t, "")
	for name, body := range map[string]string{
		"many members": `{"name":"fine"` + manyMembers(100) + `}`,
		"a long name":  `{"` + strings.Repeat("é", 450) + `":1}`,
	} {
		resp, err := Client(5*time.Second).Post(s.URL()+"/thing", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		var p Problem
		if err := json.Unmarshal(b, &p); err != nil || resp.StatusCode != http.StatusUnprocessableEntity || len(p.Errors) == 0 {
			t.Fatalf("%s: %d %s", name, resp.StatusCode, b)
		}
		if len(p.Errors) > maxInvalid {
			t.Errorf("%s: %d errors", name, len(p.Errors))
		}
		for _, e := range p.Errors {
			if len(e.Location) > maxLocation+len("…") || strings.ContainsRune(e.Location, utf8.RuneError) {
				t.Errorf("%s: location %q", name, e.Location)
			}
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%d":1`, i)
	}
	return b.String()
}
