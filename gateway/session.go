package gateway

// Link opens the console: whoever follows it first is signed in.
type Link struct {
	URL     string `json:"url" doc:"to open in a browser, once"`
	Token   string `json:"token" doc:"the one-time token in it"`
	Expires int64  `json:"expires" doc:"end of the link, ms since 1970"`
}

// Session is a signed-in browser.
type Session struct {
	Name    string   `json:"name,omitempty" doc:"whom the link was made for"`
	Scopes  []string `json:"scopes" doc:"what it may be used for" enum:"send,receive,admin"`
	CSRF    string   `json:"csrf" doc:"to send as X-CSRF-Token with every method but GET and HEAD"`
	Expires int64    `json:"expires" doc:"it ends then at the latest, ms since 1970"`
	Idle    int64    `json:"idle" doc:"it ends after so long without a call, ms"`
}

// SessionCookie is how the name of a session's cookie begins; an underscore and
// eight hexadecimal digits of this gateway follow, because browsers share
// cookies between all ports of a host, and over TLS __Host- stands before it.
// So do not look for it: pass on the cookies that a browser sends.
const SessionCookie = "spine_session"

// HeaderCSRF is the header that carries Session.CSRF.
const HeaderCSRF = "X-CSRF-Token"

// Lagged is the last thing that a reader of the live stream hears when it
// reads too slowly; it opens the stream again and asks for what it missed.
type Lagged struct {
	Dropped int64 `json:"dropped" doc:"what was not sent, at least"`
}
