package envelope

// Code is the stable name of an error: one word of the list of section 18.
type Code string

// The codes.
const (
	TooLarge          Code = "too_large"
	Malformed         Code = "malformed"
	NotCanonical      Code = "not_canonical"
	BadVersion        Code = "version"
	BadSuite          Code = "suite"
	Rebound           Code = "rebound"
	Throttled         Code = "throttled"
	BadSignature      Code = "signature"
	NotForMe          Code = "not_for_me"
	NoChannel         Code = "no_channel"
	PackageGone       Code = "package_gone"
	SessionUnknown    Code = "session_unknown"
	SessionRefused    Code = "session_refused"
	SessionOver       Code = "session_over"
	BadCert           Code = "cert"
	WeakKey           Code = "weak_key"
	BadPop            Code = "pop"
	CertVoid          Code = "cert_void"
	DIDStale          Code = "did_stale"
	StatusStale       Code = "status_stale"
	BadPackage        Code = "package"
	PackageRolledBack Code = "package_rolled_back"
	BadTopic          Code = "topic"
	BadBox            Code = "box"
	BadRole           Code = "role"
	RoleRevoked       Code = "role_revoked"
	RoleExpired       Code = "role_expired"
	RoleNotAdmitted   Code = "role_not_admitted"
	Replayed          Code = "replayed"
	Duplicate         Code = "duplicate"
	BadReceipt        Code = "receipt"
	BadTime           Code = "time"
	Forked            Code = "forked"
	ChainBroken       Code = "chain_broken"
	BadSeal           Code = "seal"
	BadFrames         Code = "frames"
	BadContent        Code = "content"
	IDConflict        Code = "id_conflict"
	BadSchema         Code = "schema"
	NoRecipient       Code = "no_recipient"
	OutboxFull        Code = "outbox_full"
	JSONInvalid       Code = "json_invalid"
	JSONDepth         Code = "json_depth"
	JSONDuplicateKey  Code = "json_duplicate_key"
	BodyEmpty         Code = "body_empty"
	BodyTooLarge      Code = "body_too_large"

	// The codes of Part B.
	ContentHash Code = "content_hash"
	BadObject   Code = "object"
	BadPart     Code = "part"
	Truncated   Code = "truncated"
)

// Told says who is told of an error.
type Told uint8

// Who is told.
const (
	// ToldSender is told in a receipt.
	ToldSender Told = 1 << iota
	// ToldOperator is told at the gateway that found it: counter and ring of
	// events.
	ToldOperator
	// ToldClient is told in the answer of the API.
	ToldClient
)

// Then says what becomes of the object that failed.
type Then uint8

// What follows an error.
const (
	// Final: refused for good.
	Final Then = iota
	// Asks: asked for again from its sender.
	Asks
	// Waits: kept, and judged again by itself.
	Waits
	// Ignored: dropped without consequence, since nothing is lost by it.
	Ignored
)

// String returns the word of the table in docs/protocol.md.
func (t Then) String() string {
	switch t {
	case Asks:
		return "asks"
	case Waits:
		return "waits"
	case Ignored:
		return "ignored"
	}
	return "final"
}

// ErrorInfo is one line of the list of errors.
type ErrorInfo struct {
	Code Code
	// Meaning is one sentence for people.
	Meaning string
	Told    Told
	Then    Then
	// AbsentWaits marks codes that also stand for "not there yet": then the
	// object waits, whatever Then says.
	AbsentWaits bool
	// Condition narrows Told or Then where a word is not enough.
	Condition string
}

