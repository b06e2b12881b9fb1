package inbox

import (
	"slices"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// StateVerified is the state of a received message that passed every check and
// is handed over, in the log of messages. Others wait or are refused.
const StateVerified gateway.State = "verified"

// EntryID is the id under which the log has an envelope that was refused, or
// waits, before the ids of its messages could be read.
func EntryID(d [32]byte) string { return gateway.FormatID([16]byte(d[:16])) }

// Describe completes the log's line about one frame of a row. waits says that
// objects of the row are on their way.
func Describe(e gateway.Entry, row *Row, frame int, f *envelope.Frame, faults []Fault, waits bool) gateway.Entry {
	e.ID, e.Type, e.At, e.Size, e.State = gateway.FormatID(f.ID), f.Type, f.At, int64(len(f.Body)), StateVerified
	e.Re = optionalID(f.Re)
	if f.Kind == envelope.KindObject {
		if o, err := envelope.ParseObject(f.Body); err == nil {
			e.Size = o.Size
			if !IsBody(o) {
				e.File = fileFrom(o, fileOf(row.Files, frame))
			}
		}
	}
	if waits {
		e.State, e.Code = gateway.StateWaiting, gateway.CodeDownloading
	}
	if i := slices.IndexFunc(faults, func(x Fault) bool { return x.Frame == frame || x.Frame < 0 }); i >= 0 {
		e.State, e.Code = gateway.StateRefused, faults[i].Code
	}
	return e
}
