package inbox

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// evidence is all that the checks of one message rest on.
type evidence struct {
	row    *Row
	info   *SessionInfo
	core   *envelope.Core // nil when it is not kept any more
	header *envelope.Header
	sig    []byte
	ct     []byte
	frame  int
	found  *envelope.Frame  // nil when the content is not here
	object *envelope.Object // of the frame, when it is one
	channel,
	role string // why the sender is admitted
	fault string // code, when refused
	waits string // code, while content is awaited
}

// ruleOf says which check an envelope or one of its messages failed.
func ruleOf(code string) string {
	switch c := envelope.Code(code); c {
	case envelope.BadCert, envelope.CertVoid, envelope.DIDStale, envelope.StatusStale, envelope.BadRole,
		envelope.RoleRevoked, envelope.RoleExpired, envelope.RoleNotAdmitted, envelope.SessionOver:
		return "E7"
	case envelope.BadTime:
		return "E8"
	case envelope.Forked, envelope.ChainBroken:
		return "E9"
	case envelope.BadSeal:
		return "E10"
	case envelope.BadFrames:
		return "E11"
	case envelope.BadContent:
		return "E12"
	case envelope.Duplicate, envelope.IDConflict, envelope.BadSchema:
		return "E13"
	case envelope.ContentHash:
		return "20"
	case envelope.BadObject, envelope.BadPart, envelope.Truncated, envelope.TooLarge:
		return "21"
	}
	return ""
}

// checklist collects checks until one failed.
type checklist struct {
	e     *evidence
	out   []gateway.Check
	ended bool
}

// add appends a check with pairs of names and values; empty values are left out.
func (l *checklist) add(rule, name, says string, pairs ...string) {
	if l.ended {
		return
	}
	c := gateway.Check{Name: name, Rule: rule, Says: says, Result: "ok", Evidence: make(map[string]string)}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			c.Evidence[pairs[i]] = pairs[i+1]
		}
	}
	if l.e.fault != "" && rule == ruleOf(l.e.fault) && !(name == "id" && l.e.fault == string(envelope.BadSchema)) {
		c.Result, l.ended = l.e.fault, true
	}
	l.out = append(l.out, c)
}

// wait appends a check that is not made yet.
func (l *checklist) wait(rule, name, says, code string) {
	if !l.ended {
		l.out = append(l.out, gateway.Check{Name: name, Rule: rule, Says: says, Result: code})
		l.ended = true
	}
}

// checks returns every check that was made on a message, in the protocol's
// order, with what it rests on. A message that failed one has passed those
// before it, and none after it was made.
func checksOf(e *evidence) []gateway.Check {
	l := &checklist{e: e}
	l.session()
	l.entry()
	l.content()
	if l.out == nil {
		return []gateway.Check{}
	}
	return l.out
}

// session are the checks of the grant, made once for the session.
func (l *checklist) session() {
	e, p := l.e, l.e.info.Proof
	if p == nil { // opened before such things were kept
		return
	}
	judged := stamp(p.Judged)
	l.add("G1", "grant", "the grant of the session is its own deterministic encoding, and came under its sender's address", "grant", hex.EncodeToString(p.Grant), "at", judged)
	l.add("G3", "package", "it was made for a key package of this gateway whose key is still here", "package", hex.EncodeToString(p.Package))
	if c := e.core; c != nil {
		l.add("G4", "window", "version and suite are spoken here, and the session's window is in order", "suite", strconv.FormatUint(c.Suite, 10),
			"not before", stamp(c.NotBefore), "not after", stamp(c.NotAfter))
		l.add("G5", "certificate", "the certificate is of this DID and instance, covers the session, and its key signed the grant",
			"certificate", c.Cert.String(), "did", c.From, "instance", strconv.FormatUint(c.Inst, 10), "key", hex.EncodeToString(e.info.Key),
			"not before", stamp(p.CertNbf), "not after", stamp(p.CertNaf))
		l.add("G6", "did", "the key is well formed and proved its possession; a key that may sign for the DID, by the chain's own state, certified it; no later floor voids it",
			"did", c.From, "floor", strconv.FormatUint(p.Floor, 10))
		l.add("G7", "record", "the topic's record is signed by an owner of its namespace, in force, and its schema is the one it names",
			"record", c.Record.String(), "topic", c.Topic, "version", e.info.Version, "owner", p.Owner, "kind", p.Kind, "schema", hex.EncodeToString(p.Schema), "order", order(p.Order))
	}
	l.add("G8", "box", "the sealed box opens with this gateway's key and for this session only", "package", hex.EncodeToString(p.Package), "session", hex.EncodeToString(e.info.SID[:]))
	for _, c := range p.Creds {
		l.add("G9", "role", "a role credential of the sender, valid up to whom the role's definition names, not revoked, not ended",
			"credential", hex.EncodeToString(c.Digest), "role", c.Role, "issuer", c.Issuer, "valid until", stamp(c.ValidUntil), "subject", e.info.From)
	}
	l.add("G10", "admission", "a local channel admits the sender", "channel", e.channel, "by", e.role)
	if p.Prev == nil {
		l.add("G11", "succession", "no earlier session of this lane is named", "predecessor", "none")
	} else {
		l.add("G11", "succession", "it names the last entry before it that was for this gateway, and that is compared with what is held", "session", hex.EncodeToString(p.Prev.SID),
			"seq", strconv.FormatUint(p.Prev.Seq, 10), "digest", hex.EncodeToString(p.Prev.Digest))
	}
}

