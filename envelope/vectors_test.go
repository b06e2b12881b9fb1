package envelope

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/digital-spine/spine/evm/eip712"
)

// vectorsFile holds test vectors for other implementations, described in
// docs/protocol.md section 37. TestVectors reads it; -update writes it again.
const vectorsFile = "testdata/vectors.json"

type vectors struct {
	About     string            `json:"about"`
	Seeds     map[string]string `json:"seeds"`
	Known     map[string]string `json:"known"`
	Objects   []objectVector    `json:"objects"`
	Envelopes []envelopeVector  `json:"envelopes"`
	Encoding  []encodingVector  `json:"encoding"`
	// Files and Descriptions are of section 21.
	Files        []fileVector     `json:"files"`
	Descriptions []encodingVector `json:"descriptions"`
}

// objectVector is one good object, and what is said of it when one byte is
// changed: one change in each part of it.
type objectVector struct {
	Name      string           `json:"name"`
	Bytes     hexBytes         `json:"bytes"`
	Digest    string           `json:"digest,omitempty"`
	Sum       string           `json:"sum"`
	Mutations []mutationVector `json:"mutations"`
}

type mutationVector struct {
	// Part says where the byte stands: array index or map key, from outside
	// in, "head" or "end" of the item.
	Part string `json:"part"`
	At   int    `json:"at"`
	Xor  byte   `json:"xor"`
	// Code is the error, empty for a good object of another meaning.
	Code Code `json:"code"`
}

type envelopeVector struct {
	Seq    uint64     `json:"seq"`
	Frames []hexBytes `json:"frames"`
	Salts  []hexBytes `json:"salts"`
	Paths  [][]Digest `json:"paths"`
	K      hexBytes   `json:"k"`
	L      hexBytes   `json:"l"`
	Root   Digest     `json:"root"`
	CTHash Digest     `json:"ctHash"`
	D      Digest     `json:"d"`
	Bytes  hexBytes   `json:"bytes"`
}

type encodingVector struct {
	Name  string   `json:"name"`
	Bytes hexBytes `json:"bytes"`
	Code  Code     `json:"code"`
}

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }
func (h *hexBytes) UnmarshalText(b []byte) error {
	*h = make([]byte, len(b)/2)
	_, err := hex.Decode(*h, b)
	return err
}

// check judges an object with all it takes to judge it: the other objects, and
// the seeds.
func (m *market) check(name string, b []byte) error {
	now := t0 + 5000
	switch name {
	case "certificate":
		return check(b, ParseCertificate, func(c *Certificate) error { return c.Check(m.ctx, now, testDomain, testStates, 0) })
	case "package":
		return check(b, ParsePackage, func(p *Package) error { return p.Check(m.certB, now) })
	case "topic":
		return check(b, ParseTopic, func(r *Topic) error {
			if err := r.CheckBody(m.core.NotBefore); err != nil {
				return err
			}
			return r.CheckProof(m.ctx, testDomain, testStates)
		})
	case "schema":
		return check(b, ParseSchema, func(s *Schema) error { return m.topic.CheckSchema(s) })
	case "core":
		return check(b, ParseCore, m.checkCore)
	case "grant":
		return check(b, ParseGrant, func(g *Grant) error {
			if g.Package != m.pkgB.Digest() {
				return fail(NotForMe, "package of somebody else")
			}
			if err := m.checkCore(g.Core); err != nil {
				return err
			}
			if err := g.Verify(m.certA.PublicKey()); err != nil {
				return err
			}
			_, err := OpenBox(m.xwing, g.Core.Session(), g.Package, g.Box)
			return err
		})
	case "boxtext":
		return check(b, ParseBoxText, func(*BoxText) error { return nil })
	case "header":
		return check(b, ParseHeader, func(*Header) error { return nil })
	case "frame":
		return check(b, ParseFrame, func(*Frame) error { return nil })
	case "envelope":
		_, err := m.receive(b)
		return err
	case "notice", "mark", "object", "objectframe":
		return m.checkLarge(name, b)
	case "receipt":
		return check(b, ParseReceipt, func(c *Receipt) error {
			if err := c.CheckTime(0, now); err != nil {
				return err
			}
			if err := c.CheckCertificate(m.certB); err != nil {
				return err
			}
			return c.Verify(m.certB.PublicKey())
		})
	case "login":
		return check(b, ParseLogin, func(l *Login) error {
			body := m.loginBody()
			return l.Check(m.certA, body.Origin, body.Nonce, t0)
		})
	case "status":
		return check(b, ParseStatus, func(s *Status) error {
			body := m.statusBody()
			if err := s.CheckList(body.ListID, body.List, body.Revision); err != nil {
				return err
			}
			if err := s.CheckNow(t0, StatusTTL); err != nil {
				return err
			}
			if err := s.CheckCertificate(m.certA, didA); err != nil {
				return err
			}
			return s.Verify(m.certA.PublicKey())
		})
	}
	return fmt.Errorf("no check for %s", name)
}

