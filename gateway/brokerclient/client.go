// Package brokerclient speaks the broker's HTTP API /api/v1 for a gateway:
// login, the directory of certificates, key packages, topic records and
// schemas, the store of large sealed bodies, and the gateway's own mailbox.
//
// It moves bytes and checks shapes and sizes, nothing else. What it returns was
// said by the broker and is to be believed only after gateway/trust has
// verified it. It is not the data plane: messages go over NATS (package bus).
package brokerclient

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// Kinds of directory objects.
const (
	KindCertificate = "cert"
	KindPackage     = "package"
	KindTopic       = "topic"
	KindSchema      = "schema"
)

// Bounds on what a directory may answer with; more is refused.
const (
	MaxObject    = 1 << 20 // bytes of one object; a schema bundle is the largest
	MaxInstances = 8       // instances of one DID
	MaxRecords   = 1_000   // revisions of one topic
)

// ErrNotFound says that the directory holds no such object. The directory is
// not trusted: it may come to hold it later, or hide it.
var ErrNotFound = errors.New("not in the directory")

// ErrNoLogin says that no bearer is known yet for a call that needs one.
var ErrNoLogin = errors.New("not logged in to the broker")

// Client calls one broker. Its methods may be called from many goroutines.
type Client struct {
	base    string
	hc      *http.Client
	date    dated
	token   atomic.Pointer[string]
	refused atomic.Pointer[func()]
	blobs   transfers
}

// New returns a client of the broker at base, the URL of the network file
// without trailing slash. hc is copied; it bounds connections and time.
func New(base string, hc *http.Client) *Client {
	c := &Client{base: base}
	own := *hc
	c.date.next = own.Transport
	if c.date.next == nil {
		c.date.next = http.DefaultTransport
	}
	own.Transport = &c.date
	c.hc = &own
	c.blobs = newTransfers(own)
	return c
}

// URL is the broker's base URL, the origin of logins.
func (c *Client) URL() string { return c.base }

// ServerTime is the server's clock as its newest answer told it, to the second;
// zero before the first one.
func (c *Client) ServerTime() time.Time { return c.date.time() }

// OnUnauthorized has fn called when the server refuses the bearer: it ended, or
// the server lost it. fn must not block.
func (c *Client) OnUnauthorized(fn func()) { c.refused.Store(&fn) }

// failed makes a 404 recognisable by errors.Is and tells of a 401.
func (c *Client) failed(err error) error {
	var p *problem.Error
	if !errors.As(err, &p) {
		return err
	}
	switch p.Status {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case http.StatusUnauthorized:
		if fn := c.refused.Load(); fn != nil && c.bearer() != "" {
			(*fn)()
		}
	}
	return err
}

// SetToken sets the bearer of later calls; Login sets it too.
func (c *Client) SetToken(token string) { c.token.Store(&token) }

func (c *Client) bearer() string {
	if t := c.token.Load(); t != nil {
		return *t
	}
	return ""
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	if err := httpkit.DoJSON(ctx, c.hc, method, c.base+"/api/v1/"+path, c.bearer(), in, out); err != nil {
		return fmt.Errorf("broker: %s %s: %w", method, path, c.failed(err))
	}
	return nil
}

// Object returns the raw bytes of a directory object by its digest, or
// ErrNotFound. Nothing about them has been checked but their size.
func (c *Client) Object(ctx context.Context, kind string, digest [32]byte) ([]byte, error) {
	path := "objects/" + hex.EncodeToString(digest[:])
	raw, err := httpkit.Do(ctx, c.hc, http.MethodGet, c.base+"/api/v1/"+path+"?kind="+kind, c.bearer(), "", nil)
	if err != nil {
		return nil, fmt.Errorf("broker: get %s %s: %w", kind, path, c.failed(err))
	}
	if len(raw) == 0 || len(raw) > MaxObject {
		return nil, fmt.Errorf("broker: %s of %d bytes: %w", kind, len(raw), problem.New(http.StatusBadGateway, "answer_too_large", "a directory object is empty or too large"))
	}
	return raw, nil
}

// PutObject stores an object under its digest. The broker checks it first and
// never replaces what it has; putting the same again is fine.
func (c *Client) PutObject(ctx context.Context, kind string, digest [32]byte, raw []byte) error {
	path := "objects/" + hex.EncodeToString(digest[:])
	_, err := httpkit.Do(ctx, c.hc, http.MethodPut, c.base+"/api/v1/"+path+"?kind="+kind, c.bearer(), "application/octet-stream", raw)
	if err != nil {
		return fmt.Errorf("broker: put %s %s: %w", kind, path, c.failed(err))
	}
	return nil
}

