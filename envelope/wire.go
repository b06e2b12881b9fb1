package envelope

// Kind is the kind of a wire message, its first element.
type Kind uint64

// The kinds.
const (
	KindEnvelope Kind = 1
	KindNotice   Kind = 2
	KindGrant    Kind = 3
	KindReceipt  Kind = 4
	KindMark     Kind = 5
)

// String returns the name of the kind.
func (k Kind) String() string {
	switch k {
	case KindEnvelope:
		return "envelope"
	case KindNotice:
		return "notice"
	case KindGrant:
		return "grant"
	case KindReceipt:
		return "receipt"
	case KindMark:
		return "mark"
	}
	return "unknown"
}

// KindOf is the beginning of E1, G1, R1 and M1: the size is within the network's
// wire limit, and the kind is known. Errors: too_large, malformed,
// not_canonical.
func KindOf(b []byte, wire int) (Kind, error) {
	if len(b) > min(wire, WireMax) {
		return 0, TooLarge.Errorf("wire message of %d bytes, at most %d", len(b), wire)
	}
	r := reader{b: b}
	n := r.open(majorArray)
	kind := Kind(r.uint())
	switch {
	case r.bad:
		return 0, misread(b)
	case kind == KindEnvelope && n == 3, kind == KindNotice && n == 4, kind == KindGrant && n == 4,
		kind == KindReceipt && n == 2, kind == KindMark && n == 2:
		return kind, nil
	}
	return 0, Malformed.Errorf("kind %d of %d elements is not known", uint64(kind), n)
}
