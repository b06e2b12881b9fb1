package envelope

import (
	"strings"
	"testing"
)

func (m *market) receiptBody(lanes ...Lane) ReceiptBody {
	return ReceiptBody{Cert: m.certB.Digest(), Package: m.pkgB.Digest(), At: t0 + 5000, Lanes: lanes}
}

func (m *market) lane() Lane {
	return Lane{
		Session: m.core.Session(), UpTo: 9, Head: Digest{1},
		Refused: []Refusal{{First: 2, Last: 3, Code: BadSchema, Frame: -1}, {First: 5, Last: 5, Code: BadSchema, Frame: 999}},
		Missing: []Missing{{First: 7, Last: 7, Why: WhyHole}, {First: 10, Last: 12, Why: WhySecret}},
	}
}

func TestReceipt(t *testing.T) {
	m := newMarket(t)
	sent := ok[*Receipt](t)(NewReceipt(m.ctx, m.keyB, m.receiptBody(m.lane(), RefuseSession(Digest{2}, RoleNotAdmitted))))
	c := ok[*Receipt](t)(ParseReceipt(sent.Bytes()))
	wantCode(t, c.CheckTime(t0, t0+5000), "")
	wantCode(t, c.CheckTime(t0+5000, t0+5000), BadReceipt)
	wantCode(t, c.CheckTime(0, c.At-Skew), "")
	wantCode(t, c.CheckTime(0, c.At-Skew-1), BadReceipt)
	wantCode(t, c.CheckCertificate(m.certB), "")
	wantCode(t, c.CheckCertificate(m.certA), BadCert)
	wantCode(t, c.Verify(m.certB.PublicKey()), "")
	wantCode(t, c.Verify(m.certA.PublicKey()), BadSignature)
	wantCode(t, c.Lanes[0].CheckHead(Digest{1}), "")
	wantCode(t, c.Lanes[0].CheckHead(Digest{2}), Forked)
	if len(c.Lanes) != 2 || c.Lanes[0].Refused[1] != m.lane().Refused[1] || c.Lanes[0].Missing[1] != m.lane().Missing[1] {
		t.Errorf("lanes %+v", c.Lanes)
	}
	if r := c.Lanes[1]; r.UpTo != -1 || r.Head != r.Session || r.Refused[0].Last != MaxEnvelopes-1 {
		t.Errorf("refused session %+v", r)
	}
	late := m.receiptBody(m.lane())
	late.At = t0 + 15*day + 1
	wantCode(t, ok[*Receipt](t)(NewReceipt(m.ctx, m.keyB, late)).CheckCertificate(m.certB), BadCert)
}

func TestReceiptRefused(t *testing.T) {
	m := newMarket(t)
	many := make([]Lane, MaxLanes+1)
	for i := range many {
		many[i] = Lane{UpTo: 0}
	}
	for name, c := range map[string]struct {
		edit func(*Lane)
		want Code
	}{
		"good":               {func(l *Lane) {}, ""},
		"head of nothing":    {func(l *Lane) { l.UpTo = -1 }, Malformed},
		"up to -2":           {func(l *Lane) { l.UpTo = -2 }, Malformed},
		"up to 2^20":         {func(l *Lane) { l.UpTo = MaxEnvelopes }, Malformed},
		"range backwards":    {func(l *Lane) { l.Missing[0].First = 8 }, Malformed},
		"range beyond":       {func(l *Lane) { l.Missing[1].Last = MaxEnvelopes }, Malformed},
		"why 0":              {func(l *Lane) { l.Missing[0].Why = 0 }, Malformed},
		"why 4":              {func(l *Lane) { l.Missing[0].Why = WhyBody }, ""},
		"why 5":              {func(l *Lane) { l.Missing[0].Why = 5 }, Malformed},
		"unknown code":       {func(l *Lane) { l.Refused[0].Code = "because" }, Malformed},
		"code not for peers": {func(l *Lane) { l.Refused[0].Code = OutboxFull }, Malformed},
		"frame -2":           {func(l *Lane) { l.Refused[0].Frame = -2 }, Malformed},
		"frame 1000":         {func(l *Lane) { l.Refused[1].Frame = MaxFrames }, Malformed},
		"frame of a range":   {func(l *Lane) { l.Refused[0].Frame = 0 }, Malformed},
		"1,024 ranges":       {func(l *Lane) { l.Missing = ranges(MaxRanges) }, ""},
		"1,025 ranges":       {func(l *Lane) { l.Missing = ranges(MaxRanges + 1) }, TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			l := m.lane()
			c.edit(&l)
			_, err := NewReceipt(m.ctx, m.keyB, m.receiptBody(l))
			wantCode(t, err, c.want)
		})
	}
	_, err := NewReceipt(m.ctx, m.keyB, m.receiptBody())
	wantCode(t, err, Malformed)
	_, err = NewReceipt(m.ctx, m.keyB, m.receiptBody(many[1:]...))
	wantCode(t, err, "")
	_, err = NewReceipt(m.ctx, m.keyB, m.receiptBody(many...))
	wantCode(t, err, TooLarge)
}

