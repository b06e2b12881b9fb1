package envelope

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

const (
	nonceSize = 12
	tagSize   = 16
)

// SessionKeys seals and opens the envelopes of one session. It may be used by
// many goroutines.
type SessionKeys struct {
	session Digest
	prk     []byte
}

// NewSessionKeys derives the keys of a session: PRK = HKDF-Extract(salt
// session, S). The session id names sender, topic and channel, so whoever uses
// S again gets other keys.
func NewSessionKeys(session Digest, s Secret) *SessionKeys {
	return &SessionKeys{session, must(hkdf.Extract(sha256.New, s[:], session[:]))}
}

// Session returns the session id.
func (k *SessionKeys) Session() Digest { return k.session }

// derive returns the AES key K and the salt key L of one envelope.
func (k *SessionKeys) derive(seq uint64) (key, salts []byte) {
	info := binary.BigEndian.AppendUint64([]byte(labelEnvelope), seq)
	b := must(hkdf.Expand(sha256.New, k.prk, string(info), 64))
	return b[:32], b[32:]
}

// SaltKey returns L of an envelope, with which its salts are made again.
func (k *SessionKeys) SaltKey(seq uint64) (l [32]byte) {
	_, salts := k.derive(seq)
	copy(l[:], salts)
	return l
}

// Salts returns the salts of n frames: salt_i = HMAC-SHA256(L, u32 i)[:16].
func Salts(l [32]byte, n int) []Salt {
	mac := hmac.New(sha256.New, l[:])
	salts := make([]Salt, n)
	var sum [32]byte
	var number [4]byte
	for i := range salts {
		mac.Reset()
		binary.BigEndian.PutUint32(number[:], uint32(i))
		mac.Write(number[:])
		copy(salts[i][:], mac.Sum(sum[:0]))
	}
	return salts
}

// Entry is what a sender knows of the next envelope of a session.
type Entry struct {
	// Seq is its number, Prev the digest of the one before (the session id
	// for number 0).
	Seq  uint64
	Prev Digest
	// Time is max(now, time of the one before), in ms.
	Time int64
}

// Seal makes an envelope of 1 to 1,000 frames: encrypted under a key and a
// random nonce of its own, signed once. Frames must have passed [Frame.Check]
// and fit one another ([Load]). Errors: too_large, frames (two of one id), or
// those of the signer.
func (k *SessionKeys) Seal(ctx context.Context, signer InstanceSigner, entry Entry, frames []Frame) (*Envelope, error) {
	return k.seal(ctx, signer, entry, frames, randomNonce)
}

// randomNonce is AES-GCM with a random nonce in front of the ciphertext.
func randomNonce(block cipher.Block) (cipher.AEAD, []byte) {
	return must(cipher.NewGCMWithRandomNonce(block)), nil
}

func (k *SessionKeys) seal(ctx context.Context, signer InstanceSigner, entry Entry, frames []Frame, mode func(cipher.Block) (cipher.AEAD, []byte)) (*Envelope, error) {
	if entry.Seq >= MaxEnvelopes {
		return nil, TooLarge.Errorf("envelope number %d, at most %d", entry.Seq, MaxEnvelopes-1)
	}
	if err := distinct(frames); err != nil {
		return nil, err
	}
	plain, parts, err := pack(frames)
	if err != nil {
		return nil, err
	}
	key, l := k.derive(entry.Seq)
	h := Header{Session: k.session, Seq: entry.Seq, Prev: entry.Prev, Time: entry.Time}
	h.Root = Root(Salts([32]byte(l), len(parts)), parts)
	header := h.append(make([]byte, 0, headerSize))

	// The message is laid out once: the ciphertext goes to its place first,
	// then the signature over its hash in front of it.
	ctSize := nonceSize + len(plain) + tagSize
	front := 2 + sign1Size(typeEnvelope, len(header))
	b := make([]byte, 0, front+stringSize(ctSize))
	b = appendHead(b[:front], majorBytes, uint64(ctSize))
	ctStart := len(b)
	aead, nonce := mode(must(aes.NewCipher(key)))
	b = aead.Seal(append(b, nonce...), nonce, plain, header)
	ct := b[ctStart:]
	e := &Envelope{Header: h, Ciphertext: ct, raw: b, hashed: true, ctHash: Sum(ct)}

	signing := toBeSigned(typeEnvelope, e.ctHash[:], header)
	e.digest = Sum(signing)
	sig, err := signer.Sign(ctx, signing)
	if err != nil {
		return nil, err
	}
	if len(sig) != ed25519.SignatureSize {
		return nil, BadSignature.Errorf("signer returned %d bytes", len(sig))
	}
	signed := appendSign1(append(b[:0], 0x83, byte(KindEnvelope)), typeEnvelope, header, sig)
	e.signed = signed[2:front:front]
	e.sign1 = sign1{header, sig}
	return e, nil
}

// Opened is what an envelope held.
type Opened struct {
	// Frames are its messages, Encoded their bytes as they were committed to.
	// Both share one buffer with the plaintext.
	Frames  []Frame
	Encoded [][]byte
	// SaltKey is L, with which the salts are made again ([Salts]).
	SaltKey [32]byte
}

// Open is E10 to E12 on an envelope that passed E6: seal when it does not
// open, frames when padding or frames are bad, content when the root is not
// theirs.
func (k *SessionKeys) Open(e *Envelope) (*Opened, error) {
	if e.Session != k.session {
		return nil, fail(BadSeal, "envelope of another session")
	}
	key, l := k.derive(e.Seq)
	aead, _ := randomNonce(must(aes.NewCipher(key)))
	plain, err := aead.Open(nil, nil, e.Ciphertext, e.sign1.payload)
	if err != nil {
		return nil, fail(BadSeal, "ciphertext does not open")
	}
	frames, parts, err := unpack(plain)
	if err != nil {
		return nil, err
	}
	o := &Opened{Frames: frames, Encoded: parts, SaltKey: [32]byte(l)}
	if Root(Salts(o.SaltKey, len(parts)), parts) != e.Root {
		return nil, fail(BadContent, "root is not that of the frames")
	}
	return o, nil
}