// Errors is the one list of errors, in the order of docs/protocol.md
// section 18. It is read only.
var Errors = []ErrorInfo{
	{Code: TooLarge, Meaning: "above a limit of section 12", Told: ToldOperator | ToldClient},
	{Code: Malformed, Meaning: "not CBOR, wrong shape, unknown key or kind, or a name not in normal form", Told: ToldOperator | ToldClient},
	{Code: NotCanonical, Meaning: "decodes, but is not its own deterministic encoding", Told: ToldOperator | ToldClient},
	{Code: BadVersion, Meaning: "version not spoken here", Told: ToldOperator},
	{Code: BadSuite, Meaning: "suite not in the recipient's package", Told: ToldOperator},
	{Code: Rebound, Meaning: "the subject does not fit the signed content, or the sender is the reader itself", Told: ToldOperator},
	{Code: Throttled, Meaning: "over a budget of section 12", Told: ToldOperator, Then: Ignored, Condition: "a known lane asks again"},
	{Code: BadSignature, Meaning: "the signature does not verify", Told: ToldOperator, Condition: "an envelope is asked for again"},
	{Code: NotForMe, Meaning: "grant for a package that is not mine", Told: ToldOperator},
	{Code: NoChannel, Meaning: "no local channel for the topic", Told: ToldOperator | ToldSender, Condition: "the sender only once G5 and G6 held, strangers excepted"},
	{Code: PackageGone, Meaning: "grant for a package key already destroyed", Told: ToldSender, Then: Asks, Condition: "as missing, why 2"},
	{Code: SessionUnknown, Meaning: "no grant within 60 s", Told: ToldSender, Then: Asks, Condition: "as missing, why 2"},
	{Code: SessionRefused, Meaning: "envelope of a refused session", Told: ToldOperator},
	{Code: SessionOver, Meaning: "end of the session and retention past; the ledger may have forgotten", Told: ToldOperator | ToldSender},
	{Code: BadCert, Meaning: "certificate absent, out of window, not of this DID and instance, or not by an entitled key", Told: ToldOperator | ToldSender, AbsentWaits: true, Condition: "the sender about its own session only"},
	{Code: WeakKey, Meaning: "instance key is not canonical or of small order", Told: ToldOperator},
	{Code: BadPop, Meaning: "no proof of possession of the instance key", Told: ToldOperator},
	{Code: CertVoid, Meaning: "certificate below a floor known here", Told: ToldOperator | ToldSender, Condition: "the sender of an open session; it renews"},
	{Code: DIDStale, Meaning: "no fresh state of the DID to judge by", Told: ToldOperator, Then: Waits},
	{Code: StatusStale, Meaning: "no fresh status list to judge by", Told: ToldOperator, Then: Waits},
	{Code: BadPackage, Meaning: "package absent or invalid, or a newer one is known to exist", Told: ToldOperator, Then: Waits},
	{Code: PackageRolledBack, Meaning: "generation below one seen, or below the floor", Told: ToldOperator, Then: Ignored, Condition: "the known one is used"},
	{Code: BadTopic, Meaning: "record absent, invalid, outdated or not by an owner", Told: ToldSender, AbsentWaits: true},
	{Code: BadBox, Meaning: "box does not open or parse", Told: ToldSender},
	{Code: BadRole, Meaning: "credential claimed but absent, or not valid for this sender", Told: ToldSender, AbsentWaits: true},
	{Code: RoleRevoked, Meaning: "the role was revoked, as judged now", Told: ToldSender},
	{Code: RoleExpired, Meaning: "the role has ended, as judged now", Told: ToldSender},
	{Code: RoleNotAdmitted, Meaning: "no local channel admits the role or the DID", Told: ToldSender},
	{Code: Replayed, Meaning: "already in the ledger", Told: ToldOperator, Then: Ignored},
	{Code: Duplicate, Meaning: "frame with known id and content", Told: ToldOperator, Then: Ignored},
	{Code: BadReceipt, Meaning: "receipt not by a member, or not newer", Told: ToldOperator, Then: Ignored},
	{Code: BadTime, Meaning: "time or window ahead of now, backwards, or outside the session", Told: ToldSender, Condition: "what is merely ahead waits"},
	{Code: Forked, Meaning: "two signed entries for one number, or heads that differ", Told: ToldOperator | ToldSender, Condition: "the first stands, both are kept as proof"},
	{Code: ChainBroken, Meaning: "next number with another predecessor", Told: ToldSender, Condition: "the session is refused from there"},
	{Code: BadSeal, Meaning: "signed, but does not open", Told: ToldSender},
	{Code: BadFrames, Meaning: "signed, but frames or padding are bad", Told: ToldSender},
	{Code: BadContent, Meaning: "signed, but the root is not that of the frames", Told: ToldSender},
	{Code: IDConflict, Meaning: "frame with known id and other content", Told: ToldSender | ToldClient},
	{Code: BadSchema, Meaning: "frame fails the schema of its topic", Told: ToldSender | ToldClient},
	{Code: NoRecipient, Meaning: "nobody admitted with a usable package", Told: ToldClient, Then: Waits},
	{Code: OutboxFull, Meaning: "local quota of the outbox is used up", Told: ToldClient, Condition: "the client retries"},
	{Code: JSONInvalid, Meaning: "body is not UTF-8 or not JSON", Told: ToldClient},
	{Code: JSONDepth, Meaning: "JSON nested too deeply", Told: ToldClient},
	{Code: JSONDuplicateKey, Meaning: "a JSON object names a member twice", Told: ToldClient},
	{Code: BodyEmpty, Meaning: "empty body", Told: ToldClient},
	{Code: BodyTooLarge, Meaning: "body above the limit", Told: ToldClient},
	{Code: ContentHash, Meaning: "body or part is absent from the blob store, or its bytes are not those of the signed hash", Told: ToldOperator | ToldSender, Then: Asks, Condition: "as missing, why 4"},
	{Code: BadObject, Meaning: "description of an object breaks a rule, or is not that of the content", Told: ToldSender},
	{Code: BadPart, Meaning: "part does not open in its place: of another object, number or attempt", Told: ToldSender},
	{Code: Truncated, Meaning: "part has another length than its place demands, or lacks its end", Told: ToldSender},
}

var entries = func() map[Code]*ErrorInfo {
	m := make(map[Code]*ErrorInfo, len(Errors))
	for i := range Errors {
		m[Errors[i].Code] = &Errors[i]
	}
	return m
}()

// Info returns the line of the list, nil for a code that is not on it.
func (c Code) Info() *ErrorInfo { return entries[c] }

// TellsSender reports whether the code may stand in a receipt.
func (c Code) TellsSender() bool {
	e := entries[c]
	return e != nil && e.Told&ToldSender != 0
}
