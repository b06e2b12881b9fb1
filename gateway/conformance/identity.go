package conformance

import (
	"testing"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/identity"
)

// Identity is the suite of an instance's own papers. fresh makes an empty
// database and returns how to open it: each call closes what the call before it
// returned.
func Identity(t *testing.T, fresh func(t *testing.T) (open func() identity.Store)) {
	t.Run("certificates", func(t *testing.T) { identityCertificates(t, fresh(t)) })
	t.Run("packages", func(t *testing.T) { identityPackages(t, fresh(t)) })
}

func identityCertificates(t *testing.T, open func() identity.Store) {
	a := identity.Certificate{Digest: envelope.Digest{9}, Raw: []byte("a"), Key: "instance/1", NotBefore: 1, NotAfter: 20, Floor: 3}
	b := identity.Certificate{Digest: envelope.Digest{1}, Raw: []byte("b"), Key: "instance/2", NotBefore: 2, NotAfter: 30, Published: true}
	st := open()
	ok(t, st.PutCertificate(ctx, b))
	ok(t, st.PutCertificate(ctx, a))
	a.Published, a.Destroyed = true, true
	changed := a
	changed.Raw, changed.Floor = []byte("not this"), 99
	ok(t, st.PutCertificate(ctx, changed))
	st = open()
	list, err := st.Certificates(ctx)
	ok(t, err)
	same(t, list, []identity.Certificate{a, b})
	ok(t, st.DropCertificate(ctx, a.Digest))
	ok(t, st.DropCertificate(ctx, a.Digest))
	list, err = open().Certificates(ctx)
	ok(t, err)
	same(t, list, []identity.Certificate{b})
}

func identityPackages(t *testing.T, open func() identity.Store) {
	a := identity.Package{Digest: envelope.Digest{9}, Raw: []byte("a"), Certificate: envelope.Digest{3}, Key: "package/1", Gen: 1, NotBefore: 9, NotAfter: 20}
	b := identity.Package{Digest: envelope.Digest{1}, Raw: []byte("b"), Certificate: envelope.Digest{3}, Key: "package/2", Gen: 2, NotBefore: 8, NotAfter: 30, Published: true}
	st := open()
	ok(t, st.PutPackage(ctx, b))
	ok(t, st.PutPackage(ctx, a))
	a.Published, a.Superseded, a.Destroyed = true, 7, true
	changed := a
	changed.Raw, changed.NotAfter = []byte("not this"), 99
	ok(t, st.PutPackage(ctx, changed))
	st = open()
	list, err := st.Packages(ctx)
	ok(t, err)
	same(t, list, []identity.Package{a, b})
	ok(t, st.DropPackage(ctx, a.Digest))
	ok(t, st.DropPackage(ctx, a.Digest))
	list, err = open().Packages(ctx)
	ok(t, err)
	same(t, list, []identity.Package{b})
}
