package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/envelope"
)

// ObjectPath names an object of the directory.
type ObjectPath struct {
	Digest string `path:"digest" doc:"64 hexadecimal digits"`
	Kind   string `query:"kind" required:"true" enum:"cert,package,topic,schema"`
}

type rawAnswer struct {
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag"`
	Body        []byte
}

type instanceBody struct {
	DID  string `json:"did"`
	Inst uint64 `json:"inst"`
	Addr string `json:"addr"`
	PP   int    `json:"pp"`
	Cert string `json:"cert" doc:"digest of the newest certificate, empty when there is none"`
	Pkg  string `json:"pkg" doc:"digest of the newest key package, empty when there is none"`
}

type recordBody struct {
	Version  string `json:"version"`
	Revision uint64 `json:"revision"`
	Rec      string `json:"rec" doc:"digest of the record"`
}

func (a *api) directory(api huma.API) {
	type put struct {
		Auth
		ObjectPath
		RawBody []byte `contentType:"application/octet-stream"`
	}
	o := secured(op("put-object", http.MethodPut, "objects/{digest}", "Store an object of the caller under its digest; it is checked, and never replaced", "directory"))
	o.DefaultStatus = http.StatusOK
	huma.Register(api, o, func(ctx context.Context, i *put) (*body[empty], error) {
		s, err := a.session(i.Auth)
		if err != nil {
			return nil, err
		}
		d, err := envelope.ParseDigest(i.Digest)
		if err != nil {
			return nil, err
		}
		return &body[empty]{}, a.b.PutObject(ctx, s, broker.Kind(i.Kind), d, i.RawBody)
	})
	get := op("get-object", http.MethodGet, "objects/{digest}", "Read an object as it was stored", "directory")
	get.Responses = map[string]*huma.Response{"200": {Description: "the bytes",
		Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	huma.Register(api, get,
		func(ctx context.Context, i *ObjectPath) (*rawAnswer, error) {
			d, err := envelope.ParseDigest(i.Digest)
			if err != nil {
				return nil, err
			}
			o, err := a.b.Object(ctx, broker.Kind(i.Kind), d)
			if err != nil {
				return nil, err
			}
			return &rawAnswer{ContentType: "application/octet-stream", ETag: `"` + i.Digest + `"`, Body: o.Bytes}, nil
		})

	type instancesIn struct {
		DID  string `query:"did" maxLength:"256"`
		Addr string `query:"addr" maxLength:"26"`
	}
	type instances struct {
		Instances []instanceBody `json:"instances"`
	}
	huma.Register(api, op("instances", http.MethodGet, "instances", "Gateway instances of a DID or of an address", "directory"),
		func(ctx context.Context, i *instancesIn) (*body[instances], error) {
			all, err := a.b.Instances(ctx, i.DID, i.Addr)
			if err != nil {
				return nil, err
			}
			out := instances{Instances: []instanceBody{}}
			for _, in := range all {
				if in.Cert.IsZero() {
					continue // nothing to seal to
				}
				out.Instances = append(out.Instances, instanceBody{DID: in.DID, Inst: in.Inst, Addr: in.Addr, PP: in.PP, Cert: hexOf(in.Cert), Pkg: hexOf(in.Pkg)})
			}
			return &body[instances]{out}, nil
		})

	type recordsIn struct {
		Name string `query:"name" required:"true" maxLength:"255"`
	}
	type records struct {
		Records []recordBody `json:"records"`
	}
	huma.Register(api, op("records", http.MethodGet, "records", "Topic records of a name", "directory"),
		func(ctx context.Context, i *recordsIn) (*body[records], error) {
			all, err := a.b.Records(ctx, i.Name)
			if err != nil {
				return nil, err
			}
			out := records{Records: []recordBody{}}
			for _, o := range all {
				out.Records = append(out.Records, recordBody{Version: o.Version, Revision: o.Revision, Rec: o.Digest.String()})
			}
			return &body[records]{out}, nil
		})
}

func hexOf(d envelope.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}
