package ethr

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// forever is the end of what is valid without end: the last second that JSON
// and Go both print.
var forever = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// fold makes the state that the events, oldest first, amount to at a moment.
// Later events of the same delegate or attribute replace earlier ones; places
// are counted over all events, so that an id in the document never moves to
// another key.
func fold(id ID, events []event, head Head, now time.Time) *State {
	s := &State{ID: id, Controller: id.Address, Head: head}
	type delegateKey struct {
		kind    string
		address common.Address
	}
	type attributeKey struct{ name, value string }
	delegates := map[delegateKey]Delegate{}
	attributes := map[attributeKey]Attribute{}
	keys, services := 0, 0
	for i := range events {
		e := &events[i]
		switch e.kind {
		case topicOwner:
			s.Controller = e.owner
		case topicDelegate:
			keys++
			k := delegateKey{e.name, e.delegate}
			delete(delegates, k)
			if until := moment(e.validTo); until.After(now) {
				delegates[k] = Delegate{Type: e.name, Address: e.delegate, ValidTo: until, index: keys}
			}
		case topicAttribute:
			index := 0
			switch {
			case strings.HasPrefix(e.name, prefixKey):
				keys++
				index = keys
			case strings.HasPrefix(e.name, prefixService):
				services++
				index = services
			}
			k := attributeKey{e.name, string(e.value)}
			delete(attributes, k)
			if until := moment(e.validTo); until.After(now) {
				attributes[k] = Attribute{Name: e.name, Value: e.value, ValidTo: until, index: index}
			}
		}
	}
	for _, d := range delegates {
		s.Delegates = append(s.Delegates, d)
	}
	for _, a := range attributes {
		s.Attributes = append(s.Attributes, a)
	}
	slices.SortFunc(s.Delegates, func(a, b Delegate) int { return a.index - b.index })
	slices.SortFunc(s.Attributes, func(a, b Attribute) int {
		if a.index != b.index {
			return a.index - b.index
		}
		return strings.Compare(a.Name+"\x00"+string(a.Value), b.Name+"\x00"+string(b.Value))
	})
	return s
}

// moment turns a validTo of the registry (seconds) into a time.
func moment(seconds *big.Int) time.Time {
	if !seconds.IsInt64() || seconds.Int64() > math.MaxInt32*100 {
		return forever
	}
	if t := time.Unix(seconds.Int64(), 0).UTC(); t.Before(forever) {
		return t
	}
	return forever
}

// expiry is when the first delegate or attribute runs out; zero means never.
func (s *State) expiry() time.Time {
	var first time.Time
	note := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	for i := range s.Delegates {
		note(s.Delegates[i].ValidTo)
	}
	for i := range s.Attributes {
		note(s.Attributes[i].ValidTo)
	}
	return first
}

// size is about the bytes that a kept state takes.
func (s *State) size() int {
	n := 256 + 80*len(s.Delegates)
	for i := range s.Attributes {
		n += 96 + len(s.Attributes[i].Name) + len(s.Attributes[i].Value)
	}
	return n
}
