package envelope

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/digital-spine/spine/evm/eip712"
)

// TestKnownAnswers computes every value of docs/protocol.md section 36. They
// were computed by other programs first, in other languages too.
func TestKnownAnswers(t *testing.T) {
	m := newMarket(t)
	typedA, err := m.certA.TypedDigest(testDomain)
	if err != nil {
		t.Fatal(err)
	}
	typedTopic, err := m.topic.TypedDigest(testDomain)
	if err != nil {
		t.Fatal(err)
	}
	k, l := m.keys.derive(0)
	separator, typeHash := testDomain.Separator(), eip712.TypeHash(gatewayKey)
	grant := ok[*Grant](t)(NewGrant(m.ctx, m.keyA, m.core, m.pkgB.Digest(), bytes.Repeat([]byte{0x5a}, 1200)))

	for _, c := range []struct{ name, got, want string }{
		{"address A", Address(didA, 0), "ruwjhvacld7hxzga4o65opx35j"},
		{"address B", Address(didB, 0), "h3g3srr2jshftfrowr2agxlvf5"},
		{"prot", hex.EncodeToString(typeEnvelope), "a20127106e7370696e652f656e76656c6f7065"},
		{"domain", hex.EncodeToString(separator[:]), "b4bbbe505c4b56d0046656e9c2bc9c57b16d0c4333dd90b9d8a271e2bc078620"},
		{"type hash", hex.EncodeToString(typeHash[:]), "9436b2f74608cae6719a5b82918a9ac9ff73eb4b051ecbe1c03a352c36fcdb23"},
		{"digest of A", hex.EncodeToString(typedA[:]), "69cc1d975fb25e2819f6981f45a14869c18a07c0f71b5ba8f0c1cbcdb492fda3"},
		{"signed by A", hex.EncodeToString(m.certA.proof), "d724ad0be72fa3593e63508e3392e36e1e6e8983325dcfd741e365c4850d26032ba360b3a8af2746b903fb109342b369e62539d050113a1b696cd4409b1d337c1c"},
		{"cert A", m.certA.Digest().String(), "bbb3410e7eba1d9210fbec08c44e1476bedb68e06250cbc0e5f55f52c33edabc"},
		{"pkg B", m.pkgB.Digest().String(), "24e9b71b8d2cb14c2b659539dd3de9413b1732fa95155332c389c3aee3fe72e3"},
		{"schema", m.schema.Digest().String(), "669c64bbfa0a9250adc87db0476881cadee00914f97854df4de256e10bbdcd35"},
		{"rec", m.topic.Digest().String(), "0017891a52eca23400c72bf9a74ea9111a00293afa37eaa5748122cc1585ff8a"},
		{"digest of rec", hex.EncodeToString(typedTopic[:]), "e1324ae3c4aa767b007016c5dd4fda20a335be004cc90eb6622d30a4e7a99b5e"},
		{"sid", m.core.Session().String(), "00c0a2789b40207d37e13ded13f04142c8fd7c6e626a4d4728c175806d8b4d8e"},
		{"K", hex.EncodeToString(k), "cff02049ed08965c1145fe44499957c36255b26cbee2a15a67218d3420f65ba0"},
		{"L", hex.EncodeToString(l), "a30d21cee46acd6fa1229951674cc9d85e95293735cacb9001876f21bdb0f328"},
		{"salt 0", fmt.Sprintf("%x", Salts([32]byte(l), 1)[0]), "1c78c5ac5e815bd2b30ebf7cb6bcd480"},
		{"root", m.envelope.Root.String(), "6cac5f20d690d5877427d8337f12b10f409e0efaf0cb0b53586e2424a4a74f49"},
		{"H(ct)", m.envelope.CiphertextHash().String(), "367abb13c19e92407ae94b0b6d0febfa13a57845f9b91dce6be059473ea6f5d3"},
		{"D of envelope", m.envelope.Digest().String(), "2e2e6e5e1b9960d8f3862559d2401afba611c221ee88fc6ab664c08d1929263e"},
		{"D of grant", grant.Digest().String(), "85a555af75de7eb2da732b3356cad59d6a5c7e64c6eadf5a45e83ef22b71fbaf"},
	} {
		if c.got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.name, c.got, c.want)
		}
	}
	for n, want := range map[int]int{256: 256, 300: 304, 1350: 1408, 100000: 100352} {
		if got := Padme(n); got != want {
			t.Errorf("padme %d: got %d, want %d", n, got, want)
		}
	}
}

// TestSizes keeps the sizes that docs/protocol.md section 36 and 38 tell.
func TestSizes(t *testing.T) {
	m := newMarket(t)
	text := &BoxText{Secret: m.secret, Prev: &Prev{Session: m.core.Session(), Seq: 1, Digest: m.core.Session(), NotAfter: t0}, Creds: []Digest{{1}}}
	one := ok[*Receipt](t)(NewReceipt(m.ctx, m.keyB, ReceiptBody{Cert: m.certB.Digest(), Package: m.pkgB.Digest(), At: t0, Lanes: m.lanes(1)}))
	hundred := ok[*Receipt](t)(NewReceipt(m.ctx, m.keyB, ReceiptBody{Cert: m.certB.Digest(), Package: m.pkgB.Digest(), At: t0, Lanes: m.lanes(100)}))
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"certificate", len(m.certA.Bytes()), 278},
		{"package", len(m.pkgB.Bytes()), 1376},
		{"core", len(m.core.Bytes()), 230},
		{"grant", len(m.grant(t, text).Bytes()), 1644},
		{"receipt of one lane", len(one.Bytes()), 249},
		{"receipt of 100 lanes", len(hundred.Bytes()) / 100, 75},
	} {
		if d := c.got - c.want; d < -3 || d > 3 {
			t.Errorf("%s: %d bytes, documented as %d", c.name, c.got, c.want)
		}
	}
	for n, want := range map[int]int{1: 307, 10: 127, 100: 64} {
		body := []byte(strings.Repeat("x", 1024))
		e := ok[*Envelope](t)(m.keys.Seal(m.ctx, m.keyA, Entry{Prev: m.core.Session(), Time: t0 + 3000}, m.frames(n, body)))
		if got := len(e.Bytes())/n - len(body); got < want-10 || got > want+10 {
			t.Errorf("%d frames: %d bytes over each body, documented as %d", n, got, want)
		}
	}
}

// frames returns n frames of distinct ids.
func (m *market) frames(n int, body []byte) []Frame {
	frames := make([]Frame, n)
	for i := range frames {
		frames[i] = m.frame
		frames[i].ID[14], frames[i].ID[15] = byte(i>>8), byte(i)
		frames[i].Body = body
	}
	return frames
}

// lanes returns n lanes with one envelope each in custody.
func (m *market) lanes(n int) []Lane {
	lanes := make([]Lane, n)
	for i := range lanes {
		lanes[i] = Lane{Session: Digest{byte(i)}, UpTo: int64(i), Head: Digest{1}}
	}
	return lanes
}
