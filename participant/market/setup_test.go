package market

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// Gateways that were just started are not ready for a moment: whatever is asked
// of them then is asked again, and a refusal is not.
func TestEnrolWaitsForGateways(t *testing.T) {
	asked := make(map[string]int)
	refusal := problem.New(http.StatusServiceUnavailable, "not_ready", "not yet")
	gw := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		switch {
		case asked[r.URL.Path] == 1:
			httpkit.WriteProblem(w, r, refusal)
		case r.Method == http.MethodGet:
			httpkit.WriteJSON(w, http.StatusOK, client.Credentials{})
		default:
			httpkit.WriteJSON(w, http.StatusOK, map[string]string{"id": "e1", "status": "requested"})
		}
	}))
	defer gw.Close()
	c := client.New(gw.URL, "spk_x")
	if err := Enrol(testkit.Context(t), c, c, Roles[Aggregator]); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"/api/v1/credentials": 2, "/api/v1/enrolments": 2, "/api/v1/enrolments/e1/issue": 2}
	if !maps.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}

	clear(asked)
	refusal = problem.New(http.StatusForbidden, "scope_missing", "no")
	if err := Enrol(testkit.Context(t), c, c, Roles[Aggregator]); problem.CodeOf(err) != "scope_missing" {
		t.Errorf("a refusal: %v", err)
	}
}
