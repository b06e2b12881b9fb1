package intake

import (
	"context"
	"slices"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
)

// channelOf returns the local channel that a session's messages are of, nil
// when none admits them.
func (x *Intake) channelOf(info *inbox.SessionInfo) *gateway.Channel {
	for _, c := range x.d.Channels.ForTopic(info.Topic) {
		if inbox.Admits(&c, info) {
			return &c
		}
	}
	return nil
}

// activity tells live views of an entry that was stored, once the round is
// committed.
func (x *Intake) activity(it *item, row *inbox.Row) {
	if x.d.Activity == nil {
		return
	}
	info := it.s.info
	e := gateway.Entry{Direction: gateway.In, Topic: info.Topic, From: info.From, Here: x.now(), At: row.T}
	if ch := x.channelOf(info); ch != nil {
		e.Channel = ch.Name
	}
	faults, _ := inbox.DecodeFaults(row.Verdict)
	list := make([]gateway.Entry, 0, 1)
	switch {
	case len(faults) == 1 && faults[0].Frame < 0: // what it says does not count
		e.ID, e.State, e.Code = inbox.EntryID(row.D), gateway.StateRefused, faults[0].Code
		list = append(list, e)
	case it.opened == nil: // told of when its body is here
		return
	default:
		for i := range it.opened.Frames {
			list = append(list, inbox.Describe(e, row, i, &it.opened.Frames[i], faults, len(it.awaits) > 0))
		}
	}
	if a := it.s.led.awaited(it.head.Seq); a != nil && len(list) <= maxLines {
		a.lines = list
	}
	x.tellLive(list)
}

// maxLines is how many messages of an entry are kept in memory to be told of
// again when their objects are here.
const maxLines = 16

// arrivedLive tells live views of an entry whose objects are here now.
func (x *Intake) arrivedLive(a *Await) {
	if x.d.Activity == nil {
		return
	}
	list := slices.Clone(a.lines)
	for i := range list {
		e := &list[i]
		e.State, e.Code, e.Here = inbox.StateVerified, "", x.now()
		for _, f := range a.Bad {
			if f.Frame == i || f.Frame < 0 {
				e.State, e.Code = gateway.StateRefused, f.Code
			}
		}
		if e.File == nil {
			continue
		}
		file := *e.File
		for _, o := range a.Objects {
			if o.Frame == i {
				file.ID = o.File
			}
		}
		e.File = &file
	}
	x.tellLive(list)
}

// tellLive tells live views once the round is committed.
func (x *Intake) tellLive(list []gateway.Entry) {
	x.told = append(x.told, func(context.Context) {
		for i := range list {
			x.d.Activity.Message(list[i])
			if list[i].State == inbox.StateVerified {
				x.d.Activity.Latency(gateway.In, list[i].Here-list[i].At)
			}
		}
	})
}
