package console

import (
	"net/http"
	"strings"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/console/pages"
	"github.com/digital-spine/spine/internal/problem"
)

// open exchanges the one-time token of a link for a session, and has the
// browser go on to the home page.
func (c *Console) open(w http.ResponseWriter, r *http.Request) {
	v := &visit{Console: c, w: w, r: r}
	token := r.URL.Query().Get("token")
	if _, after, whole := strings.Cut(token, "/open?token="); whole { // put into the form as it was printed
		token = after
	}
	// A browser that only looks ahead, or a program that looks at links, must
	// not use the token up.
	if r.Method != http.MethodGet || strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || token == "" {
		_ = v.show(http.StatusOK, pages.SignIn(c.assets.url, v.base(), nil))
		return
	}
	carrier := &visitor{api: c.API, visit: r}
	api := client.NewWithTransport(v.base(), carrier)
	_, cookies, err := api.OpenSession(r.Context(), token)
	if err != nil {
		_ = v.show(problem.From(err).Status, pages.SignIn(c.assets.url, v.base(), err))
		return
	}
	for _, k := range cookies {
		http.SetCookie(w, k)
	}
	_ = v.show(http.StatusOK, pages.Opened(c.assets.url, "/"))
}

// signOut ends the visitor's session, or everybody's.
func (c *Console) signOut(v *visit) error {
	end := v.api.EndSession
	if v.r.PostForm.Get("everybody") != "" {
		end = v.api.EndSessions
	}
	if err := end(v.r.Context()); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, "/", http.StatusSeeOther)
	return nil
}
