package fleet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// stateVersion is the first byte of a saved state.
const stateVersion = 1

// errState says that a saved state is none of this fleet's.
var errState = errors.New("the saved state is not one of this fleet")

// Save returns all that Step depends on beside the Config: the time, what is
// stored where, and the envelopes received: 18 bytes for each connection point
// and 32 for each envelope.
func (f *Fleet) Save() []byte {
	b := make([]byte, 0, 64+24*len(f.sites))
	b = append(b, stateVersion)
	b = binary.BigEndian.AppendUint64(b, f.cfg.Seed)
	b = binary.BigEndian.AppendUint64(b, uint64(f.cfg.Devices))
	b = binary.BigEndian.AppendUint64(b, uint64(f.now.UnixNano()))
	num := func(v float64) { b = binary.BigEndian.AppendUint64(b, math.Float64bits(v)) }
	for i := range f.sites {
		s := &f.sites[i]
		flags := byte(0)
		if s.away {
			flags |= 1
		}
		if s.bound {
			flags |= 2
		}
		b = append(b, flags, byte(len(s.plan)))
		num(s.store.energy)
		num(s.car.energy)
		for _, l := range s.plan {
			b = binary.BigEndian.AppendUint64(b, uint64(l.From.UnixNano()))
			b = binary.BigEndian.AppendUint64(b, uint64(l.Until.UnixNano()))
			num(l.Min)
			num(l.Max)
		}
	}
	return b
}

// Load returns to a state that Save gave of a fleet of the same seed. Of a fleet
// of another size it takes the connection points that both have; the others
// are as they began. After an error the fleet is as it was.
func (f *Fleet) Load(state []byte) error {
	r := bytes.NewReader(state)
	whole := true
	u := func() uint64 {
		var w [8]byte
		n, _ := r.Read(w[:])
		whole = whole && n == len(w)
		return binary.BigEndian.Uint64(w[:])
	}
	num := func() float64 { return math.Float64frombits(u()) }
	when := func() time.Time { return time.Unix(0, int64(u())).UTC() }
	if v, err := r.ReadByte(); err != nil || v != stateVersion || u() != f.cfg.Seed {
		return errState
	}
	devices, now := u(), when()
	if devices == 0 || devices > uint64(len(state)) {
		return errState
	}
	sites := make([]site, len(f.sites))
	copy(sites, f.sites)
	for i := range Sites(int(devices)) {
		var spare site // of a connection point that is no more
		s := &spare
		if i < len(sites) {
			s = &sites[i]
		}
		flags, err := r.ReadByte()
		n, err2 := r.ReadByte()
		if err != nil || err2 != nil || n > maxPlan || flags > 3 {
			return errState
		}
		s.away, s.bound, s.plan, s.sum = flags&1 != 0, flags&2 != 0, nil, sums{}
		store, car := num(), num()
		for range n {
			s.plan = append(s.plan, Limit{From: when(), Until: when(), Min: num(), Max: num()})
		}
		if !(store >= 0 && car >= 0 && (s == &spare || store <= s.store.size && car <= s.car.size)) {
			if uint64(f.cfg.Devices) == devices {
				return errState
			}
			continue // it had a battery or a charger that it has no more
		}
		s.store.energy, s.car.energy = store, car
	}
	if r.Len() != 0 || !whole {
		return errState
	}
	f.sites, f.now, f.last = sites, now, 0
	return nil
}
