package envelope

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Frame is one message (section 10).
type Frame struct {
	// ID is the message's id: a UUIDv7, or a UUIDv8 derived from an
	// idempotency key.
	ID ID
	// Type is the media type of Body.
	Type string
	// Body is the message itself.
	Body []byte
	// At is when the sender's API accepted it, in ms.
	At int64
	// Re is the id of the message this one answers; zero when none.
	Re ID
	// Corr and Txn are correlation and transaction of the application; may be
	// empty.
	Corr, Txn string
	// Attrs are up to 16 attributes of 4 KiB together; may be nil.
	Attrs map[string]string
	// Kind says what Body is: KindData, or KindObject for the description of
	// an object.
	Kind uint64
}

// Kinds of a frame.
const (
	// KindData: the body is the message. It is written by leaving key 9 out.
	KindData uint64 = 0
	// KindObject: the body is an [Object].
	KindObject uint64 = 1
)

// Check is what a sender's API demands of a frame before it takes it, for a
// network whose wire messages have at most wire bytes. Errors: too_large,
// malformed.
func (f *Frame) Check(wire int) error {
	switch {
	case len(f.Body) > MaxBody(wire):
		return TooLarge.Errorf("body of %d bytes, at most %d", len(f.Body), MaxBody(wire))
	case len(f.Type) > MaxFrameType:
		return TooLarge.Errorf("type of %d bytes, at most %d", len(f.Type), MaxFrameType)
	case len(f.Corr) > MaxFrameText, len(f.Txn) > MaxFrameText:
		return TooLarge.Errorf("correlation or transaction longer than %d bytes", MaxFrameText)
	case len(f.Attrs) > MaxAttrs:
		return TooLarge.Errorf("%d attributes, at most %d", len(f.Attrs), MaxAttrs)
	case f.ID.IsZero():
		return fail(Malformed, "frame without an id")
	case f.At < 0 || f.At > maxInt:
		return fail(Malformed, "time out of range")
	case f.Kind > KindObject:
		return Malformed.Errorf("frame of kind %d", f.Kind)
	case !utf8.ValidString(f.Type) || !utf8.ValidString(f.Corr) || !utf8.ValidString(f.Txn):
		return fail(Malformed, "text is not UTF-8")
	}
	size := 0
	for k, v := range f.Attrs {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fail(Malformed, "attribute is not UTF-8")
		}
		size += len(k) + len(v)
	}
	if size > MaxAttrBytes {
		return TooLarge.Errorf("attributes of %d bytes, at most %d", size, MaxAttrBytes)
	}
	return nil
}

// Size returns the length of the encoded frame.
func (f *Frame) Size() int {
	n := 1 + 4 + stringSize(16) + stringSize(len(f.Type)) + stringSize(len(f.Body)) + headSize(uint64(f.At))
	if !f.Re.IsZero() {
		n += 1 + stringSize(16)
	}
	for _, s := range [2]string{f.Corr, f.Txn} {
		if s != "" {
			n += 1 + stringSize(len(s))
		}
	}
	if len(f.Attrs) > 0 {
		n += 1 + headSize(uint64(len(f.Attrs)))
		for k, v := range f.Attrs {
			n += stringSize(len(k)) + stringSize(len(v))
		}
	}
	if f.Kind != KindData {
		n += 1 + headSize(f.Kind)
	}
	return n
}

// Append appends the encoded frame. An empty value is an absent key.
func (f *Frame) Append(dst []byte) []byte {
	entries := byte(4)
	for _, present := range [5]bool{!f.Re.IsZero(), f.Corr != "", f.Txn != "", len(f.Attrs) > 0, f.Kind != KindData} {
		if present {
			entries++
		}
	}
	dst = append(dst, majorMap<<5|entries, 1)
	dst = appendBytes(dst, f.ID[:])
	dst = appendText(append(dst, 2), f.Type)
	dst = appendBytes(append(dst, 3), f.Body)
	dst = appendHead(append(dst, 4), majorUint, uint64(f.At))
	if !f.Re.IsZero() {
		dst = appendBytes(append(dst, 5), f.Re[:])
	}
	if f.Corr != "" {
		dst = appendText(append(dst, 6), f.Corr)
	}
	if f.Txn != "" {
		dst = appendText(append(dst, 7), f.Txn)
	}
	if len(f.Attrs) > 0 {
		dst = appendHead(append(dst, 8), majorMap, uint64(len(f.Attrs)))
		for _, k := range slices.SortedFunc(maps.Keys(f.Attrs), compareKeys) {
			dst = appendText(appendText(dst, k), f.Attrs[k])
		}
	}
	if f.Kind != KindData {
		dst = appendHead(append(dst, 9), majorUint, f.Kind)
	}
	return dst
}

