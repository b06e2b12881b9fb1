package broker

// Login is the answer to a login.
type Login struct {
	Token   string // for the HTTP API
	Expires int64  // of both tokens, ms
	Network Network
	NATS    BusLogin
}

// BusLogin is what a gateway needs to use the message bus.
type BusLogin struct {
	URL      string
	Token    string // bound to the user key named in the login
	Stream   string
	Consumer string
	Inbox    string // prefix; the same for the same user key
	PP       int
	Addr     string
}
