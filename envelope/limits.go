package envelope

import "time"

// Limits of section 12 of docs/protocol.md. Sizes are bytes, times are
// milliseconds, as on the wire. What is above a limit is too_large, before
// anything is allocated for it.
const (
	// WireDefault, WireMin and WireMax bound a whole wire message; the network
	// file says which value holds.
	WireDefault = 262_144
	WireMin     = 65_536
	WireMax     = 1_000_000
	// WireOverhead is kept free beside the padded plaintext P of an envelope.
	WireOverhead = 4_096

	MaxFrames     = 1_000
	MaxAttrs      = 16
	MaxAttrBytes  = 4 << 10
	MaxFrameType  = 128
	MaxFrameText  = 200
	MinPlain      = 256
	MaxEnvelopes  = 1 << 20
	MaxInstances  = 8
	MaxRecipients = 10_000
	MaxCreds      = 8

	MaxCertificate = 2 << 10
	MaxTopic       = 2 << 10
	MaxPackage     = 4 << 10
	MaxSuites      = 8
	MaxCore        = 2 << 10
	MaxBox         = 3 << 10
	MaxLogin       = 2 << 10
	MaxStatus      = 2 << 10
	MaxDID         = 256
	MaxTopicName   = 255
	MaxVersionText = 32
	MaxKindText    = 32
	MaxURL         = 1 << 10
	MaxListID      = 512

	MaxSchema      = 1 << 20
	MaxSchemaFiles = 64
	MaxFileName    = 255

	MaxLanes  = 256
	MaxRanges = 1_024

	// NoticeSize and NoticeRecipients are when the body of an envelope goes to
	// the blob store: ciphertext longer than NoticeSize, for at least so many
	// recipients.
	NoticeSize       = 4 << 10
	NoticeRecipients = 8
	// MaxNotice and MaxMark bound these wire messages.
	MaxNotice = 512
	MaxMark   = 512

	// FileMax is the longest file by default; a network may say another.
	FileMax = 10_000_000_000
	// MinPartSize and MaxPartSize bound the parts of an object, a power of two
	// in plain bytes. MaxParts is what a description has room for in the
	// smallest network, where a frame's body has at most MaxDescription bytes.
	MinPartSize    = 8 << 20
	MaxPartSize    = 1 << 30
	MaxParts       = 900
	MaxObject      = MaxParts * MaxPartSize
	MaxDescription = WireMin / 2
	MaxObjectName  = 255

	// maxInt bounds every integer on the wire: what JSON and JavaScript carry
	// without loss.
	maxInt = 1<<53 - 1
	// maxNesting bounds arrays and maps inside one another.
	maxNesting = 6
)

// Times of sections 6 to 12, in milliseconds.
const (
	second = int64(time.Second / time.Millisecond)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour

	// Skew is how far two honest clocks may be apart.
	Skew = 120 * second
	// CertificateLife is the longest window of an instance certificate.
	CertificateLife = 15 * day
	// CertificateRenewal is how long before its end one is renewed.
	CertificateRenewal = 5 * day
	// PackageLife is how often a key package is renewed.
	PackageLife = day
	// TopicLife is the longest window of a topic record.
	TopicLife = 400 * day
	// TopicNotice is how far ahead the window of a revision begins.
	TopicNotice = 15 * minute
	// SessionLife is the longest window of a session, SessionDefault the usual.
	SessionLife    = day
	SessionDefault = hour
	// SessionGrace is how far the time of an envelope may pass its session.
	SessionGrace = minute
	// RetentionDefault is R: how long the broker keeps, and how long a session
	// is remembered after its end.
	RetentionDefault = 7 * day
	// SecretGrace is how long package keys and session secrets outlive their
	// use.
	SecretGrace = 2 * day
	// StatusTTL is the usual life of a status list's freshness.
	StatusTTL = minute
	// MarkAfter is how long an envelope is without some member's receipt before
	// a first mark goes out; then one follows every MarkEvery until MarkFor
	// after the last envelope.
	MarkAfter = minute
	MarkEvery = 15 * minute
	MarkFor   = day
	// MarkSilence is how long a recipient hears neither entry nor mark on a
	// lane group it watches before it says so.
	MarkSilence = 20 * minute
	// ChallengeLife is how long a login challenge can be answered.
	ChallengeLife = minute
)

// MaxPlain returns the bound of the padded plaintext of an envelope for a
// network whose wire messages have at most wire bytes.
func MaxPlain(wire int) int { return wire - WireOverhead }

// MaxBody returns the bound of one frame's body for a network whose wire
// messages have at most wire bytes.
func MaxBody(wire int) int { return wire / 2 }
