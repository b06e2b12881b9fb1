package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/httpkit"
)

type blobBody struct {
	Hash   string `json:"hash"`
	Size   int64  `json:"size"`
	Stored int64  `json:"stored" doc:"ms since 1970"`
}

// operatorBlobs are the operator's calls on blobs that carry no bytes.
func (a *api) operatorBlobs(api huma.API) {
	type listIn struct {
		Auth
		After string `query:"after" maxLength:"64" doc:"hash to continue after"`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	type blobPage struct {
		Blobs []blobBody `json:"blobs"`
		Next  string     `json:"next,omitempty" doc:"value of after for the next page"`
	}
	huma.Register(api, adminOp("admin-blobs", http.MethodGet, "blobs", "List stored blobs"),
		func(ctx context.Context, i *listIn) (*body[blobPage], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			var after blob.Hash
			if i.After != "" {
				var err error
				if after, err = blob.ParseHash(i.After); err != nil {
					return nil, err
				}
			}
			all, err := a.b.ListBlobs(ctx, after, i.Limit)
			if err != nil {
				return nil, err
			}
			out := blobPage{Blobs: []blobBody{}}
			for _, b := range all {
				out.Blobs = append(out.Blobs, blobBody{Hash: blob.FormatHash(b.Hash), Size: b.Size, Stored: b.Modified.UnixMilli()})
			}
			if len(all) == i.Limit {
				out.Next = out.Blobs[len(all)-1].Hash
			}
			return &body[blobPage]{out}, nil
		})

	type deleteIn struct {
		Auth
		Hash   string `path:"hash" doc:"64 lower-case hexadecimal digits"`
		Reason string `query:"reason" maxLength:"1000" doc:"why; it is kept in the log"`
	}
	huma.Register(api, adminOp("admin-delete-blob", http.MethodDelete, "blobs/{hash}", "Remove a blob before its time"),
		func(ctx context.Context, i *deleteIn) (*body[empty], error) {
			if err := a.operatorKey(i.Auth); err != nil {
				return nil, err
			}
			h, err := blob.ParseHash(i.Hash)
			if err != nil {
				return nil, err
			}
			return &body[empty]{}, a.b.DeleteBlob(ctx, h, i.Reason)
		})
}

func (a *api) overwriteBlob(w http.ResponseWriter, r *http.Request, h blob.Hash) error {
	if err := a.admin.Check(httpkit.Bearer(r)); err != nil {
		return err
	}
	if err := upload(w, r); err != nil {
		return err
	}
	body, stop := readWithin(a.clock, w, r.Body)
	defer stop()
	if err := a.b.OverwriteBlob(r.Context(), h, body); err != nil {
		return err
	}
	httpkit.WriteJSON(w, http.StatusOK, empty{})
	return nil
}
