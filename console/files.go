package console

import (
	"net/http"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/console/pages"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// sending lists the channels that files can be sent on.
func (v *visit) sending() (out []gateway.Channel) {
	all, err := v.api.Channels(v.r.Context())
	if err != nil {
		return nil
	}
	for _, ch := range all {
		if ch.Send != nil {
			out = append(out, ch)
		}
	}
	return out
}

// files lists the files.
func (c *Console) files(v *visit) error {
	q := v.r.URL.Query()
	p := &pages.Files{Frame: v.frame("Files", "/files", nil), Before: q.Get("before"), Channel: q.Get("channel")}
	if v.part() != "to" {
		p.List, p.Next, p.Err = v.api.Files(v.r.Context(), client.FileFilter{Before: p.Before, Max: 50})
	}
	if v.part() == "list" {
		return v.show(http.StatusOK, pages.FileList(p))
	}
	if p.Channel != "" {
		a := only(p.Channel, q["to"])
		v.offer(&a)
		p.Audience = &a
	}
	if v.part() == "to" {
		return v.show(http.StatusOK, pages.OnlyRecipients(p.Audience))
	}
	p.Channels = v.sending()
	return v.show(http.StatusOK, pages.FilesPage(p))
}

// file shows one file.
func (c *Console) file(v *visit) error { return c.fileWith(v, nil, nil) }

// fileWith shows a file with what went wrong with an action, and whom it was to
// be sent to.
func (c *Console) fileWith(v *visit, to *pages.Audience, failed error) error {
	id := v.r.PathValue("id")
	if v.part() == "to" {
		a := everybody(v.r.URL.Query().Get("channel"))
		v.offer(&a)
		return v.show(http.StatusOK, pages.OnlyRecipients(&a))
	}
	if v.part() == "verify" {
		return v.show(http.StatusOK, pages.Verify(v.verify(id)))
	}
	p := &pages.FilePage{Frame: v.frame("File", "/files", &components.Crumb{Name: "Files", Path: "/files"}), ID: id, Problem: failed}
	status := http.StatusOK
	if failed != nil {
		status = problem.From(failed).Status
	}
	if f, err := v.api.File(v.r.Context(), id); err != nil {
		p.Err, status = err, problem.From(err).Status
	} else {
		p.File = f
		if f.Name != "" {
			p.Title = components.Clip(f.Name, 80)
		}
		p.Snippets = fileSnippets(v.base(), id, f.Name)
	}
	if p.Channels = v.sending(); len(p.Channels) > 0 {
		if to == nil {
			a := everybody(likely(p.Channels, p.File))
			to = &a
		}
		v.offer(to)
		p.Audience = to
	}
	if v.r.URL.Query().Get("verify") != "" && p.File != nil {
		p.Verified = v.verify(id)
	}
	if v.part() == "now" {
		return v.show(status, pages.FileNow(p))
	}
	return v.show(status, pages.OneFile(p))
}

// likely is the channel that a file is most likely sent on: where it came or
// went before.
func likely(list []gateway.Channel, f *gateway.StoredFile) string {
	for _, ch := range list {
		if f != nil && ch.Name == f.Channel {
			return ch.Name
		}
	}
	return list[0].Name
}

// verify has a file read and checked again.
func (v *visit) verify(id string) *pages.Verification {
	out := &pages.Verification{ID: id}
	out.OK, out.Checks, out.Err = v.api.VerifyFile(v.r.Context(), id)
	return out
}

// deleteFile deletes a file from this gateway.
func (c *Console) deleteFile(v *visit) error {
	if err := v.api.DeleteFile(v.r.Context(), v.r.PathValue("id")); err != nil {
		return c.fileWith(v, nil, err)
	}
	http.Redirect(v.w, v.r, "/files", http.StatusSeeOther)
	return nil
}

// sendFile sends a stored file on a channel.
func (c *Console) sendFile(v *visit) error {
	channel, to := v.r.PostForm.Get("channel"), chosen(v.r.PostForm)
	switch {
	case to.Channel != channel:
		// The list that was chosen from is another channel's.
		to = everybody(channel)
		return c.fileWith(v, &to, errNotOffered)
	case !to.Everybody && len(to.To) == 0:
		return c.fileWith(v, &to, errNobody)
	}
	sent, err := v.api.Send(v.r.Context(), gateway.Draft{Channel: channel, To: to.To, File: v.r.PathValue("id")})
	if err != nil {
		return c.fileWith(v, &to, err)
	}
	http.Redirect(v.w, v.r, string(pages.MessageURL(gateway.Out, sent.ID)), http.StatusSeeOther)
	return nil
}
