package httpapi

import (
	"context"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/vc"
)

// self is an identity with papers of given ends.
type self struct {
	cert *envelope.Certificate
	pkg  *envelope.Package
}

func (self) DID() string                          { return "did:me" }
func (self) Inst() uint64                         { return 0 }
func (self) Addr() string                         { return "" }
func (self) Address() common.Address              { return common.Address{} }
func (s self) Certificate() *envelope.Certificate { return s.cert }
func (s self) Package() *envelope.Package         { return s.pkg }

// own are the role credentials of an identity.
type own []*vc.Verified

func (o own) Own(context.Context) ([]*vc.Verified, error)           { return o, nil }
func (own) Holders(context.Context, string) ([]trust.Holder, error) { return nil, nil }
func role(name string, until time.Time) *vc.Verified {
	v := &vc.Verified{Role: name + ".roles.x"}
	if !until.IsZero() {
		v.ValidUntil = until.UnixMilli()
	}
	return v
}

// TestExpiring: papers that are renewed in time are not told of; those that
// were not, are, and so are roles within a week of their end.
func TestExpiring(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	day := 24 * time.Hour
	cert := func(left time.Duration) *envelope.Certificate {
		return &envelope.Certificate{CertificateBody: envelope.CertificateBody{NotAfter: now.Add(left).UnixMilli()}}
	}
	pkg := func(age time.Duration) *envelope.Package {
		return &envelope.Package{PackageBody: envelope.PackageBody{NotBefore: now.Add(-age).UnixMilli()}}
	}
	for name, tc := range map[string]struct {
		self self
		own  own
		want []string
	}{
		"nothing yet": {self{}, nil, nil},
		"all is well": {self{cert(5 * day), pkg(day)}, own{role("a", time.Time{}), role("b", now.Add(8*day))}, nil},
		"not renewed": {self{cert(3 * day), pkg(3 * day)}, nil, []string{"certificate_expiring", "package_old"}},
		"roles end":   {self{cert(15 * day), pkg(0)}, own{role("a", now.Add(6*day)), role("b", now.Add(-day))}, []string{"role_expiring a", "role_expiring b"}},
	} {
		got := PapersOf(tc.self, tc.own).Expiring(t.Context(), now)
		if len(got) != len(tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
			continue
		}
		for i, e := range got {
			text := e.Code
			if e.What != "" {
				text += " " + e.What
			}
			if text != tc.want[i] || explained(e.Code).Title == e.Code {
				t.Errorf("%s: %v, want %v", name, got, tc.want)
			}
		}
	}
}
