package inbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/digital-spine/spine/gateway"
)

// A token names a frame handed to a consumer: id, place and frame, with a
// check so that a garbled one is refused and not taken for another. It is no
// secret: it is accepted only behind the API's authorisation.
const tokenSize = 8 + 8 + 2 + 4

func token(consumer, pos int64, frame int) string {
	b := make([]byte, 0, tokenSize)
	b = binary.BigEndian.AppendUint64(b, uint64(consumer))
	b = binary.BigEndian.AppendUint64(b, uint64(pos))
	b = binary.BigEndian.AppendUint16(b, uint16(frame))
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:4]...))
}

func parseToken(s string) (consumer int64, ref frameRef, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != tokenSize {
		return 0, ref, gateway.AckUnknown()
	}
	if sum := sha256.Sum256(b[:18]); string(sum[:4]) != string(b[18:]) {
		return 0, ref, gateway.AckUnknown()
	}
	ref = frameRef{pos: int64(binary.BigEndian.Uint64(b[8:])), frame: int(binary.BigEndian.Uint16(b[16:]))}
	return int64(binary.BigEndian.Uint64(b)), ref, nil
}
