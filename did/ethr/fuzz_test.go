package ethr

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// FuzzDecode feeds the bytes of a log, which anybody can write.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), make([]byte, 64))
	f.Add(uint8(1), make([]byte, 128))
	f.Add(uint8(2), make([]byte, 192))
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		topics := []common.Hash{topicOwner, topicDelegate, topicAttribute, {1}}
		l := types.Log{BlockNumber: 5, Data: data, Topics: []common.Hash{topics[int(kind)%len(topics)], {}}}
		e, err := decode(l)
		if err != nil {
			return
		}
		s := fold(ID{ChainID: 1337}, []event{e}, Head{}, time.Unix(0, 0))
		if _, err := json.Marshal(s.Document()); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzDocument makes documents from any attribute.
func FuzzDocument(f *testing.F) {
	f.Add("did/pub/Secp256k1/veriKey/hex", []byte(`{"publicKey":"0x03","tag":"key-owner"}`))
	f.Add("did/pub/Rsa/sigAuth/pem", []byte("-----BEGIN"))
	f.Add("did/svc/undefined", []byte(`{"id":"a","type":"b"}`))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		id := ID{ChainID: 1337, Address: common.Address{1}}
		s := fold(id, []event{{kind: topicAttribute, name: name, value: value, validTo: big.NewInt(1 << 40)}}, Head{}, time.Unix(0, 0))
		d := s.Document()
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b) {
			t.Fatal("not JSON")
		}
		if len(d.AssertionMethod) == 0 || d.AssertionMethod[0] != id.String()+"#controller" {
			t.Fatal("an attribute took the controller's place")
		}
		for _, m := range d.VerificationMethod[1:] {
			if !strings.HasPrefix(m.ID, id.String()+"#") || m.ID == id.String()+"#controller" {
				t.Fatalf("id %q", m.ID)
			}
		}
	})
}

func TestMoment(t *testing.T) {
	for seconds, want := range map[string]time.Time{
		"0":                time.Unix(0, 0).UTC(),
		"1700000000":       time.Unix(1700000000, 0).UTC(),
		"9007201049961205": forever,
		"115792089237316195423570985008687907853269984665640564039457584007913129639935": forever,
	} {
		n, _ := new(big.Int).SetString(seconds, 10)
		if got := moment(n); !got.Equal(want) {
			t.Errorf("%s: %v", seconds, got)
		}
		if _, err := json.Marshal(moment(n)); err != nil {
			t.Error(err)
		}
	}
}
