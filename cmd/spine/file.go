package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// sentFile is what send prints of a file.
type sentFile struct {
	*gateway.Accepted
	File *gateway.File `json:"file"`
}

// sendFile uploads a file and sends it. Killed and started again with the same
// file, it goes on where the gateway stands.
func (c *sendCmd) sendFile(a *app, t *target, d gateway.Draft) error {
	f, err := os.Open(c.File)
	if err != nil {
		return problem.New(400, "file", "the file cannot be read").Wrap(err)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return problem.New(400, "file", "the file cannot be read").Wrap(err)
	case !st.Mode().IsRegular():
		return problem.New(400, "file", "this is not a file").WithHint("folders are sent as an archive")
	}
	name := filepath.Base(c.File)
	typ := c.Type
	if typ == "" {
		typ = typeOf(name)
	}
	// What a file's upload cannot say, a message about a stored file can.
	plain := d.Re == "" && d.Corr == "" && d.IdempotencyKey == ""
	o := client.UploadOptions{Name: name, Type: typ, Channel: d.Channel, To: d.To, Send: plain}
	note := newUploadNote(t.URL, c.File, st, o)
	o.Resume, o.Began = note.read(), note.write
	bar := newBar(a.stderr, name)
	o.Progress = bar.show
	file, sent, err := t.client().Upload(a.ctx, f, st.Size(), o)
	bar.end()
	if err != nil {
		if problem.From(err).Status < 500 && a.ctx.Err() == nil {
			note.forget() // there is nothing to go on with
		}
		return elsewhere(a.ctx, t, err)
	}
	if !plain {
		d.File, d.Type = file.ID, typ
		accepted, err := t.client().Send(a.ctx, d)
		if err != nil {
			return err
		}
		sent = &accepted
	}
	note.forget()
	if sent == nil {
		return problem.New(502, "answer_invalid", "the file is stored, and the gateway does not say that it was sent").WithHint("ask for it with GET /api/v1/files/{id}")
	}
	return a.print(sentFile{sent, file}, "%s  %s  %s  %d bytes  sha256=%s\n", sent.ID, sent.State, printable(file.Name), file.Size, file.SHA256)
}