// Instance is one line of the directory: an instance of a DID, where its
// mailbox is and its newest certificate and package.
type Instance struct {
	DID         string
	Inst        uint64
	Addr        string
	PP          int
	Certificate [32]byte
	Package     [32]byte // zero when there is none
}

// Instances lists the instances of a DID, at most MaxInstances.
func (c *Client) Instances(ctx context.Context, did string) ([]Instance, error) {
	return c.instances(ctx, "did="+url.QueryEscape(did))
}

// InstanceAt returns the instances at a mailbox address.
func (c *Client) InstanceAt(ctx context.Context, addr string) ([]Instance, error) {
	return c.instances(ctx, "addr="+url.QueryEscape(addr))
}

func (c *Client) instances(ctx context.Context, query string) ([]Instance, error) {
	var out struct {
		Instances []struct {
			DID  string `json:"did"`
			Inst uint64 `json:"inst"`
			Addr string `json:"addr"`
			PP   int    `json:"pp"`
			Cert string `json:"cert"`
			Pkg  string `json:"pkg"`
		} `json:"instances"`
	}
	if err := c.call(ctx, http.MethodGet, "instances?"+query, nil, &out); err != nil {
		return nil, err
	}
	if len(out.Instances) > MaxInstances {
		return nil, invalid("more instances than a DID may have")
	}
	list := make([]Instance, 0, len(out.Instances))
	for _, i := range out.Instances {
		cert, err := digest(i.Cert)
		if err != nil {
			return nil, err
		}
		var pkg [32]byte
		if i.Pkg != "" {
			if pkg, err = digest(i.Pkg); err != nil {
				return nil, err
			}
		}
		list = append(list, Instance{DID: i.DID, Inst: i.Inst, Addr: i.Addr, PP: i.PP, Certificate: cert, Package: pkg})
	}
	return list, nil
}

// Record is one revision of a topic in the directory.
type Record struct {
	Version  string
	Revision uint64
	Record   [32]byte
}

// Records lists the revisions of all versions of a topic, at most MaxRecords.
func (c *Client) Records(ctx context.Context, name string) ([]Record, error) {
	var out struct {
		Records []struct {
			Version  string `json:"version"`
			Revision uint64 `json:"revision"`
			Rec      string `json:"rec"`
		} `json:"records"`
	}
	if err := c.call(ctx, http.MethodGet, "records?name="+url.QueryEscape(name), nil, &out); err != nil {
		return nil, err
	}
	if len(out.Records) > MaxRecords {
		return nil, invalid("more records than a topic may have")
	}
	list := make([]Record, 0, len(out.Records))
	for _, r := range out.Records {
		rec, err := digest(r.Rec)
		if err != nil {
			return nil, err
		}
		list = append(list, Record{Version: r.Version, Revision: r.Revision, Record: rec})
	}
	return list, nil
}

// Consumer has the broker make this mailbox's consumer anew, starting at
// stream sequence seq (0: the first message that is still kept).
func (c *Client) Consumer(ctx context.Context, seq uint64) error {
	if c.bearer() == "" {
		return fmt.Errorf("broker: consumer: %w", ErrNoLogin)
	}
	return c.call(ctx, http.MethodPost, "consumer", map[string]uint64{"seq": seq}, nil)
}

// Mailbox is what the broker says about this gateway's own mailbox.
type Mailbox struct {
	Pending uint64 `json:"pending"` // messages not yet acknowledged
}

// Mailbox asks for the state of the own mailbox.
func (c *Client) Mailbox(ctx context.Context) (*Mailbox, error) {
	if c.bearer() == "" {
		return nil, fmt.Errorf("broker: mailbox: %w", ErrNoLogin)
	}
	var m Mailbox
	if err := c.call(ctx, http.MethodGet, "mailbox", nil, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

func digest(s string) ([32]byte, error) {
	var d [32]byte
	if len(s) != 64 {
		return d, invalid("not a digest")
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return d, invalid("not a digest")
	}
	return d, nil
}

func invalid(what string) error {
	return fmt.Errorf("broker: %w", problem.New(http.StatusBadGateway, "answer_invalid", "the broker's answer is not what it documents: "+what))
}

// dated remembers the Date of the newest answer and when it came, for the check
// of the own clock.
type dated struct {
	next http.RoundTripper
	last atomic.Pointer[heard]
}

type heard struct{ date, at time.Time }

func (d *dated) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err == nil {
		if t, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
			d.last.Store(&heard{date: t, at: time.Now()})
		}
	}
	return resp, err
}

// time adds what has passed since, by the monotonic clock, which nobody sets.
func (d *dated) time() time.Time {
	h := d.last.Load()
	if h == nil {
		return time.Time{}
	}
	return h.date.Add(time.Since(h.at))
}
