package envelope

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// badDIDSigner answers something that is no signature.
type badDIDSigner struct{}

func (badDIDSigner) SignDigest(context.Context, [32]byte) ([]byte, error) {
	return make([]byte, 65), nil
}

func TestPackage(t *testing.T) {
	m := newMarket(t)
	now := t0 + hour
	for name, c := range map[string]struct {
		edit func(*PackageBody)
		want Code
	}{
		"good":              {func(b *PackageBody) {}, ""},
		"future suite":      {func(b *PackageBody) { b.KEM[2] = []byte{1} }, ""},
		"other certificate": {func(b *PackageBody) { b.Cert = m.certA.Digest() }, BadPackage},
		"outlives":          {func(b *PackageBody) { b.NotAfter++ }, BadPackage},
		"empty window":      {func(b *PackageBody) { b.NotAfter = b.NotBefore }, BadPackage},
		"an hour ahead":     {func(b *PackageBody) { b.Gen = uint64(now+hour) / 1000 }, BadPackage},
		"far ahead":         {func(b *PackageBody) { b.Gen = maxInt }, BadPackage},
		"short key":         {func(b *PackageBody) { b.KEM[Suite1] = b.KEM[Suite1][1:] }, BadPackage},
		"key out of range":  {func(b *PackageBody) { b.KEM[Suite1] = bytes.Repeat([]byte{0xff}, KEMKeySize) }, BadPackage},
		"no suite 1":        {func(b *PackageBody) { b.KEM = map[uint64][]byte{2: {1}} }, BadPackage},
	} {
		t.Run(name, func(t *testing.T) {
			body := m.pkgBody()
			c.edit(&body)
			p := ok[*Package](t)(NewPackage(m.ctx, m.keyB, body))
			wantCode(t, p.Check(m.certB, now), c.want)
		})
	}
	thief := ok[*Package](t)(NewPackage(m.ctx, m.keyA, m.pkgBody()))
	wantCode(t, thief.Check(m.certB, now), BadPackage)

	gen := m.pkgB.Gen
	wantCode(t, m.pkgB.CheckGeneration(gen, gen), "")
	wantCode(t, m.pkgB.CheckGeneration(gen+1, 0), PackageRolledBack)
	wantCode(t, m.pkgB.CheckGeneration(0, gen+1), PackageRolledBack)
	wantCode(t, m.pkgB.CheckNow(t0+15*day+Skew+1), BadPackage)

	many := m.pkgBody()
	for i := range uint64(MaxSuites) {
		many.KEM[i+2] = nil
	}
	_, err := NewPackage(m.ctx, m.keyB, many)
	wantCode(t, err, TooLarge)
	none := m.pkgBody()
	none.KEM = nil
	_, err = NewPackage(m.ctx, m.keyB, none)
	wantCode(t, err, Malformed)
}

func TestNextGeneration(t *testing.T) {
	at := uint64(t0 / 1000)
	for _, c := range []struct{ last, want uint64 }{
		{0, at}, {at - 1, at}, {at, at + 1}, {at + 120, at + 121}, {at + 121, at}, {maxInt, at},
	} {
		if got := NextGeneration(c.last, t0, t0); got != c.want {
			t.Errorf("after %d: got %d, want %d", c.last, got, c.want)
		}
	}
}

