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

	"github.com/digital-spine/spine/gateway/upstream"
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
var ErrNoLogin = upstream.ErrNoLogin

// Client calls one broker. Its methods may be called from many goroutines.
type Client struct {
	*upstream.Client
	blobs transfers
}

// New returns a client of the broker at base, the URL of the network file
// without trailing slash. hc is copied; it bounds connections and time.
func New(base string, hc *http.Client) *Client {
	up := upstream.New("broker", base, ErrNotFound, hc)
	return &Client{up, newTransfers(*up.HTTP())}
}

// Object returns the raw bytes of a directory object by its digest, or
// ErrNotFound. Nothing about them has been checked but their size.
func (c *Client) Object(ctx context.Context, kind string, digest [32]byte) ([]byte, error) {
	path := "objects/" + hex.EncodeToString(digest[:]) + "?kind=" + kind
	raw, err := c.Do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 || len(raw) > MaxObject {
		return nil, fmt.Errorf("broker: %s of %d bytes: %w", kind, len(raw), problem.New(http.StatusBadGateway, "answer_too_large", "a directory object is empty or too large"))
	}
	return raw, nil
}

// PutObject stores an object under its digest. The broker checks it first and
// never replaces what it has; putting the same again is fine.
func (c *Client) PutObject(ctx context.Context, kind string, digest [32]byte, raw []byte) error {
	path := "objects/" + hex.EncodeToString(digest[:]) + "?kind=" + kind
	_, err := c.Do(ctx, http.MethodPut, path, "application/octet-stream", raw)
	return err
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
	if err := c.Call(ctx, http.MethodGet, "instances?"+query, nil, &out); err != nil {
		return nil, err
	}
	if len(out.Instances) > MaxInstances {
		return nil, c.Invalid("more instances than a DID may have")
	}
	list := make([]Instance, 0, len(out.Instances))
	for _, i := range out.Instances {
		cert, err := c.Digest(i.Cert)
		if err != nil {
			return nil, err
		}
		var pkg [32]byte
		if i.Pkg != "" {
			if pkg, err = c.Digest(i.Pkg); err != nil {
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
	if err := c.Call(ctx, http.MethodGet, "records?name="+url.QueryEscape(name), nil, &out); err != nil {
		return nil, err
	}
	if len(out.Records) > MaxRecords {
		return nil, c.Invalid("more records than a topic may have")
	}
	list := make([]Record, 0, len(out.Records))
	for _, r := range out.Records {
		rec, err := c.Digest(r.Rec)
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
	if err := c.LoggedIn("consumer"); err != nil {
		return err
	}
	return c.Call(ctx, http.MethodPost, "consumer", map[string]uint64{"seq": seq}, nil)
}

// Mailbox is what the broker says about this gateway's own mailbox.
type Mailbox struct {
	Pending uint64 `json:"pending"` // messages not yet acknowledged
}

// Mailbox asks for the state of the own mailbox.
func (c *Client) Mailbox(ctx context.Context) (*Mailbox, error) {
	if err := c.LoggedIn("mailbox"); err != nil {
		return nil, err
	}
	var m Mailbox
	if err := c.Call(ctx, http.MethodGet, "mailbox", nil, &m); err != nil {
		return nil, err
	}
	return &m, nil
}
