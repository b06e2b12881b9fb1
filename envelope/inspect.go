package envelope

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Inspect prints any structure of this package for people: its name, its
// digests in hexadecimal, its fields by name, times as RFC 3339. It needs no
// keys, verifies nothing and shows no secret. Bytes that are no structure are
// refused with the code their parser gives.
func Inspect(b []byte) (string, error) {
	if len(b) > max(WireMax, MaxSchema) {
		return "", TooLarge.Errorf("%d bytes, at most %d", len(b), max(WireMax, MaxSchema))
	}
	p := &printer{}
	if err := p.any(b); err != nil {
		return "", err
	}
	return p.String(), nil
}

// printer writes aligned fields.
type printer struct{ strings.Builder }

// any finds out which structure b claims to be, and prints it.
func (p *printer) any(b []byte) error {
	if err := canonical(b); err != nil {
		return err
	}
	r := reader{b: b}
	if len(b) > 0 && b[0]>>5 == majorMap {
		return p.maps(b)
	}
	n := r.open(majorArray)
	switch first := r.b; {
	case n == 0:
		return fail(Malformed, "no structure of this protocol")
	case first[0]>>5 == majorUint:
		return p.wire(b)
	case first[0]>>5 == majorBytes && n == 4:
		return p.signed(b, r.bytes())
	case first[0]>>5 == majorText && n == 3:
		return inspect(p, b, ParseSchema, (*printer).schema)
	case first[0]>>5 == majorMap && n == 2:
		return inspect(p, b, ParseTopic, (*printer).topic)
	case first[0]>>5 == majorArray && n == 2:
		return inspect(p, b, ParseCertificate, (*printer).certificate)
	}
	return fail(Malformed, "no structure of this protocol")
}

func inspect[T any](p *printer, b []byte, parse func([]byte) (T, error), print func(*printer, T)) error {
	v, err := parse(b)
	if err == nil {
		print(p, v)
	}
	return err
}

// wire prints a wire message.
func (p *printer) wire(b []byte) error {
	kind, err := KindOf(b, WireMax)
	if err != nil {
		return err
	}
	switch kind {
	case KindEnvelope:
		return inspect(p, b, ParseEnvelope, (*printer).envelope)
	case KindNotice:
		return inspect(p, b, ParseNotice, (*printer).notice)
	case KindGrant:
		return inspect(p, b, ParseGrant, (*printer).grant)
	case KindMark:
		return inspect(p, b, ParseMark, (*printer).mark)
	}
	return inspect(p, b, ParseReceipt, (*printer).receipt)
}

// signed prints a bare Sign1 by its protected header.
func (p *printer) signed(b, prot []byte) error {
	switch string(prot) {
	case string(typePackage):
		return inspect(p, b, ParsePackage, (*printer).pkg)
	case string(typeLogin):
		return inspect(p, b, ParseLogin, (*printer).login)
	case string(typeStatus):
		return inspect(p, b, ParseStatus, (*printer).status)
	}
	return fail(Malformed, "signed object of another type")
}

// maps prints one of the bare maps. The value of key 1 tells them apart: the
// secret of a box text, the id of a frame, or a version. With a version it is
// a header of six keys, a description that names an object next, or a core.
func (p *printer) maps(b []byte) error {
	r := reader{b: b}
	n := r.open(majorMap)
	r.key(1)
	switch {
	case r.bad || len(r.b) == 0:
		return shape(b)
	case r.b[0] == majorBytes<<5|16:
		return inspect(p, b, ParseFrame, (*printer).frame)
	case r.b[0]>>5 == majorBytes:
		return inspect(p, b, ParseBoxText, (*printer).boxText)
	case n == 6:
		return inspect(p, b, ParseHeader, (*printer).header)
	case len(r.b) > 2 && r.b[0] == 1 && r.b[1] == 2 && r.b[2] == majorBytes<<5|16:
		return inspect(p, b, ParseObject, (*printer).object)
	}
	return inspect(p, b, ParseCore, (*printer).core)
}

func (p *printer) title(name string, b []byte) { fmt.Fprintf(p, "%s, %d bytes\n", name, len(b)) }

func (p *printer) field(name string, value any) { fmt.Fprintf(p, "  %-13s%v\n", name, value) }

