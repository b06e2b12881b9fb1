package console

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/digital-spine/spine/internal/problem"
)

func TestSigningOutEndsOneSessionOrAll(t *testing.T) {
	for path, all := range map[string]string{"DELETE /sessions/current": "", "DELETE /sessions": "1"} {
		f := newAPI()
		f.answers["DELETE /sessions/current"], f.answers["DELETE /sessions"] = struct{}{}, struct{}{}
		w := post(f, "/signout", url.Values{"csrf": {csrf}, "everybody": {all}}, false)
		if w.Code != http.StatusSeeOther || !slices.Contains(f.asked, path) || len(f.asked) > 4 {
			t.Errorf("all %q: status %d, asked %v", all, w.Code, f.asked)
		}
	}
	f := newAPI()
	f.answers["DELETE /sessions"] = problem.New(http.StatusForbidden, "scope_missing", "the session is not good for this")
	w := post(f, "/signout", url.Values{"csrf": {csrf}, "everybody": {"1"}}, false)
	if w.Code != http.StatusForbidden {
		t.Errorf("without the scope: status %d", w.Code)
	}
	has(t, "the page", w.Body.String(), "scope_missing")
}
