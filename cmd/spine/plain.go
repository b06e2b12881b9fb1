package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/blob/file"
)

// plainTransfer moves a file as plainly as the same durability allows, and
// returns how long it took: PUT over loopback HTTP into the blob store that a
// broker uses, fsync, GET out of it into another file, fsync. Nothing is sealed
// or signed; the store checks the hash, which was computed before.
func plainTransfer(ctx context.Context, dir, source string, hash blob.Hash) (took time.Duration, err error) {
	dir, err = os.MkdirTemp(dir, "plain-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	store, err := file.Open(filepath.Join(dir, "blobs"), file.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	srv := &http.Server{Handler: plainHandler(store, hash), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()

	in, err := os.Open(source)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return 0, err
	}
	begin, url := time.Now(), "http://"+ln.Addr().String()
	put, err := http.NewRequestWithContext(ctx, http.MethodPut, url, in)
	if err != nil {
		return 0, err
	}
	put.ContentLength = st.Size()
	if err := plainCall(put, nil); err != nil {
		return 0, err
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		return 0, err
	}
	defer out.Close()
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	if err := plainCall(get, out); err != nil {
		return 0, err
	}
	if err := out.Sync(); err != nil {
		return 0, err
	}
	return time.Since(begin), nil
}

// plainHandler stores one blob and gives it back.
func plainHandler(s *file.Store, hash blob.Hash) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		switch r.Method {
		case http.MethodPut:
			err = s.Put(r.Context(), hash, r.ContentLength, r.Body)
		case http.MethodGet:
			var body io.ReadCloser
			if body, err = s.Open(r.Context(), hash, 0, -1); err == nil {
				_, err = io.Copy(w, body)
				body.Close()
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

func plainCall(req *http.Request, out io.Writer) error {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("plain %s: status %d", req.Method, res.StatusCode)
	}
	if out == nil {
		out = io.Discard
	}
	_, err = io.Copy(out, res.Body)
	return err
}
