package bus

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Partitions is the default number of partitions, each a stream of its own: a
// stream takes one synced write at a time, and lists its mailboxes one by one,
// which is cheap below some 500 of them.
const Partitions = 64

// AddressLen is the number of characters of a mailbox or sender address:
// lower-case unpadded base32.
const AddressLen = 26

// Subject returns the subject of a message: m.<pp>.<mailbox>.<sender>.
func Subject(pp int, mailbox, sender string) string {
	b := make([]byte, 0, 2*AddressLen+6)
	b = append(b, 'm', '.', byte('0'+pp/10%10), byte('0'+pp%10), '.')
	b = append(b, mailbox...)
	b = append(b, '.')
	return string(append(b, sender...))
}

// ParseSubject takes a subject apart. Anything but two digits and two addresses
// in normal form is CodeBadSubject.
func ParseSubject(s string) (pp int, mailbox, sender string, err error) {
	const n = len("m.00.") + AddressLen + 1 + AddressLen
	if len(s) != n || s[0] != 'm' || s[1] != '.' || s[4] != '.' || s[5+AddressLen] != '.' ||
		s[2] < '0' || s[2] > '9' || s[3] < '0' || s[3] > '9' {
		return 0, "", "", fail(CodeBadSubject, "not m.<pp>.<mailbox>.<sender>")
	}
	mailbox, sender = s[5:5+AddressLen], s[6+AddressLen:]
	if !IsAddress(mailbox) || !IsAddress(sender) {
		return 0, "", "", fail(CodeBadSubject, "a token is not an address")
	}
	return int(s[2]-'0')*10 + int(s[3]-'0'), mailbox, sender, nil
}

// IsAddress reports whether s has the form of an address.
func IsAddress(s string) bool {
	if len(s) != AddressLen {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// MailboxSubject returns the subject with which a stream lists a mailbox, and
// which is the filter of its consumer: m.<pp>.<mailbox>.*.
func MailboxSubject(pp int, mailbox string) string { return Subject(pp, mailbox, "*") }

// Stream returns the name of a partition's stream: MB_<pp>.
func Stream(pp int) string { return fmt.Sprintf("MB_%02d", pp) }

// Consumer returns the name of a mailbox's consumer: i-<mailbox>.
func Consumer(mailbox string) string { return "i-" + mailbox }

// DefaultPartition is where the control plane puts a mailbox unless it has a
// reason: FNV-1a 32 modulo n. The assignment that counts is the stored one.
func DefaultPartition(mailbox string, n int) int {
	h := fnv.New32a()
	h.Write([]byte(mailbox))
	return int(h.Sum32() % uint32(n))
}

// Permissions are the subjects a gateway may use, and nothing else.
type Permissions struct {
	Publish   []string
	Subscribe []string
}

// GatewayPermissions returns what an instance of address addr may do with its
// mailbox's stream and its inbox prefix: publish under its own sender address,
// pull its own consumer, acknowledge its own messages, read its own inbox.
func GatewayPermissions(addr, stream, inbox string) Permissions {
	return Permissions{
		Publish: []string{
			"m.*.*." + addr,
			"$JS.API.CONSUMER.MSG.NEXT." + stream + "." + Consumer(addr),
			"$JS.ACK." + stream + "." + Consumer(addr) + ".>",
		},
		Subscribe: []string{inbox + ".>"},
	}
}

// ackReply is what JetStream writes into the reply of a delivered message.
type ackReply struct {
	delivered, stream, consumer uint64
	created                     int64 // ns
	pending                     uint64
}

// parseAck reads $JS.ACK.<stream>.<consumer>.<delivered>.<seq>.<cseq>.<ns>.<pending>
// after its known prefix; only such a reply makes a message a delivery.
func parseAck(prefix, reply string) (a ackReply, ok bool) {
	rest, ok := strings.CutPrefix(reply, prefix)
	if !ok {
		return a, false
	}
	var n [5]uint64
	for i := range n {
		token := rest
		if i < len(n)-1 {
			if token, rest, ok = strings.Cut(rest, "."); !ok {
				return a, false
			}
		}
		v, err := strconv.ParseUint(token, 10, 64)
		if err != nil {
			return a, false
		}
		n[i] = v
	}
	return ackReply{delivered: n[0], stream: n[1], consumer: n[2], created: int64(n[3]), pending: n[4]}, true
}
