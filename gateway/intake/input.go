package intake

import (
	"github.com/digital-spine/spine/gateway/fetch"
	"github.com/digital-spine/spine/gateway/trust"
)

// input is what one round takes up.
type input struct {
	batch   []Delivery
	judged  []verdict
	bodies  []fetch.Result
	news    []news
	changed []trust.Change
}

// moreBodies takes up what else was fetched by now.
func (x *Intake) moreBodies(first fetch.Result) []fetch.Result {
	list := []fetch.Result{first}
	delete(x.fetching, first.ID)
	for len(list) < maxBodies {
		select {
		case r := <-x.fetched:
			list = append(list, r)
			delete(x.fetching, r.ID)
		default:
			return list
		}
	}
	return list
}

// moreChanges takes up what changed by now: it counts for the messages of the
// same round.
func (x *Intake) moreChanges(in *input) {
	for {
		select {
		case c := <-x.changes:
			in.changed = append(in.changed, c)
		default:
			if x.changed.Swap(false) {
				in.changed = append(in.changed, trust.Change{})
			}
			return
		}
	}
}

// moreNews takes up what Objects said by now.
func (x *Intake) moreNews() []news {
	list := x.news.take()
	for i := range list {
		if list[i].taken {
			x.taking--
			x.freed = true
		}
	}
	return list
}