// entry are the checks of the envelope, or of its notice, up to its place.
func (l *checklist) entry() {
	e, h := l.e, l.e.header
	d := hex.EncodeToString(e.row.D[:])
	if h == nil {
		return
	}
	l.add("E1", "encoding", "the envelope is its own deterministic encoding, within all limits")
	l.add("E2", "subject", "it came to this gateway, from the mailbox address of its sender", "sender's address", envelope.Address(e.info.From, e.info.Inst))
	l.add("E3", "session", "its session is open here, and is that sender's", "session", hex.EncodeToString(e.info.SID[:]))
	l.add("E4", "budget", "the sender is within its budgets")
	l.add("E5", "replay", "it was not here before", "digest", d)
	certificate := ""
	if e.core != nil {
		certificate = e.core.Cert.String()
	}
	l.add("E6", "signature", "Ed25519 over header and hash of the ciphertext, by the key that the sender's DID certified",
		"key", hex.EncodeToString(e.info.Key), "certificate", certificate, "signature", hex.EncodeToString(e.sig), "digest", d)
	l.add("E7", "standing", "certificate, DID and roles of the sender were still good when it came", "at", stamp(e.row.At), "did", e.info.From, "roles", strings.Join(e.info.Roles, ", "))
	l.add("E8", "time", "its time lies in the session and is not before that of the one before", "time", stamp(h.Time))
	l.add("E9", "chain", "it has its place in the unbroken chain of the session", "seq", strconv.FormatUint(h.Seq, 10), "prev", h.Prev.String(), "digest", d)
}

// content are the checks of what is inside.
func (l *checklist) content() {
	e := l.e
	if e.found == nil && e.waits != "" {
		l.wait("20", "body", "the body has the length and the hash that were signed", e.waits)
		return
	}
	if e.row.Fetched > 0 && e.object == nil || e.fault == string(envelope.ContentHash) {
		l.add("20", "body", "the body that was fetched apart has the hash that was signed", "hash", hex.EncodeToString(e.ct), "at", stamp(e.row.Fetched))
	}
	root := ""
	if e.header != nil {
		root = e.header.Root.String()
	}
	l.add("E10", "seal", "the ciphertext opens under the key of this envelope", "hash of ciphertext", hex.EncodeToString(e.ct))
	l.add("E11", "frames", "padding and frames are as they must be, no id comes twice", "frames", strconv.Itoa(e.row.Size))
	l.add("E12", "content", "the frames are what the signed root commits to: every recipient got the same", "root", root)
	if e.found == nil {
		return
	}
	id := gateway.FormatID(e.found.ID)
	l.add("E13", "id", "no message of this id came before in the lane", "id", id, "frame", strconv.Itoa(e.frame))
	schema := ""
	if p := e.info.Proof; p != nil {
		schema = hex.EncodeToString(p.Schema)
	}
	if e.object == nil {
		l.add("E13", "schema", "it passes the schema of its topic", "schema", schema, "topic", e.info.Topic, "version", e.info.Version)
		return
	}
	o := e.object
	if e.waits != "" {
		l.wait("21", "object", "every part has its hash and opens in its place", e.waits)
		return
	}
	l.add("21", "object", "every part has the hash of the description and opens in its place; the whole has its length and hash", "parts", strconv.Itoa(len(o.Parts)),
		"part size", strconv.FormatInt(o.PartSize, 10), "size", strconv.FormatInt(o.Size, 10), "sha256", o.SHA256.String(), "type", o.Type, "at", stamp(e.row.Fetched))
	l.add("E13", "schema", "its content passes the schema of its topic", "schema", schema, "topic", e.info.Topic, "version", e.info.Version)
}

func order(n uint64) string {
	if n == 0 {
		return "strict"
	}
	return "prompt"
}

// stamp is a time as people and machines read it; empty for none.
func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return fmt.Sprint(ms)
}