func check[T any](b []byte, parse func([]byte) (T, error), then func(T) error) error {
	v, err := parse(b)
	if err != nil {
		return err
	}
	return then(v)
}

func (m *market) checkCore(c *Core) error {
	if err := c.CheckSuite(m.pkgB); err != nil {
		return err
	}
	if err := c.CheckWindow(t0 + 5000); err != nil {
		return err
	}
	if err := c.CheckCertificate(m.certA); err != nil {
		return err
	}
	return c.CheckTopic(m.topic)
}

// parts walks an item and calls visit for its first and its last byte, and for
// those of every item in it, also inside byte strings that hold a map.
func parts(b []byte, at int, path string, visit func(part string, at int)) int {
	w := walker{b: b}
	major, n, _, valid := w.head()
	if !valid {
		return len(b)
	}
	head := len(b) - len(w.b)
	visit(path+" head", at)
	switch major {
	case majorUint, majorNeg, 7:
		if head > 1 {
			visit(path+" end", at+head-1)
		}
		return head
	case majorBytes, majorText:
		content := b[head : head+int(n)]
		if n > 0 && content[0]>>5 == majorMap && canonical(content) == nil {
			parts(content, at+head, path+" in", visit)
		} else if n > 0 {
			visit(path+" end", at+head+int(n)-1)
		}
		return head + int(n)
	}
	size := head
	for i := range int(n) {
		name := fmt.Sprintf("%s[%d]", path, i)
		if major == majorMap {
			key := walker{b: b[size:]}
			_, k, _, _ := key.head()
			name = fmt.Sprintf("%s{%d}", path, k)
			size += parts(b[size:], at+size, name+" key", visit)
		}
		size += parts(b[size:], at+size, name, visit)
	}
	return size
}

// signedObjects may not change by one byte without an error.
var signedObjects = []string{"certificate", "package", "topic", "grant", "envelope", "notice", "mark", "receipt", "login", "status"}

