package hub

import "github.com/digital-spine/spine/internal/problem"

// What the hub refuses, by code.
var (
	ErrNameUnknown       = problem.New(404, "name_unknown", "the chain has no such name")
	ErrRoleUnknown       = problem.New(404, "role_unknown", "the chain has no such role").WithHint("create the role's definition on the chain first")
	ErrDID               = problem.New(422, "did_invalid", "not a DID of this network in normal form").WithHint("did:ethr:<network>:<EIP-55 address>")
	ErrCredentialUnknown = problem.New(404, "credential_unknown", "the hub holds no such credential")
	ErrListUnknown       = problem.New(404, "status_unknown", "the hub holds no such status list")
	ErrEnrolmentUnknown  = problem.New(404, "enrolment_unknown", "there is no such enrolment")
	ErrEnrolmentClosed   = problem.New(409, "enrolment_closed", "the enrolment was decided before")
	ErrNotSubject        = problem.New(403, "not_subject", "a role is requested by its subject").WithHint("log in as the subject")
	ErrNotIssuer         = problem.New(403, "not_issuer", "only an issuer may do this")
	ErrUnauthorized      = problem.New(401, "unauthorized", "a valid bearer token is missing").WithHint("POST /api/v1/challenge, then /api/v1/login")
	ErrNonce             = problem.New(401, "nonce", "the login's nonce is not one of this server, too old, or used").WithHint("ask for a new challenge")
	ErrLogin             = problem.New(401, "login", "the login does not hold")
	ErrQuota             = problem.New(429, "quota", "more than one party may store here")
	ErrListChanged       = problem.New(409, "status_changed", "the status list changed meanwhile").WithHint("try again")
	ErrThrottled         = problem.New(429, "throttled", "too many requests").WithHint("wait a moment")
	ErrPrerequisite      = problem.New(422, "prerequisite", "a role that this one requires is not held").WithHint("see prerequisites of the role's definition")
	ErrRevision          = problem.New(409, "revision", "the revision is not above the stored one").WithHint("fetch the stored list, merge it, and sign with a higher revision")
	ErrUndone            = problem.New(409, "revocation_undone", "the list clears a bit that the stored list has set").WithHint("fetch the stored list and merge it: revocation is for ever")
	ErrChainAway         = problem.New(503, "chain_unavailable", "the hub's chain endpoint does not answer").WithHint("try again")
	ErrTooMany           = problem.New(422, "reason_too_long", "the reason is too long")
)
