package httpkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/digital-spine/spine/internal/problem"
)

// MaxAnswer bounds what DoJSON and Do read of an answer, in bytes.
const MaxAnswer = 8 << 20

// Client returns an HTTP client with bounded connections and timeouts. A zero
// timeout leaves the whole call to its context, for long polls.
func Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConnsPerHost:   64,
			MaxIdleConns:          256,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// DoJSON sends in as JSON (no body when nil) and decodes a 2xx answer into out
// (ignored when nil). Any other answer becomes a *problem.Error with the
// server's code; a server that cannot be reached has the code "unreachable".
func DoJSON(ctx context.Context, hc *http.Client, method, url, bearer string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	answer, err := Do(ctx, hc, method, url, bearer, "application/json", body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return problem.New(http.StatusBadGateway, "answer_invalid", "the server's answer is not what it documents").Wrap(err)
	}
	return nil
}

// Do sends a request and returns the body of a 2xx answer, as DoJSON.
func Do(ctx context.Context, hc *http.Client, method, url, bearer, contentType string, body []byte) ([]byte, error) {
	var rd io.Reader
	if body != nil {
		rd = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, rd)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := hc.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, problem.New(http.StatusBadGateway, "unreachable", "the server cannot be reached").Wrap(err)
	}
	defer resp.Body.Close()
	buf := bytes.NewBuffer(make([]byte, 0, max64(min(resp.ContentLength, MaxAnswer), 512)+bytes.MinRead))
	_, err = buf.ReadFrom(io.LimitReader(resp.Body, MaxAnswer+1))
	answer := buf.Bytes()
	if err != nil {
		return nil, problem.New(http.StatusBadGateway, "unreachable", "the server's answer broke off").Wrap(err)
	}
	if len(answer) > MaxAnswer {
		return nil, problem.New(http.StatusBadGateway, "answer_too_large", "the server's answer is larger than it may be")
	}
	if resp.StatusCode/100 == 2 {
		return answer, nil
	}
	return nil, DecodeProblem(resp.StatusCode, answer)
}

// DecodeProblem reads a problem document into an error.
func DecodeProblem(status int, body []byte) *problem.Error {
	var p struct {
		Code   string    `json:"code"`
		Detail string    `json:"detail"`
		Hint   string    `json:"hint"`
		Errors []Invalid `json:"errors"`
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return problem.New(status, "http_"+fmt.Sprint(status), "the server answered "+title(status))
	}
	for _, e := range p.Errors {
		p.Detail += "; " + e.Location + ": " + e.Message
	}
	e := problem.New(status, p.Code, p.Detail).WithHint(p.Hint)
	var all map[string]any
	if json.Unmarshal(body, &all) == nil {
		for _, k := range []string{"type", "title", "status", "code", "detail", "hint", "request", "errors"} {
			delete(all, k)
		}
		if len(all) > 0 {
			e.Details = all
		}
	}
	return e
}

// ReadBody reads a request's body of 1..max bytes; codes body_empty and
// body_too_large.
func ReadBody(r *http.Request, max int64) ([]byte, error) {
	if r.ContentLength > max {
		return nil, bodyTooLarge(max)
	}
	buf := bytes.NewBuffer(make([]byte, 0, max64(r.ContentLength, 512)))
	_, err := buf.ReadFrom(io.LimitReader(r.Body, max+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, bodyTooLarge(tooLarge.Limit)
	case err != nil:
		return nil, problem.New(http.StatusBadRequest, "body_incomplete", "the request's body broke off").Wrap(err)
	case int64(buf.Len()) > max:
		return nil, bodyTooLarge(max)
	case buf.Len() == 0:
		return nil, problem.New(http.StatusBadRequest, "body_empty", "the request has no body").WithHint("send a JSON document")
	}
	return buf.Bytes(), nil
}

func max64(a, b int64) int64 {
	if a > b {
		return a + 1 // one more, so that reading the end does not grow the buffer
	}
	return b
}

func bodyTooLarge(limit int64) *problem.Error {
	return problem.New(http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("the body is larger than %d bytes", limit)).
		With("limit", limit).WithHint("send less in one request")
}
