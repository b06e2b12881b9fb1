package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed static/*.css static/*.js static/*.svg static/lib/*.js static/lib/*.css static/lib/*.woff2
var static embed.FS

// assets are the embedded files with the hash of each, by which browsers may
// keep them for ever.
type assets struct {
	files map[string][]byte
	hash  map[string]string
}

// loadAssets reads the embedded files.
func loadAssets() *assets {
	a := &assets{files: map[string][]byte{}, hash: map[string]string{}}
	err := fs.WalkDir(static, "static", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := static.ReadFile(p)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(p, "static/")
		sum := sha256.Sum256(b)
		a.files[name], a.hash[name] = b, hex.EncodeToString(sum[:6])
		return nil
	})
	if err != nil { // embedded at compile time: cannot fail
		panic(err)
	}
	return a
}

// url returns the path of a file with its hash.
func (a *assets) url(name string) string { return "/static/" + name + "?v=" + a.hash[name] }

// types are those that the system's table may not know.
var types = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2",
}

// serve answers with a file.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/static/")
	b, ok := a.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	typ := types[path.Ext(name)]
	if typ == "" {
		typ = mime.TypeByExtension(path.Ext(name))
	}
	h.Set("Content-Type", typ)
	tag := `"` + a.hash[name] + `"`
	h.Set("ETag", tag)
	h.Del("Vary")
	if r.URL.Query().Get("v") == a.hash[name] || path.Ext(name) == ".woff2" {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(b)
}