func TestTopic(t *testing.T) {
	m := newMarket(t)
	for name, c := range map[string]struct {
		edit func(*TopicBody)
		want Code
	}{
		"good":           {func(b *TopicBody) {}, ""},
		"open":           {func(b *TopicBody) { b.Open = true }, BadTopic},
		"retention":      {func(b *TopicBody) { b.Retention = 1 }, BadTopic},
		"order":          {func(b *TopicBody) { b.Order = 2 }, BadTopic},
		"kind":           {func(b *TopicBody) { b.Kind = "xsd" }, BadTopic},
		"not yet":        {func(b *TopicBody) { b.NotBefore = t0 + 1001 }, BadTopic},
		"withdrawn":      {func(b *TopicBody) { b.NotAfter = t0 + 999 }, BadTopic},
		"over 400 days":  {func(b *TopicBody) { b.NotAfter = b.NotBefore + TopicLife + 1 }, BadTopic},
		"version":        {func(b *TopicBody) { b.Version = "1.0" }, BadTopic},
		"version zero":   {func(b *TopicBody) { b.Version = "01.0.0" }, BadTopic},
		"version v":      {func(b *TopicBody) { b.Version = "v1.0.0" }, BadTopic},
		"bare name":      {func(b *TopicBody) { b.Name = "telemetry" }, BadTopic},
		"upper case":     {func(b *TopicBody) { b.Name = "Telemetry.iam.ewc" }, BadTopic},
		"upper in space": {func(b *TopicBody) { b.Name = "telemetry.Iam.ewc" }, BadTopic},
		"empty label":    {func(b *TopicBody) { b.Name = "telemetry..ewc" }, BadTopic},
		"long topic":     {func(b *TopicBody) { b.Name = strings.Repeat("x", 64) + ".iam.ewc" }, BadTopic},
	} {
		t.Run(name, func(t *testing.T) {
			body := m.topicBody()
			c.edit(&body)
			topic := ok[*Topic](t)(NewTopic(m.ctx, testDomain, m.didA, body))
			wantCode(t, topic.CheckBody(m.core.NotBefore), c.want)
			wantCode(t, topic.CheckProof(m.ctx, testDomain, testStates), "")
		})
	}
	for name, edit := range map[string]func(*TopicBody){
		"DID":         func(b *TopicBody) { b.DID = "did:web:example.com" },
		"name":        func(b *TopicBody) { b.Name = strings.Repeat("x", MaxTopicName+1) },
		"version":     func(b *TopicBody) { b.Version = strings.Repeat("1", MaxVersionText+1) },
		"kind":        func(b *TopicBody) { b.Kind = strings.Repeat("x", MaxKindText+1) },
		"order":       func(b *TopicBody) { b.Order = 256 },
		"time":        func(b *TopicBody) { b.NotBefore = -1 },
		"time beyond": func(b *TopicBody) { b.NotAfter = maxInt + 1 },
	} {
		t.Run("malformed "+name, func(t *testing.T) {
			body := m.topicBody()
			edit(&body)
			_, err := NewTopic(m.ctx, testDomain, m.didA, body)
			wantCode(t, err, Malformed)
		})
	}
	foreign := ok[*Topic](t)(NewTopic(m.ctx, testDomain, m.didB, m.topicBody()))
	wantCode(t, foreign.CheckProof(m.ctx, testDomain, testStates), BadTopic)
	wantCode(t, foreign.CheckProof(m.ctx, testDomain, states{}), DIDStale)
	if ns, role := m.topic.Namespace(), m.topic.CreatorRole(); ns != "market.apps.edge.iam.ewc" || role != "topiccreator.roles."+ns {
		t.Errorf("namespace %q, creator %q", ns, role)
	}
}

func TestTopicSuccession(t *testing.T) {
	m := newMarket(t)
	known := m.topic
	next := func(edit func(*TopicBody)) *Topic {
		b := m.topicBody()
		b.Revision, b.NotBefore, b.Order = 2, t0+hour, Prompt
		edit(&b)
		return ok[*Topic](t)(NewTopic(m.ctx, testDomain, m.didA, b))
	}
	newer := next(func(*TopicBody) {})
	wantCode(t, newer.CheckSuccession(known, t0+hour), "")
	wantCode(t, known.CheckSuccession(known, t0), "")
	wantCode(t, known.CheckSuccession(newer, t0+hour-1), "")
	wantCode(t, known.CheckSuccession(newer, t0+hour), BadTopic)
	wantCode(t, next(func(b *TopicBody) { b.Schema[0]++ }).CheckSuccession(known, t0), BadTopic)
	wantCode(t, next(func(b *TopicBody) { b.Revision = 1 }).CheckSuccession(known, t0), BadTopic)
	wantCode(t, next(func(b *TopicBody) { b.Version = "1.0.1" }).CheckSuccession(known, t0), BadTopic)
}

func TestSchema(t *testing.T) {
	m := newMarket(t)
	s := ok[*Schema](t)(ParseSchema(m.schema.Bytes()))
	wantCode(t, m.topic.CheckSchema(s), "")
	changed := ok[*Schema](t)(NewSchema(KindJSON, "root.json", []File{{Name: "root.json", Bytes: []byte("{ }")}}))
	wantCode(t, m.topic.CheckSchema(changed), BadTopic)
	two := []File{{Name: "b", Bytes: []byte("2")}, {Name: "a", Bytes: []byte("1")}}
	one := ok[*Schema](t)(NewSchema(KindJSON, "a", two))
	two[0], two[1] = two[1], two[0]
	if other := ok[*Schema](t)(NewSchema(KindJSON, "a", two)); one.Digest() != other.Digest() || !bytes.Equal(one.Bytes(), other.Bytes()) {
		t.Error("order of the files given counts")
	}
	_, err := NewSchema(KindJSON, "c", two)
	wantCode(t, err, Malformed)
	_, err = NewSchema(KindJSON, "a", append(two, two[0]))
	wantCode(t, err, Malformed)
	_, err = NewSchema(KindJSON, "a", []File{{Name: "a", Bytes: make([]byte, MaxSchema)}})
	wantCode(t, err, TooLarge)
	_, err = ParseSchema(make([]byte, MaxSchema+1))
	wantCode(t, err, TooLarge)
}
