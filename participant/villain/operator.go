package villain

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/digital-spine/spine/internal/httpkit"
)

// Operator has the powers of whoever runs the broker: its admin API, which
// stops delivery, removes, and stores any bytes under any subject.
type Operator struct {
	base, key string
	http      *http.Client
}

// NewOperator returns an operator of the broker at baseURL with its admin key.
func NewOperator(baseURL, key string) *Operator {
	return &Operator{base: baseURL + "/api/v1/admin/", key: strings.TrimSpace(key), http: httpkit.Client(30 * time.Second)}
}

// Stored is a message as the broker keeps it.
type Stored struct {
	Seq     uint64
	Subject string
	Data    []byte
}

func (o *Operator) call(ctx context.Context, method, path string, in, out any) error {
	return httpkit.DoJSON(ctx, o.http, method, o.base+path, o.key, in, out)
}

// Messages lists what a mailbox holds above a sequence.
func (o *Operator) Messages(ctx context.Context, mailbox string, after uint64) ([]Stored, error) {
	var all []Stored
	for {
		var out struct {
			Messages []struct {
				Seq     uint64 `json:"seq"`
				Subject string `json:"subject"`
				Data    string `json:"data"`
			} `json:"messages"`
		}
		if err := o.call(ctx, http.MethodGet, fmt.Sprintf("mailboxes/%s/messages?after=%d&limit=100", url.PathEscape(mailbox), after), nil, &out); err != nil {
			return nil, err
		}
		if len(out.Messages) == 0 {
			return all, nil
		}
		for _, m := range out.Messages {
			data, err := base64.RawURLEncoding.DecodeString(m.Data)
			if err != nil {
				return nil, fmt.Errorf("message %d: %w", m.Seq, err)
			}
			all = append(all, Stored{m.Seq, m.Subject, data})
			after = m.Seq
		}
	}
}

// Pause stops delivery to a mailbox until Resume, for a minute at most.
func (o *Operator) Pause(ctx context.Context, mailbox string) error {
	return o.call(ctx, http.MethodPost, "mailboxes/"+url.PathEscape(mailbox)+"/pause", map[string]int{"seconds": 60}, nil)
}

// Resume delivers again.
func (o *Operator) Resume(ctx context.Context, mailbox string) error {
	return o.call(ctx, http.MethodPost, "mailboxes/"+url.PathEscape(mailbox)+"/resume", nil, nil)
}

// Delete removes a stored message.
func (o *Operator) Delete(ctx context.Context, mailbox string, seq uint64) error {
	return o.call(ctx, http.MethodDelete, fmt.Sprintf("mailboxes/%s/messages/%d?reason=attack", url.PathEscape(mailbox), seq), nil, nil)
}

// Publish stores bytes under a subject, whoever the subject says sent them.
func (o *Operator) Publish(ctx context.Context, subject string, data []byte) error {
	in := map[string]string{"subject": subject, "data": base64.RawURLEncoding.EncodeToString(data)}
	return o.call(ctx, http.MethodPost, "publish", in, nil)
}
