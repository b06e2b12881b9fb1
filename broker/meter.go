package broker

import "sync"

// meterSlots is how finely the retention is divided.
const meterSlots = 64

// meter counts what each sender published within the retention. NATS has no
// limit of bytes per user, and the cap of a subject counts messages.
type meter struct {
	slot  int64 // ms
	limit int64 // bytes within all slots
	mu    sync.Mutex
	conns map[string]Traffic // last counts, per connection
	addrs map[string]*usage
}

type usage struct {
	slots [meterSlots]int64
	last  int64 // slot number of the newest
	total int64
}

// advance forgets the slots that have passed.
func (u *usage) advance(slot int64) {
	for n := 0; u.last < slot && n < meterSlots; n++ {
		u.last++
		u.total -= u.slots[u.last%meterSlots]
		u.slots[u.last%meterSlots] = 0
	}
	u.last = max(u.last, slot)
}

func newMeter(retentionMS, limit int64) *meter {
	return &meter{slot: max(1, retentionMS/meterSlots), limit: limit, conns: make(map[string]Traffic), addrs: make(map[string]*usage)}
}

// add takes the counts of all open connections and returns the addresses that
// are connected and above the limit.
func (m *meter) add(now int64, all []Traffic) (over []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := make(map[string]Traffic, len(all))
	slot := now / m.slot
	flagged := make(map[string]bool)
	for _, t := range all {
		delta := t.Bytes - m.conns[t.Conn].Bytes
		seen[t.Conn] = t
		u := m.addrs[t.Addr]
		if u == nil {
			u = &usage{last: slot}
			m.addrs[t.Addr] = u
		}
		u.advance(slot)
		if delta > 0 {
			u.slots[slot%meterSlots] += delta
			u.total += delta
		}
		if u.total > m.limit && !flagged[t.Addr] {
			flagged[t.Addr] = true
			over = append(over, t.Addr)
		}
	}
	m.conns = seen
	return over
}

// over reports whether an address is above its limit.
func (m *meter) over(now int64, addr string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.addrs[addr]
	if u == nil {
		return false
	}
	u.advance(now / m.slot)
	if u.total == 0 {
		delete(m.addrs, addr)
	}
	return u.total > m.limit
}

// used returns the bytes of an address within the retention.
func (m *meter) used(now int64, addr string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.addrs[addr]
	if u == nil {
		return 0
	}
	u.advance(now / m.slot)
	return u.total
}
