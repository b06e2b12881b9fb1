package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/vc"
)

type inspectCmd struct {
	File string `arg:"" optional:"" default:"-" help:"File with the structure, - for standard input (the default)."`
}

// Help is shown by spine inspect --help.
func (inspectCmd) Help() string {
	return `Prints a structure of the message protocol readably: a certificate, key package,
topic record, schema, grant, envelope, receipt, login, status freshness; also a
role credential or a status list. It takes the bytes themselves, hexadecimal or
base64url text. Nothing is verified, no key is needed and no secret is shown.

Example:

    curl -s https://hub.example/api/v1/credentials/48837422e1f9… | spine inspect
    spine inspect --json grant.hex
`
}

// maxInspect bounds the input in bytes: hexadecimal of the largest structure,
// broken into lines.
const maxInspect = 9 << 20

// inspected is the result with --json.
type inspected struct {
	Structure string           `json:"structure"`
	Bytes     int              `json:"bytes"`
	SHA256    string           `json:"sha256"` // of all bytes
	Fields    []inspectedField `json:"fields"` // in order; names may repeat
}

type inspectedField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Run prints one structure.
func (c *inspectCmd) Run(a *app) error {
	in, err := a.read(c.File, maxInspect)
	if err != nil {
		return err
	}
	b, text, err := inspect(in)
	if err != nil {
		return err
	}
	return a.print(fieldsOf(b, text), "%s", text)
}

// inspect finds the structure in the input, and returns its bytes and its
// print. When nothing fits, the error is of the likeliest reading.
func inspect(in []byte) (structure []byte, text string, err error) {
	if len(bytes.TrimSpace(in)) == 0 {
		return nil, "", problem.New(400, "body_empty", "there is nothing to inspect")
	}
	first := error(nil)
	for _, b := range readings(in) {
		text, err := inspectBytes(b)
		if err == nil {
			return b, text, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, "", fmt.Errorf("no structure of the protocol, nor hexadecimal or base64url text of one: %w", first)
}

// readings are the bytes that the input may stand for, likeliest first. Binary
// structures begin with a byte that no text begins with.
func readings(in []byte) [][]byte {
	if in[0] >= 0x80 {
		return [][]byte{in}
	}
	plain := strings.Join(strings.Fields(string(in)), "")
	if plain[0] == '{' {
		return [][]byte{in, bytes.TrimSpace(in)} // credentials are kept as issued, to the byte
	}
	var all [][]byte
	if b, err := hex.DecodeString(strings.TrimPrefix(plain, "0x")); err == nil {
		all = append(all, b)
	}
	url := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(plain, "="))
	if b, err := base64.RawURLEncoding.DecodeString(url); err == nil {
		all = append(all, b)
	}
	if len(all) == 0 {
		all = append(all, in)
	}
	return all
}

// inspectBytes prints a structure of package envelope or vc.
func inspectBytes(b []byte) (string, error) {
	if len(b) == 0 || b[0] != '{' {
		return envelope.Inspect(b)
	}
	role, err := vc.ParseRole(b)
	if err == nil {
		return roleText(role, b), nil
	}
	if list, listErr := vc.ParseList(b); listErr == nil {
		return listText(list, b)
	} else if bytes.Contains(b, []byte("BitstringStatusListCredential")) {
		err = listErr
	}
	return "", err
}

// columns writes fields as envelope.Inspect does.
type columns struct{ strings.Builder }

func (c *columns) title(name string, b []byte) {
	digest := vc.Digest(b)
	fmt.Fprintf(c, "%s, %d bytes\n", name, len(b))
	c.field("digest", hex.EncodeToString(digest[:]))
}

func (c *columns) field(name, value string) { fmt.Fprintf(c, "  %-13s%s\n", name, printable(value)) }

func (c *columns) time(name string, ms int64) {
	if ms == 0 {
		c.field(name, "no end")
		return
	}
	c.field(name, time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00"))
}

func roleText(r *vc.RoleCredential, b []byte) string {
	var c columns
	c.title("role credential", b)
	c.field("id", r.ID)
	c.field("issuer", r.Issuer)
	c.field("subject", r.Subject)
	c.field("role", r.Role)
	c.time("valid from", r.ValidFrom)
	c.time("valid until", r.ValidUntil)
	if r.HasParent() {
		c.field("parent", hex.EncodeToString(r.Parent[:]))
	}
	c.field("status list", r.StatusList)
	c.field("status index", fmt.Sprint(r.StatusIndex))
	c.field("proof", fmt.Sprintf("EIP-712, %x", r.Proof))
	return c.String()
}

// shownBits is how many revoked entries are listed by number.
const shownBits = 100

func listText(l *vc.StatusList, b []byte) (string, error) {
	bits, err := l.Bits()
	if err != nil {
		return "", err
	}
	var c columns
	c.title("status list", b)
	c.field("id", l.ID)
	c.field("issuer", l.Issuer)
	c.time("valid from", l.ValidFrom)
	revoked, shown := 0, ""
	for i := range bits.Len() {
		set, err := bits.Get(i)
		if err != nil {
			return "", err
		}
		if set {
			if revoked++; revoked <= shownBits {
				shown += fmt.Sprintf(" %d", i)
			}
		}
	}
	if revoked > shownBits {
		shown += " …"
	}
	c.field("entries", fmt.Sprint(bits.Len()))
	c.field("revoked", strings.TrimSpace(fmt.Sprintf("%d:%s", revoked, shown)))
	c.field("proof", fmt.Sprintf("EIP-712, %x", l.Proof))
	return c.String(), nil
}

// nameWidth is where values begin on the lines that envelope.Inspect prints.
const nameWidth = 15

// fieldsOf takes a print apart for programs.
func fieldsOf(b []byte, text string) inspected {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	name, _, _ := strings.Cut(lines[0], ", ")
	digest := vc.Digest(b)
	out := inspected{Structure: name, Bytes: len(b), SHA256: hex.EncodeToString(digest[:])}
	for _, l := range lines[1:] {
		cut := min(nameWidth, len(l))
		out.Fields = append(out.Fields, inspectedField{strings.TrimSpace(l[:cut]), l[cut:]})
	}
	return out
}