// compareKeys is the order of text keys in a map: bytewise by their encoding,
// which begins with the length.
func compareKeys(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// ParseFrame reads one encoded frame. Body is a slice of b. Errors: frames.
func ParseFrame(b []byte) (*Frame, error) {
	f := new(Frame)
	if err := f.parse(b); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Frame) parse(b []byte) error {
	r := reader{b: b}
	entries := r.open(majorMap)
	r.key(1)
	r.fixed(f.ID[:])
	r.key(2)
	f.Type = r.text()
	r.key(3)
	f.Body = r.bytes()
	r.key(4)
	f.At = int64(r.uint())
	n := 4
	if r.has(5) {
		n++
		r.fixed(f.Re[:])
		r.bad = r.bad || f.Re.IsZero()
	}
	for key, s := range [2]*string{&f.Corr, &f.Txn} {
		if r.has(byte(6 + key)) {
			n++
			*s = r.text()
			r.bad = r.bad || *s == "" || len(*s) > MaxFrameText
		}
	}
	if r.has(8) {
		n++
		f.Attrs = r.attrs()
	}
	if r.has(9) {
		n++
		f.Kind = r.uint()
		r.bad = r.bad || f.Kind != KindObject
	}
	if n != entries || !r.done() || f.ID.IsZero() || len(f.Type) > MaxFrameType {
		return fail(BadFrames, "not the canonical encoding of a frame within its limits")
	}
	return nil
}

// attrs reads a map of text to text: sorted, not empty, within its limits.
func (r *reader) attrs() map[string]string {
	n := r.open(majorMap)
	if r.bad || n == 0 || n > MaxAttrs {
		r.bad = true
		return nil
	}
	attrs := make(map[string]string, n)
	last, size := "", 0
	for i := range n {
		k := r.text()
		v := r.text()
		size += len(k) + len(v)
		if r.bad || i > 0 && compareKeys(last, k) >= 0 || size > MaxAttrBytes {
			r.bad = true
			return nil
		}
		attrs[k], last = v, k
	}
	return attrs
}

// Load adds frames up until they fill an envelope.
type Load struct {
	// Frames and Bytes count what was added; Bytes are those of the encoded
	// frames, each with its head.
	Frames, Bytes int
}

// Add counts the frame in and reports true if it fits into one envelope with
// those added before, for a network of this wire limit; else nothing changes.
func (l *Load) Add(f *Frame, wire int) bool {
	n := Load{Frames: l.Frames + 1, Bytes: l.Bytes + stringSize(f.Size())}
	if n.Frames > MaxFrames || n.plain() > MaxPlain(wire) {
		return false
	}
	*l = n
	return true
}

// plain is the length of the padded plaintext.
func (l Load) plain() int {
	return Padme(max(MinPlain, 4+headSize(uint64(l.Frames))+l.Bytes))
}

// Padme returns the length to which a plaintext of n bytes is padded: rounded
// up so that only the upper bits of its length show (at most 12 % more).
func Padme(n int) int {
	if n < 2 {
		return n
	}
	e := log2(uint64(n))
	k := e - log2(uint64(e)) - 1
	if k <= 0 {
		return n
	}
	mask := 1<<k - 1
	return (n + mask) &^ mask
}

// pack lays frames out as a padded plaintext P = u32 len(F) || F || zeros and
// returns it with each frame's own bytes in it.
func pack(frames []Frame) (plain []byte, parts [][]byte, err error) {
	load := Load{Frames: len(frames)}
	for i := range frames {
		load.Bytes += stringSize(frames[i].Size())
	}
	if len(frames) == 0 || len(frames) > MaxFrames {
		return nil, nil, TooLarge.Errorf("%d frames, 1 to %d", len(frames), MaxFrames)
	}
	size := load.plain()
	if size > MaxPlain(WireMax) {
		return nil, nil, TooLarge.Errorf("frames of %d bytes, at most %d", size, MaxPlain(WireMax))
	}
	plain = make([]byte, 4, size)
	parts = make([][]byte, len(frames))
	plain = appendHead(plain, majorArray, uint64(len(frames)))
	for i := range frames {
		plain = appendHead(plain, majorBytes, uint64(frames[i].Size()))
		start := len(plain)
		plain = frames[i].Append(plain)
		parts[i] = plain[start:len(plain):len(plain)]
	}
	n := len(plain) - 4
	plain = plain[:size]
	putLen(plain, n)
	return plain, parts, nil
}

func putLen(dst []byte, n int) {
	dst[0], dst[1], dst[2], dst[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
}

// unpack is E11: length as padme says, zeros after the frames, frames
// canonical, ids distinct. Else frames.
func unpack(plain []byte) ([]Frame, [][]byte, error) {
	if len(plain) < MinPlain {
		return nil, nil, fail(BadFrames, "plaintext too short")
	}
	n := int(plain[0])<<24 | int(plain[1])<<16 | int(plain[2])<<8 | int(plain[3])
	if n > len(plain)-4 || Padme(max(MinPlain, 4+n)) != len(plain) {
		return nil, nil, fail(BadFrames, "padding has another length")
	}
	if !zeros(plain[4+n:]) {
		return nil, nil, fail(BadFrames, "padding is not zero")
	}
	r := reader{b: plain[4 : 4+n]}
	count := r.open(majorArray)
	if r.bad || count < 1 || count > MaxFrames {
		return nil, nil, fail(BadFrames, "number of frames")
	}
	frames, parts := make([]Frame, count), make([][]byte, count)
	for i := range frames {
		parts[i] = r.bytes()
		if r.bad {
			return nil, nil, fail(BadFrames, "not an array of frames")
		}
		if err := frames[i].parse(parts[i]); err != nil {
			return nil, nil, err
		}
	}
	if !r.done() {
		return nil, nil, fail(BadFrames, "bytes after the frames")
	}
	if err := distinct(frames); err != nil {
		return nil, nil, err
	}
	return frames, parts, nil
}

func zeros(b []byte) bool {
	var none [256]byte
	for len(b) > len(none) {
		if !bytes.Equal(b[:len(none)], none[:]) {
			return false
		}
		b = b[len(none):]
	}
	return bytes.Equal(b, none[:len(b)])
}

// distinct demands that no two frames have one id.
func distinct(frames []Frame) error {
	if len(frames) == 1 {
		return nil
	}
	ids := make(map[ID]struct{}, len(frames))
	for i := range frames {
		ids[frames[i].ID] = struct{}{}
	}
	if len(ids) != len(frames) {
		return fail(BadFrames, "two frames of one id")
	}
	return nil
}
