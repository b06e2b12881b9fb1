package intake_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"github.com/digital-spine/spine/envelope"
)

// sealRaw encrypts the plaintext of frames under a header that says something
// else, which no honest sender does and package envelope does not offer.
func sealRaw(sid envelope.Digest, s envelope.Secret, key ed25519.PrivateKey, h envelope.Header, frames []envelope.Frame) []byte {
	var list []byte
	list = append(list, 0x80|byte(len(frames)))
	for i := range frames {
		b := frames[i].Append(nil)
		list = append(list, 0x58, byte(len(b)))
		list = append(list, b...)
	}
	plain := make([]byte, envelope.Padme(max(envelope.MinPlain, 4+len(list))))
	binary.BigEndian.PutUint32(plain, uint32(len(list)))
	copy(plain[4:], list)
	prk := must(hkdf.Extract(sha256.New, s[:], sid[:]))
	k := must(hkdf.Expand(sha256.New, prk, string(binary.BigEndian.AppendUint64([]byte("spine/1 envelope"), h.Seq)), 64))
	aead := must(cipher.NewGCM(must(aes.NewCipher(k[:32]))))
	nonce := make([]byte, 12)
	rand.Read(nonce)
	header := must(envelope.SignEnvelope(background, edSigner{key}, h, nil)).Signed()
	return aead.Seal(nonce, nonce, plain, headerOf(header))
}

// headerOf cuts the payload out of a Sign1 whose header is shorter than 256 bytes.
func headerOf(signed []byte) []byte {
	prot := int(signed[1] & 0x1f)
	if signed[1] == 0x58 {
		prot = int(signed[2]) + 1
	}
	i := 2 + prot + 1 // array, prot, {}
	return signed[i+2 : i+2+int(signed[i+1])]
}