// generate makes the vectors; the box inside the grant is kept from old, since
// a new one would be random.
func (m *market) generate(t *testing.T, old *vectors) *vectors {
	v := &vectors{
		About: "Test vectors of the Digital Spine message protocol. docs/protocol.md section 37 describes them.",
		Seeds: map[string]string{
			"didKeyA": "1", "didKeyB": "2", "instanceA": hex.EncodeToString(run(0, 32)), "instanceB": hex.EncodeToString(run(0x20, 32)),
			"xwingB": hex.EncodeToString(run(0x40, 32)), "sessionSecret": m.secretHex(), "gcmNonce": hex.EncodeToString(run(0xc0, 12)),
			"chainId": "1337", "registry": testDomain.Registry.Hex(), "t0": fmt.Sprint(t0), "now": fmt.Sprint(t0 + 5000),
		},
	}
	separator, typeHash := testDomain.Separator(), eip712.TypeHash(gatewayKey)
	typedA, typedTopic := must(m.certA.TypedDigest(testDomain)), must(m.topic.TypedDigest(testDomain))
	v.Known = map[string]string{
		"didA": didA, "didB": didB, "addressA": Address(didA, 0), "addressB": Address(didB, 0),
		"protEnvelope": hex.EncodeToString(typeEnvelope), "eip712Domain": Digest(separator).String(),
		"gatewayKeyType": Digest(typeHash).String(), "gatewayKeyDigest": Digest(typedA).String(),
		"topicRecordDigest": Digest(typedTopic).String(), "certificateB": hex.EncodeToString(m.certB.Bytes()),
		"schema": m.schema.Digest().String(), "session": m.core.Session().String(),
		"boxInfo": hex.EncodeToString(BoxInfo(m.core.Session(), m.pkgB.Digest())),
	}
	structures := m.structures(t)
	structures["grant"] = m.keptGrant(t, old)
	for _, name := range slices.Sorted(maps.Keys(structures)) {
		b := structures[name]
		o := objectVector{Name: name, Bytes: b, Digest: digestOf(t, name, b), Sum: Sum(b).String()}
		wantCode(t, m.check(name, b), "")
		parts(b, 0, name, func(part string, at int) {
			changed := bytes.Clone(b)
			changed[at] ^= 1
			code := CodeOf(m.check(name, changed))
			if code == "" && slices.Contains(signedObjects, name) {
				t.Errorf("%s: changed at %s, and accepted", name, part)
			}
			o.Mutations = append(o.Mutations, mutationVector{part, at, 1, code})
		})
		v.Objects = append(v.Objects, o)
	}
	prev := m.core.Session()
	for seq, n := range []int{1, 2, 3, 100} {
		e := ok[*Envelope](t)(m.keys.seal(m.ctx, m.keyA, Entry{Seq: uint64(seq), Prev: prev, Time: t0 + 3000}, m.frames(n, []byte("xxxxx")), fixedNonce))
		v.Envelopes = append(v.Envelopes, m.envelopeVector(t, e))
		prev = e.Digest()
	}
	for code, list := range map[Code]map[string]string{Malformed: brokenCBOR, NotCanonical: looseCBOR} {
		for name, s := range list {
			v.Encoding = append(v.Encoding, encodingVector{name, unhexed(t, s), code})
		}
	}
	v.Files, v.Descriptions = m.fileVectors(t), m.descriptions()
	slices.SortFunc(v.Encoding, func(a, b encodingVector) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return v
}

// keptGrant returns the grant of the vectors written before, if it still
// opens, else a new one.
func (m *market) keptGrant(t *testing.T, old *vectors) []byte {
	for _, o := range old.Objects {
		if o.Name == "grant" && m.check("grant", o.Bytes) == nil {
			return o.Bytes
		}
	}
	return m.grant(t, &BoxText{Secret: m.secret, Prev: &Prev{Session: Digest{1}, Seq: 7, Digest: Digest{2}, NotAfter: t0}, Creds: []Digest{{3}}}).Bytes()
}

func (m *market) envelopeVector(t *testing.T, e *Envelope) envelopeVector {
	o := ok[*Opened](t)(m.keys.Open(e))
	k, l := m.keys.derive(e.Seq)
	v := envelopeVector{Seq: e.Seq, K: k, L: l, Root: e.Root, CTHash: e.CiphertextHash(), D: e.Digest(), Bytes: e.Bytes()}
	salts := Salts(o.SaltKey, len(o.Encoded))
	for i, frame := range o.Encoded {
		v.Frames = append(v.Frames, frame)
		v.Salts = append(v.Salts, salts[i][:])
		if len(o.Encoded) <= 3 {
			v.Paths = append(v.Paths, append([]Digest{}, Path(i, salts, o.Encoded)...))
		}
	}
	return v
}

// digestOf returns the name that other objects know this one by.
func digestOf(t *testing.T, name string, b []byte) string {
	digest := func(v interface{ Digest() Digest }, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return v.Digest().String()
	}
	switch name {
	case "certificate":
		return digest(ParseCertificate(b))
	case "package":
		return digest(ParsePackage(b))
	case "topic":
		return digest(ParseTopic(b))
	case "schema":
		return digest(ParseSchema(b))
	case "grant":
		return digest(ParseGrant(b))
	case "envelope":
		return digest(ParseEnvelope(b))
	case "notice":
		return digest(ParseNotice(b))
	case "mark":
		return digest(ParseMark(b))
	case "receipt":
		return digest(ParseReceipt(b))
	case "login":
		return digest(ParseLogin(b))
	case "status":
		return digest(ParseStatus(b))
	case "core":
		return ok[*Core](t)(ParseCore(b)).Session().String()
	}
	return ""
}

func TestVectors(t *testing.T) {
	m := newMarket(t)
	var v vectors
	if b, err := os.ReadFile(vectorsFile); err == nil {
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
	} else if !*update {
		t.Fatal(err)
	}
	want := m.generate(t, &v)
	if *update {
		b, err := json.MarshalIndent(want, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		v = *want
	}
	if !maps.Equal(v.Known, want.Known) || !maps.Equal(v.Seeds, want.Seeds) {
		t.Error("known answers differ from the file")
	}
	for _, o := range v.Objects {
		wantCode(t, m.check(o.Name, o.Bytes), "")
		if got := digestOf(t, o.Name, o.Bytes); got != o.Digest || Sum(o.Bytes).String() != o.Sum {
			t.Errorf("%s: digest %s, file says %s", o.Name, got, o.Digest)
		}
		for _, mutation := range o.Mutations {
			b := bytes.Clone(o.Bytes)
			b[mutation.At] ^= mutation.Xor
			if got := CodeOf(m.check(o.Name, b)); got != mutation.Code {
				t.Errorf("%s at %d: got %q, want %q", mutation.Part, mutation.At, got, mutation.Code)
			}
		}
	}
	for i, e := range v.Envelopes {
		parsed := ok[*Envelope](t)(ParseEnvelope(e.Bytes))
		wantCode(t, parsed.Verify(m.certA.PublicKey()), "")
		if got := fmt.Sprint(m.envelopeVector(t, parsed)); got != fmt.Sprint(e) || len(e.Frames) != len(want.Envelopes[i].Frames) {
			t.Errorf("envelope %d: values differ from the file", i)
		}
		for f, path := range e.Paths {
			wantCode(t, VerifyPath(e.Root, f, len(e.Frames), Salt(e.Salts[f]), e.Frames[f], path), "")
		}
	}
	for _, e := range v.Encoding {
		wantCode(t, canonical(e.Bytes), e.Code)
	}
	m.checkFiles(t, &v, want)
	if len(v.Objects) != len(want.Objects) || len(v.Encoding) != len(want.Encoding) {
		t.Error("the file is not complete; write it with -update")
	}
}