func ranges(n int) []Missing {
	r := make([]Missing, n)
	for i := range r {
		r[i] = Missing{First: uint64(2 * i), Last: uint64(2 * i), Why: WhyHole}
	}
	return r
}

func (m *market) loginBody() LoginBody {
	return LoginBody{Cert: m.certA.Digest(), Origin: "https://broker.example", Nonce: Digest{7}, At: t0, NKey: "UABC"}
}

func TestLogin(t *testing.T) {
	m := newMarket(t)
	const origin = "https://broker.example"
	l := ok[*Login](t)(NewLogin(m.ctx, m.keyA, m.loginBody()))
	wantCode(t, l.Check(m.certA, origin, Digest{7}, t0), "")
	wantCode(t, l.Check(m.certA, "https://hub.example", Digest{7}, t0), Rebound)
	wantCode(t, l.Check(m.certA, origin, Digest{8}, t0), Replayed)
	wantCode(t, l.Check(m.certA, origin, Digest{7}, t0+Skew+1), BadTime)
	wantCode(t, l.Check(m.certA, origin, Digest{7}, t0-Skew-1), BadTime)
	wantCode(t, l.Check(m.certB, origin, Digest{7}, t0), BadCert)
	forged := ok[*Login](t)(NewLogin(m.ctx, m.keyB, m.loginBody()))
	wantCode(t, forged.Check(m.certA, origin, Digest{7}, t0), BadSignature)

	hub := m.loginBody()
	hub.NKey = ""
	if l := ok[*Login](t)(NewLogin(m.ctx, m.keyA, hub)); len(l.Bytes()) >= len(forged.Bytes()) {
		t.Error("an absent nkey takes room")
	}
	for _, edit := range []func(*LoginBody){
		func(b *LoginBody) { b.Origin = "" },
		func(b *LoginBody) { b.Origin = strings.Repeat("x", MaxURL+1) },
		func(b *LoginBody) { b.At = -1 },
	} {
		b := m.loginBody()
		edit(&b)
		_, err := NewLogin(m.ctx, m.keyA, b)
		wantCode(t, err, Malformed)
	}
}

func (m *market) statusBody() StatusBody {
	return StatusBody{Cert: m.certA.Digest(), List: Digest{5}, Revision: 3, At: t0, NotAfter: t0 + StatusTTL, ListID: "urn:list:1"}
}

func TestStatus(t *testing.T) {
	m := newMarket(t)
	s := ok[*Status](t)(NewStatus(m.ctx, m.keyA, m.statusBody()))
	wantCode(t, s.CheckList("urn:list:1", Digest{5}, 3), "")
	wantCode(t, s.CheckList("urn:list:1", Digest{5}, 4), StatusStale)
	wantCode(t, s.CheckList("urn:list:1", Digest{6}, 3), StatusStale)
	wantCode(t, s.CheckList("urn:list:2", Digest{5}, 3), StatusStale)
	wantCode(t, s.CheckNow(t0, StatusTTL), "")
	wantCode(t, s.CheckNow(t0-Skew, StatusTTL), "")
	wantCode(t, s.CheckNow(t0-Skew-1, StatusTTL), StatusStale)
	wantCode(t, s.CheckNow(t0+StatusTTL, StatusTTL), "")
	wantCode(t, s.CheckNow(t0+StatusTTL+1, StatusTTL), StatusStale)
	wantCode(t, s.CheckNow(t0, StatusTTL-1), StatusStale)
	wantCode(t, s.CheckCertificate(m.certA, didA), "")
	wantCode(t, s.CheckCertificate(m.certA, didB), BadCert)
	wantCode(t, s.CheckCertificate(m.certB, didB), BadCert)
	wantCode(t, s.Verify(m.certA.PublicKey()), "")
	wantCode(t, s.Verify(m.certB.PublicKey()), BadSignature)
	early := m.statusBody()
	early.At = t0 - 1
	wantCode(t, ok[*Status](t)(NewStatus(m.ctx, m.keyA, early)).CheckCertificate(m.certA, didA), BadCert)
	for _, edit := range []func(*StatusBody){
		func(b *StatusBody) { b.ListID = "" },
		func(b *StatusBody) { b.ListID = strings.Repeat("x", MaxListID+1) },
		func(b *StatusBody) { b.At = -1 },
	} {
		b := m.statusBody()
		edit(&b)
		_, err := NewStatus(m.ctx, m.keyA, b)
		wantCode(t, err, Malformed)
	}
}
