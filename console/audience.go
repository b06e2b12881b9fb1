package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/digital-spine/spine/console/pages"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// maxListed is how many members of a channel are offered one by one.
const maxListed = 200

// everybody is the choice that every form begins with.
func everybody(channel string) pages.Audience {
	return pages.Audience{Channel: channel, Everybody: true}
}

// only is the choice of some DIDs; everybody when there is none.
func only(channel string, to []string) pages.Audience {
	return pages.Audience{Channel: channel, To: to, Everybody: len(to) == 0}
}

// chosen reads whom a form chose. Everybody is meant only while the box for it
// and every other one are ticked: who takes one away means the rest, also
// without scripts.
func chosen(in url.Values) pages.Audience {
	a := pages.Audience{Channel: in.Get("offered-on"), To: in["to"]}
	offered, err := strconv.Atoi(in.Get("offered"))
	if a.Everybody = in.Get("all") != "" && err == nil && len(a.To) == offered; a.Everybody {
		a.To = nil
	}
	return a
}

// errNobody says that a form left nobody to send to; errNotOffered that its
// list was that of another channel.
var (
	errNobody     = problem.New(http.StatusUnprocessableEntity, "no_recipient", "nobody is chosen to send to").WithHint("tick everybody, or at least one recipient")
	errNotOffered = problem.New(http.StatusUnprocessableEntity, "no_recipient", "the recipients that were chosen are those of another channel").WithHint("choose from the list of this channel, and send again")
)

// offer puts into a choice whom there is to choose from.
func (v *visit) offer(a *pages.Audience) {
	list, total, err := v.api.Members(v.r.Context(), a.Channel, maxListed)
	v.offerFrom(a, list, total, err)
}

// offerFrom does it with the members of the channel, which are known already.
func (v *visit) offerFrom(a *pages.Audience, list []gateway.Member, total int, err error) {
	a.People, a.Err, a.More, a.Members = v.people, err, max(total-len(list), 0), nil
	for _, m := range list {
		if m.Send != nil && m.Send.Admitted && !m.Self {
			a.Members = append(a.Members, m)
		}
	}
	// Who was asked for and is not admitted stays in the list: the gateway says
	// why it will not send there.
	for _, did := range a.To {
		if !slices.ContainsFunc(a.Members, func(m gateway.Member) bool { return m.DID == did }) {
			a.Members = append(a.Members, gateway.Member{DID: did, Code: "recipient_not_admitted"})
			a.Err = nil
		}
	}
}
