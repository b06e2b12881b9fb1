package gateway

// Event is something this gateway refused, detected or repaired, for its
// operator. It never holds content. Kind is a word for filters; Code is the
// error or event name of the protocol, section 18.
type Event struct {
	N        int64    `json:"n" doc:"number, rising; pass the last one as after"`
	At       int64    `json:"at" doc:"when, ms since 1970"`
	Kind     string   `json:"kind" doc:"refused, detected, repaired, sent, state" enum:"refused,detected,repaired,sent,state"`
	Code     string   `json:"code" doc:"stable name, as in the protocol's list" example:"signature"`
	DID      string   `json:"did,omitempty" doc:"the claimed sender, or the partner concerned"`
	Session  string   `json:"session,omitempty" doc:"session id, hexadecimal"`
	Seq      *int64   `json:"seq,omitempty" doc:"number within the session"`
	Digest   string   `json:"digest,omitempty" doc:"digest of the object concerned, hexadecimal"`
	Channel  string   `json:"channel,omitempty" doc:"local channel, where known"`
	Topic    string   `json:"topic,omitempty" doc:"topic, where known"`
	Messages []string `json:"messages,omitempty" doc:"ids of the messages concerned, once opened"`
	Detail   string   `json:"detail,omitempty" doc:"a sentence, without content"`
}

// Kinds of events.
const (
	KindRefused  = "refused"  // something of a peer was not accepted
	KindDetected = "detected" // loss, reordering, replay or damage on the way
	KindRepaired = "repaired" // a hole was filled, a damaged thing came again
	KindSent     = "sent"     // about messages of this gateway's own
	KindState    = "state"    // about this gateway itself
)

// Seq returns a pointer to n, for Event.Seq.
func Seq(n uint64) *int64 {
	v := int64(n)
	return &v
}