// typeOf guesses a media type by a file's name.
func typeOf(name string) string {
	if strings.EqualFold(filepath.Ext(name), ".csv") {
		return "text/csv"
	}
	if t := mime.TypeByExtension(filepath.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// uploadNote remembers which upload a file's sending began, so that the next
// try goes on with it. It is a file in the user's cache, and may be lost.
type uploadNote struct{ path string }

// newUploadNote finds the note of the same file, unchanged, on the same way.
func newUploadNote(gatewayURL, file string, st os.FileInfo, o client.UploadOptions) uploadNote {
	dir, err := os.UserCacheDir()
	if err != nil {
		return uploadNote{}
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return uploadNote{}
	}
	b, err := json.Marshal([]any{gatewayURL, abs, st.Size(), st.ModTime().UnixNano(), o.Name, o.Type, o.Channel, o.To, o.Send})
	if err != nil {
		return uploadNote{}
	}
	sum := sha256.Sum256(b)
	return uploadNote{filepath.Join(dir, "spine", "uploads", hex.EncodeToString(sum[:16]))}
}

func (n uploadNote) read() string {
	b, err := os.ReadFile(n.path)
	if id := strings.TrimSpace(string(b)); err == nil && gateway.ValidID(id) {
		return id
	}
	return ""
}

func (n uploadNote) write(id string) {
	if n.path == "" || os.MkdirAll(filepath.Dir(n.path), 0o700) != nil {
		return
	}
	_ = os.WriteFile(n.path, []byte(id+"\n"), 0o600)
}

func (n uploadNote) forget() {
	if n.path != "" {
		_ = os.Remove(n.path)
	}
}

// partName is the name of a download that is not complete.
func partName(id string) string { return partPrefix + id + partSuffix }

const (
	partPrefix = ".spine-"
	partSuffix = ".part"
)

// fetchFile saves the file of a message in a folder and returns the name it has
// there. The folder is never left, and nothing in it is overwritten: a name that
// is taken gets a number. The same file saved again keeps its place. What is
// half there after a kill is gone on with.
func fetchFile(ctx context.Context, gw *client.Client, root *os.Root, f *gateway.File, progress func(through, total int64)) (string, error) {
	if !gateway.ValidID(f.ID) {
		return "", problem.New(502, "answer_invalid", "the gateway's answer is not what it documents")
	}
	got, err := download(ctx, gw, root, f.ID, progress)
	if err != nil {
		return "", err
	}
	return place(root, partName(f.ID), got)
}

// goOn goes on with the downloads that a kill left, while their messages are
// not handed over again yet.
func goOn(ctx context.Context, gw *client.Client, root *os.Root, show func(name string) *bar) error {
	dir, err := root.Open(".")
	if err != nil {
		return fmt.Errorf("save file: %w", err)
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return fmt.Errorf("save file: %w", err)
	}
	for _, name := range names {
		id, ok := strings.CutPrefix(name, partPrefix)
		id, end := strings.CutSuffix(id, partSuffix)
		if !ok || !end || !gateway.ValidID(id) {
			continue
		}
		bar := show(name)
		_, err := download(ctx, gw, root, id, bar.show)
		bar.end()
		if err != nil && problem.CodeOf(err) != "file_unknown" { // its time at the gateway is over
			return err
		}
	}
	return nil
}

// download brings a file's content into the folder, whole and forced to disk,
// under a name of its own.
func download(ctx context.Context, gw *client.Client, root *os.Root, id string, progress func(through, total int64)) (*gateway.File, error) {
	part := partName(id)
	out, err := root.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("save file: %w", err)
	}
	defer out.Close()
	st, err := out.Stat()
	if err != nil {
		return nil, fmt.Errorf("save file: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, problem.New(400, "file", "something in the folder is in the way: "+part)
	}
	o := client.DownloadOptions{Hash: sha256.New(), Progress: progress}
	if o.From, err = io.Copy(o.Hash, out); err != nil {
		return nil, fmt.Errorf("save file: %w", err)
	}
	f, err := gw.Download(ctx, id, out, o)
	if err == nil {
		err = out.Sync()
	}
	if err != nil {
		switch problem.CodeOf(err) {
		case "content_hash", "file_unknown": // what was here is other bytes, or never becomes whole
			_ = root.Remove(part)
		}
		return nil, err
	}
	return f, nil
}

// place gives a complete download its name.
func place(root *os.Root, part string, f *gateway.File) (string, error) {
	name := safeName(f)
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	for n := 1; ; n++ {
		to := name
		if n > 1 {
			to = fmt.Sprintf("%s (%d)%s", stem, n, ext)
		}
		err := root.Link(part, to)
		if os.IsExist(err) {
			if sameFile(root, to, f) {
				return to, finish(root, part)
			}
			continue
		}
		if err != nil { // a file system without links: the name is taken, then filled
			var hold *os.File
			if hold, err = root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); os.IsExist(err) {
				continue
			} else if err == nil {
				hold.Close()
				err = root.Rename(part, to)
			}
		}
		if err != nil {
			return "", fmt.Errorf("save file: %w", err)
		}
		return to, finish(root, part)
	}
}

// finish drops the other name of a download and forces the folder to disk.
func finish(root *os.Root, part string) error {
	if err := root.Remove(part); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("save file: %w", err)
	}
	dir, err := root.Open(".")
	if err != nil {
		return fmt.Errorf("save file: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("save file: %w", err)
	}
	return nil
}

// sameFile reports whether a file in the folder has this content.
func sameFile(root *os.Root, name string, f *gateway.File) bool {
	if st, err := root.Lstat(name); err != nil || !st.Mode().IsRegular() || st.Size() != f.Size {
		return false
	}
	in, err := root.Open(name)
	if err != nil {
		return false
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return false
	}
	return hex.EncodeToString(sum.Sum(nil)) == f.SHA256
}

// safeName is the name under which a file is saved: what its sender gave when
// it is a plain name that shows as what it is, else one made of its id.
func safeName(f *gateway.File) string {
	name := f.Name
	if name == "" || len(name) > 200 || printable(name) != name || strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".") ||
		strings.HasPrefix(name, "-") || strings.TrimSpace(name) != name || !filepath.IsLocal(name) {
		return "file-" + f.ID
	}
	return name
}
