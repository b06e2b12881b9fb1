package envelope

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files of testdata again")

// structures returns one of every structure, by name.
func (m *market) structures(t testing.TB) map[string][]byte {
	full := m.frame
	full.Re, full.Corr, full.Txn, full.Attrs = ID{1}, "corr", "t\x1bxn", map[string]string{"k": "v"}
	text := &BoxText{Secret: m.secret, Prev: &Prev{Session: Digest{1}, Seq: 7, Digest: Digest{2}, NotAfter: t0}, Creds: []Digest{{3}}}
	grant := ok[*Grant](t)(NewGrant(m.ctx, m.keyA, m.core, m.pkgB.Digest(), make([]byte, 1200)))
	return map[string][]byte{
		"certificate": m.certA.Bytes(),
		"package":     m.pkgB.Bytes(),
		"topic":       m.topic.Bytes(),
		"schema":      m.schema.Bytes(),
		"core":        m.core.Bytes(),
		"grant":       grant.Bytes(),
		"boxtext":     text.Bytes(),
		"header":      m.envelope.Header.append(nil),
		"envelope":    m.envelope.Bytes(),
		"frame":       full.Append(nil),
		"receipt":     ok[*Receipt](t)(NewReceipt(m.ctx, m.keyB, m.receiptBody(m.lane(), RefuseSession(Digest{2}, RoleNotAdmitted)))).Bytes(),
		"login":       ok[*Login](t)(NewLogin(m.ctx, m.keyA, m.loginBody())).Bytes(),
		"notice":      m.envelope.Notice().Bytes(),
		"mark":        ok[*Mark](t)(NewMark(m.ctx, m.keyA, m.markBody())).Bytes(),
		"object":      m.object().Bytes(),
		"objectframe": m.objectFrame(),
		"status":      ok[*Status](t)(NewStatus(m.ctx, m.keyA, m.statusBody())).Bytes(),
	}
}

// TestInspect compares with testdata/inspect/<name>.txt; -update writes them.
func TestInspect(t *testing.T) {
	m := newMarket(t)
	for name, b := range m.structures(t) {
		t.Run(name, func(t *testing.T) {
			got := ok[string](t)(Inspect(b))
			file := "testdata/inspect/" + name + ".txt"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(ok[[]byte](t)(os.ReadFile(file))); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if strings.Contains(got, m.secretHex()) || strings.Contains(got, "\x1b") {
				t.Error("a secret or a control character is shown")
			}
			for n := range b {
				if _, err := Inspect(b[:n]); err == nil {
					t.Fatalf("%d of %d bytes are shown as a structure", n, len(b))
				}
			}
		})
	}
	for _, b := range [][]byte{nil, {0}, {0x80}, {0xa0}, {0x82, 0x40, 0}, {0x84, 0x40, 0, 0, 0}, {0x82, 0x61, 'a', 0}} {
		_, err := Inspect(b)
		wantCode(t, err, Malformed)
	}
	_, err := Inspect(make([]byte, MaxSchema+1))
	wantCode(t, err, TooLarge)
}

func (m *market) secretHex() string { return Digest(m.secret).String() }
