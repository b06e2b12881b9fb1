package gateway

// Overview is what this gateway did lately, for its home page: rates and
// latencies in steps, who exchanges what with whom, and what needs attention.
type Overview struct {
	Now       int64       `json:"now" doc:"ms since 1970"`
	Name      string      `json:"name,omitempty" doc:"this gateway's own name, if it has one in its contacts"`
	DID       string      `json:"did" doc:"the participant's DID"`
	Ready     bool        `json:"ready" doc:"whether messages can be sent and received now"`
	Reason    string      `json:"reason,omitempty" doc:"code that says why not"`
	From      int64       `json:"from" doc:"start of the first step, ms since 1970"`
	Step      int64       `json:"step" doc:"length of a step, ms"`
	Series    Series      `json:"series" doc:"messages in each step, the oldest first; the last step is not over yet"`
	Latency   Latencies   `json:"latency" doc:"from the sender's application to custody here (in), or to the recipient's receipt (out)"`
	Edges     []Edge      `json:"edges" doc:"who exchanges what with whom, the busiest first, at most 1000"`
	Partners  []Partner   `json:"partners" doc:"partners heard from or written to, the latest first, at most 1000"`
	Attention []Attention `json:"attention" doc:"what a person should look at, the gravest first"`
	Totals    Totals      `json:"totals"`
	Transfers []Transfer  `json:"transfers" doc:"files on their way, the latest first, at most 100"`
}

// Series are counts of messages, one for each step.
type Series struct {
	In      []int64 `json:"in" doc:"taken into custody"`
	Out     []int64 `json:"out" doc:"accepted from applications"`
	Refused []int64 `json:"refused" doc:"refused here, or by a recipient"`
}

// Latencies are quantiles for each direction.
type Latencies struct {
	In  Quantiles `json:"in"`
	Out Quantiles `json:"out"`
}

// Quantiles of each step, in ms; null where nothing was measured.
type Quantiles struct {
	P50 []*int64 `json:"p50"`
	P99 []*int64 `json:"p99"`
}

// Edge is a flow of messages between this gateway and one partner on one
// channel, in the time that was asked for.
type Edge struct {
	From      string  `json:"from" doc:"DID"`
	To        string  `json:"to" doc:"DID"`
	Channel   string  `json:"channel,omitempty"`
	Topic     string  `json:"topic,omitempty"`
	Direction string  `json:"direction" enum:"in,out"`
	Count     int64   `json:"count" doc:"messages"`
	Refused   int64   `json:"refused,omitempty" doc:"messages that were refused"`
	PerMinute float64 `json:"perMinute" doc:"messages a minute"`
	Last      int64   `json:"last" doc:"the latest, ms since 1970"`
}

// Partner is a DID that this gateway exchanged messages with.
type Partner struct {
	DID  string `json:"did"`
	Name string `json:"name,omitempty" doc:"from the contacts"`
	Last int64  `json:"last" doc:"the latest message, ms since 1970"`
}

// Attention is one thing that a person should look at.
type Attention struct {
	Code     string `json:"code" doc:"stable name; GET codes explains it"`
	Kind     string `json:"kind" doc:"kind of the events, or expiring" enum:"refused,detected,repaired,sent,state,expiring"`
	Severity string `json:"severity" enum:"info,warning,error"`
	Title    string `json:"title" doc:"in a few plain words"`
	What     string `json:"what" doc:"what it means"`
	Do       string `json:"do,omitempty" doc:"what to do about it"`
	Count    int64  `json:"count" doc:"how often within 24 h"`
	Last     int64  `json:"last" doc:"the latest; of what expires its end, ms since 1970"`
}

// KindExpiring is the Attention of something that ends soon.
const KindExpiring = "expiring"

// Totals are counts since this gateway was started.
type Totals struct {
	Since       int64 `json:"since" doc:"ms since 1970"`
	In          int64 `json:"in" doc:"messages taken into custody"`
	Out         int64 `json:"out" doc:"messages accepted from applications"`
	Delivered   int64 `json:"delivered" doc:"sent messages that reached every recipient"`
	Refused     int64 `json:"refused" doc:"messages refused here, or by a recipient"`
	Unconfirmed int64 `json:"unconfirmed" doc:"sent messages that became unconfirmed"`
	Undelivered int64 `json:"undelivered" doc:"sent messages that became undelivered"`
}

// Severities of codes and of Attention.
const (
	SeverityInfo    = "info"    // for the record
	SeverityWarning = "warning" // look when there is time
	SeverityError   = "error"   // something does not work, or somebody attacks
)

// CodeInfo explains a stable code in plain words.
type CodeInfo struct {
	Code     string `json:"code"`
	Kind     string `json:"kind" doc:"protocol: an error of the message protocol; event: something noticed; api: an answer of this API" enum:"protocol,event,api"`
	Title    string `json:"title" doc:"in a few words"`
	Meaning  string `json:"meaning" doc:"what happened, in a sentence or two"`
	Do       string `json:"do,omitempty" doc:"what to do about it; absent: nothing"`
	Severity string `json:"severity" enum:"info,warning,error"`
}

// Kinds of codes.
const (
	CodeOfProtocol = "protocol"
	CodeOfEvent    = "event"
	CodeOfAPI      = "api"
)
