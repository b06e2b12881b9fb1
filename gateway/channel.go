package gateway

import (
	"regexp"
	"slices"
	"strings"
)

// Limits of a channel.
const (
	MaxChannelName = 64  // bytes
	MaxConditions  = 256 // roles and DIDs of one admission, together
	MaxChannels    = 1000
)

// Who must be reachable before a message is sent.
const (
	RequireAll = "all" // every recipient; the message waits until then
	RequireAny = "any" // at least one; the others are left out and named in the message's state
)

// Channel is a local rule of this gateway: for one topic, whom it sends to and
// whom it receives from. Channels are never told to others.
type Channel struct {
	Name    string     `json:"name" doc:"local name, 1 to 64 of a-z, 0-9, dot, dash and underscore" example:"telemetry"`
	Topic   string     `json:"topic" doc:"the topic's full name" example:"telemetry.market.apps.edge.iam.ewc"`
	Version string     `json:"version,omitempty" doc:"major.minor.patch; empty means the newest in force when sending and any when receiving" example:"1.0.0"`
	Send    *Admission `json:"send,omitempty" doc:"who may be sent to; absent: this channel does not send"`
	Receive *Admission `json:"receive,omitempty" doc:"whose messages are accepted; absent: this channel does not receive"`
	Require string     `json:"require,omitempty" enum:"all,any" doc:"who must be reachable before a message goes out; default all"`
	Lazy    bool       `json:"lazy,omitempty" doc:"messages with a file are taken into custody, and handed over, once the file is described here; its content follows in the background"`
}

// Admission is a condition on a peer: it holds one of the roles, as proved by
// credentials that this gateway verified itself, or it is one of the DIDs.
type Admission struct {
	Roles []string `json:"roles,omitempty" doc:"full role names" example:"[\"aggregator.roles.market.apps.edge.iam.ewc\"]"`
	DIDs  []string `json:"dids,omitempty" doc:"DIDs in normal form"`
}

// Admits reports whether a holder of these verified roles, or this DID, passes.
// A nil Admission admits nobody.
func (a *Admission) Admits(did string, roles ...string) bool {
	if a == nil {
		return false
	}
	if slices.Contains(a.DIDs, did) {
		return true
	}
	for _, r := range roles {
		if slices.Contains(a.Roles, r) {
			return true
		}
	}
	return false
}

// AdmitsAny reports whether any of the roles alone passes, and which.
func (a *Admission) AdmitsAny(roles []string) (string, bool) {
	if a != nil {
		for _, r := range roles {
			if slices.Contains(a.Roles, r) {
				return r, true
			}
		}
	}
	return "", false
}

// RequiresAll reports whether a message waits until every recipient is
// reachable.
func (c *Channel) RequiresAll() bool { return c.Require != RequireAny }

var (
	channelName  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	topicName    = regexp.MustCompile(`^[a-z0-9-]{1,63}(\.[^.\s\x00-\x1f]+)+$`)
	topicVersion = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$`)
)

// ValidVersion reports whether v is major.minor.patch without leading zeros.
func ValidVersion(v string) bool { return len(v) <= 32 && topicVersion.MatchString(v) }

// ValidTopic reports whether name has the form <topic>.<namespace>.
func ValidTopic(name string) bool { return len(name) <= 255 && topicName.MatchString(name) }

// Validate checks the channel's form (code channel_invalid); it does not look
// at whether topic, roles and DIDs exist.
func (c *Channel) Validate() error {
	switch {
	case !channelName.MatchString(c.Name):
		return ChannelInvalid("name", "a channel's name is 1 to 64 of a-z, 0-9, dot, dash and underscore")
	case !ValidTopic(c.Topic):
		return ChannelInvalid("topic", "a topic's name is <topic>.<namespace>, at most 255 bytes")
	case c.Version != "" && !ValidVersion(c.Version):
		return ChannelInvalid("version", "a version is major.minor.patch")
	case c.Require != "" && c.Require != RequireAll && c.Require != RequireAny:
		return ChannelInvalid("require", "require is all or any")
	case c.Send == nil && c.Receive == nil:
		return ChannelInvalid("send", "a channel sends, receives or both: give one of them")
	}
	for member, a := range map[string]*Admission{"send": c.Send, "receive": c.Receive} {
		if a == nil {
			continue
		}
		if n := len(a.Roles) + len(a.DIDs); n == 0 || n > MaxConditions {
			return ChannelInvalid(member, "give 1 to 256 roles or DIDs")
		}
		for _, r := range a.Roles {
			if len(r) > 255 || !strings.Contains(r, ".roles.") || strings.HasPrefix(r, ".") {
				return ChannelInvalid(member+".roles", "a role's name is <role>.roles.<namespace>, at most 255 bytes")
			}
		}
		for _, d := range a.DIDs {
			if len(d) > 256 || !strings.HasPrefix(d, "did:") {
				return ChannelInvalid(member+".dids", "a DID starts with did:, at most 256 bytes")
			}
		}
	}
	return nil
}
