package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// maxLiveLine bounds one line of a live stream, in bytes.
const maxLiveLine = 1 << 20

// LiveEvent is one thing that a live stream told: Name is message (a
// gateway.Entry), event (a gateway.Event), overview (a gateway.Overview),
// transfer (a gateway.Transfer) or lagged (a gateway.Lagged, the last one).
type LiveEvent struct {
	Name string
	ID   int64 // number of an event, 0 for the others
	Data []byte
}

// LiveStream is an open live stream (server-sent events). One goroutine uses it.
type LiveStream struct {
	body io.ReadCloser
	scan *bufio.Scanner
}

// Live opens a stream of what happens at the gateway; what happens after it
// returned is heard. No topics mean all: message, event, overview, transfer.
// Events above number after come first, when it is above 0.
func (c *Client) Live(ctx context.Context, after int64, topics ...string) (*LiveStream, error) {
	q := url.Values{}
	if len(topics) > 0 {
		q.Set("topics", strings.Join(topics, ","))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/live?"+q.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("open live stream: %w", err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if after > 0 {
		req.Header.Set("Last-Event-ID", strconv.FormatInt(after, 10))
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, problem.New(http.StatusBadGateway, "unreachable", "the gateway cannot be reached").Wrap(err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		return nil, httpkit.DecodeProblem(resp.StatusCode, answer)
	}
	s := &LiveStream{body: resp.Body, scan: bufio.NewScanner(resp.Body)}
	s.scan.Buffer(nil, maxLiveLine)
	for s.scan.Scan() {
		if len(s.scan.Bytes()) == 0 { // the gateway has said that it is live
			return s, nil
		}
	}
	s.Close()
	return nil, problem.New(http.StatusBadGateway, "unreachable", "the gateway's answer broke off").Wrap(s.scan.Err())
}

// Next waits for the next thing told; io.EOF when the gateway ended the stream.
func (s *LiveStream) Next() (*LiveEvent, error) {
	e := &LiveEvent{Name: "message"}
	var data [][]byte
	for s.scan.Scan() {
		line := s.scan.Bytes()
		if len(line) == 0 {
			if data == nil {
				e = &LiveEvent{Name: "message"} // a heartbeat
				continue
			}
			e.Data = bytes.Join(data, []byte("\n"))
			return e, nil
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			e.Name = string(value)
		case "id":
			e.ID, _ = strconv.ParseInt(string(value), 10, 64)
		case "data":
			data = append(data, bytes.Clone(value))
		}
	}
	if err := s.scan.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return nil, problem.New(http.StatusBadGateway, "answer_too_large", "the gateway's answer is larger than it may be")
		}
		return nil, fmt.Errorf("read live stream: %w", err)
	}
	return nil, io.EOF
}

// Close ends the stream.
func (s *LiveStream) Close() error { return s.body.Close() }
