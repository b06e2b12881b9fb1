package broker

import "github.com/digital-spine/spine/internal/problem"

// Errors with stable codes; compare with errors.Is.
var (
	ErrNotFound  = problem.New(404, "not_found", "there is no such thing here")
	ErrFull      = problem.New(503, "broker_full", "the broker takes no more mailboxes")
	ErrQuota     = problem.New(429, "quota", "this participant's share of the directory is used up").WithHint("it comes back as certificates and packages expire")
	ErrThrottled = problem.New(429, "throttled", "too many requests of this participant").WithHint("try again in a minute")
	ErrChallenge = problem.New(401, "challenge", "the challenge is not ours, was used, or is older than 60 s").WithHint("ask for a new one")
	ErrLogin     = problem.New(401, "login", "the login is not for this server or not of now")
	ErrToken     = problem.New(401, "token", "the token is missing, expired or not ours").WithHint("log in again")
	ErrNonce     = problem.New(401, "nonce", "the connection did not prove that it has the key of the token")
	ErrBanned    = problem.New(403, "banned", "the operator refuses this participant for now")
	ErrAdmin     = problem.New(401, "admin_key", "the operator's key is missing or wrong")
	ErrKind      = problem.New(400, "kind", "unknown kind of object").WithHint("cert, package, topic or schema")
	ErrDigest    = problem.New(422, "digest", "the object's digest is not the one in the path")
	ErrOwner     = problem.New(403, "not_yours", "an object is stored by the participant it belongs to")
)