// text prints text of the peer, quoted where it could play tricks on a
// terminal.
func (p *printer) text(name, value string) {
	for _, r := range value {
		if r < ' ' || r > '~' || r == '"' {
			p.field(name, fmt.Sprintf("%+q", value))
			return
		}
	}
	p.field(name, value)
}

func (p *printer) time(name string, ms int64) { p.field(name, stamp(ms)) }

// stamp is a time in RFC 3339, with the milliseconds of the wire; beyond the
// year 9999 only those.
func stamp(ms int64) string {
	t := time.UnixMilli(ms).UTC()
	if ms < 0 || t.Year() > 9999 {
		return fmt.Sprintf("%d ms", ms)
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}

func (p *printer) window(from, to int64) {
	p.time("not before", from)
	p.time("not after", to)
}

func (p *printer) certificate(c *Certificate) {
	p.title("certificate", c.raw)
	p.field("digest", c.digest)
	p.text("did", c.DID)
	p.field("instance", c.Inst)
	p.field("address", c.Address())
	p.field("key", c.Key)
	p.window(c.NotBefore, c.NotAfter)
	p.field("floor", floorText(c.Floor))
	p.field("proof", fmt.Sprintf("EIP-712, %x", []byte(c.proof)))
}

func floorText(seconds uint64) string {
	if seconds == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", seconds, stamp(int64(min(seconds, maxInt/1000))*1000))
}

func (p *printer) pkg(k *Package) {
	p.title("key package", k.raw)
	p.field("digest", k.digest)
	p.field("certificate", k.Cert)
	p.field("generation", floorText(k.Gen))
	p.window(k.NotBefore, k.NotAfter)
	for _, suite := range slices.Sorted(maps.Keys(k.KEM)) {
		key := k.KEM[suite]
		p.field(fmt.Sprintf("suite %d", suite), fmt.Sprintf("key of %d bytes, sha256 %s", len(key), Sum(key)))
	}
}

func (p *printer) topic(t *Topic) {
	p.title("topic record", t.raw)
	p.field("digest", t.digest)
	p.text("did", t.DID)
	p.text("name", t.Name)
	p.text("version", t.Version)
	p.field("revision", t.Revision)
	p.text("kind", t.Kind)
	p.field("schema", t.Schema)
	p.field("open", t.Open)
	p.field("order", map[uint64]string{Strict: "strict", Prompt: "prompt"}[t.Order])
	p.field("retention", t.Retention)
	p.window(t.NotBefore, t.NotAfter)
	p.field("proof", fmt.Sprintf("EIP-712, %x", []byte(t.proof)))
}

func (p *printer) schema(s *Schema) {
	p.title("schema", s.Bytes())
	p.field("digest", s.Digest())
	p.text("kind", s.Kind)
	p.text("root", s.Root)
	for _, f := range s.Files {
		p.text("file", f.Name)
		p.field("", fmt.Sprintf("%d bytes, sha256 %s", len(f.Bytes), Sum(f.Bytes)))
	}
}

func (p *printer) core(c *Core) {
	p.title("session core", c.raw)
	p.coreFields(c)
}

func (p *printer) coreFields(c *Core) {
	p.field("session", c.sid)
	p.field("suite", c.Suite)
	p.text("from", c.From)
	p.field("instance", c.Inst)
	p.field("address", c.Sender())
	p.field("certificate", c.Cert)
	p.field("channel", c.Chan)
	p.text("topic", c.Topic)
	p.field("record", c.Record)
	p.field("nonce", c.Nonce)
	p.window(c.NotBefore, c.NotAfter)
}

func (p *printer) boxText(t *BoxText) {
	p.title("box text", t.Bytes())
	p.field("secret", "32 bytes, not shown")
	if t.Prev != nil {
		p.field("prev", fmt.Sprintf("session %s, number %d, digest %s, until %s",
			t.Prev.Session, t.Prev.Seq, t.Prev.Digest, stamp(t.Prev.NotAfter)))
	}
	for _, c := range t.Creds {
		p.field("credential", c)
	}
}

func (p *printer) grant(g *Grant) {
	p.title("grant", g.raw)
	p.field("digest", g.Digest())
	p.coreFields(g.Core)
	p.field("package", g.Package)
	p.field("box", fmt.Sprintf("%d bytes, sha256 %s", len(g.Box), Sum(g.Box)))
}

func (p *printer) header(h *Header) {
	p.title("envelope header", h.append(nil))
	p.headerFields(h)
}

func (p *printer) headerFields(h *Header) {
	p.field("session", h.Session)
	p.field("number", h.Seq)
	p.field("prev", h.Prev)
	p.time("time", h.Time)
	p.field("root", h.Root)
}

func (p *printer) envelope(e *Envelope) {
	p.title("envelope", e.raw)
	p.field("digest", e.Digest())
	p.headerFields(&e.Header)
	p.field("ciphertext", fmt.Sprintf("%d bytes, sha256 %s", len(e.Ciphertext), e.CiphertextHash()))
}

func (p *printer) notice(n *Notice) {
	p.title("notice", n.raw)
	p.field("digest", n.digest)
	p.headerFields(&n.Header)
	p.field("ciphertext", fmt.Sprintf("%d bytes elsewhere, sha256 %s", n.Len, n.CTHash))
}

func (p *printer) mark(m *Mark) {
	p.title("mark", m.raw)
	p.field("digest", m.Digest())
	p.field("session", m.Session)
	p.field("next number", m.Seq)
	p.field("prev", m.Prev)
	p.time("time", m.Time)
	p.field("state", map[uint64]string{MarkAlive: "alive", MarkClosed: "closed"}[m.State])
}

func (p *printer) object(o *Object) {
	p.title("object", o.Bytes())
	p.field("id", o.OID)
	if o.Name != "" {
		p.text("name", o.Name)
	}
	p.text("type", o.Type)
	p.field("size", o.Size)
	p.field("part size", o.PartSize)
	p.field("key", "32 bytes, not shown")
	p.field("content", fmt.Sprintf("sha256 %s", o.SHA256))
	for i, part := range o.Parts {
		p.field(fmt.Sprintf("part %d", i), fmt.Sprintf("%d bytes, sha256 %s", o.SealedPart(i), part))
	}
}

func (p *printer) frame(f *Frame) {
	p.title("frame", f.Append(nil))
	p.field("id", f.ID)
	p.text("type", f.Type)
	p.field("body", fmt.Sprintf("%d bytes, sha256 %s", len(f.Body), Sum(f.Body)))
	p.time("at", f.At)
	if !f.Re.IsZero() {
		p.field("re", f.Re)
	}
	if f.Corr != "" {
		p.text("correlation", f.Corr)
	}
	if f.Txn != "" {
		p.text("transaction", f.Txn)
	}
	if len(f.Attrs) > 0 {
		p.field("attributes", fmt.Sprintf("%+q", f.Attrs))
	}
	if f.Kind == KindObject {
		p.field("kind", "object, described by the body")
	}
}

func (p *printer) receipt(c *Receipt) {
	p.title("receipt", c.raw)
	p.field("digest", c.Digest())
	p.field("certificate", c.Cert)
	p.field("package", c.Package)
	p.time("at", c.At)
	for _, l := range c.Lanes {
		p.field("session", l.Session)
		p.field("  up to", l.UpTo)
		p.field("  head", l.Head)
		for _, r := range l.Refused {
			frame := ""
			if r.Frame >= 0 {
				frame = fmt.Sprintf(", frame %d", r.Frame)
			}
			p.field("  refused", fmt.Sprintf("%d to %d: %s%s", r.First, r.Last, r.Code, frame))
		}
		for _, m := range l.Missing {
			why := map[uint64]string{WhyHole: "hole", WhySecret: "no secret", WhyBytes: "bad bytes", WhyBody: "body not found"}[m.Why]
			p.field("  missing", fmt.Sprintf("%d to %d: %s", m.First, m.Last, why))
		}
	}
}

func (p *printer) login(l *Login) {
	p.title("login", l.raw)
	p.field("digest", l.Digest())
	p.field("certificate", l.Cert)
	p.text("origin", l.Origin)
	p.field("nonce", l.Nonce)
	p.time("at", l.At)
	if l.NKey != "" {
		p.text("nkey", l.NKey)
	}
}

func (p *printer) status(s *Status) {
	p.title("status freshness", s.raw)
	p.field("digest", s.Digest())
	p.field("certificate", s.Cert)
	p.text("list id", s.ListID)
	p.field("list", s.List)
	p.field("revision", s.Revision)
	p.time("at", s.At)
	p.time("not after", s.NotAfter)
}
