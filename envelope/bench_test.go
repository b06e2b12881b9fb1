package envelope

import (
	"fmt"
	"testing"
)

func BenchmarkSeal(b *testing.B) { benchFrames(b, (*market).benchSeal) }
func BenchmarkOpen(b *testing.B) { benchFrames(b, (*market).benchOpen) }

// benchFrames runs a benchmark for envelopes of several sizes and tells the
// time per frame.
func benchFrames(b *testing.B, bench func(*market, *testing.B, []Frame)) {
	m := newMarket(b)
	for _, n := range []int{1, 10, 100, 200} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			bench(m, b, m.frames(n, run(0, 1024)))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n)/1000, "µs/frame")
		})
	}
}

func (m *market) benchSeal(b *testing.B, frames []Frame) {
	entry := Entry{Prev: m.core.Session(), Time: t0 + 3000}
	for b.Loop() {
		if _, err := m.keys.Seal(m.ctx, m.keyA, entry, frames); err != nil {
			b.Fatal(err)
		}
	}
}

func (m *market) benchOpen(b *testing.B, frames []Frame) {
	e := ok[*Envelope](b)(m.keys.Seal(m.ctx, m.keyA, Entry{Prev: m.core.Session(), Time: t0 + 3000}, frames))
	for b.Loop() {
		e, err := ParseEnvelope(e.Bytes())
		if err == nil {
			err = e.Verify(m.certA.PublicKey())
		}
		if err == nil {
			_, err = m.keys.Open(e)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGrant(b *testing.B) {
	m := newMarket(b)
	text := &BoxText{Secret: m.secret, Creds: []Digest{{1}}}
	g := m.grant(b, text)
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			m.grant(b, text)
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			g, err := ParseGrant(g.Bytes())
			if err == nil {
				err = g.Verify(m.certA.PublicKey())
			}
			if err == nil {
				_, err = OpenBox(m.xwing, g.Core.Session(), g.Package, g.Box)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	m := newMarket(b)
	b.Run("envelope", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseEnvelope(m.envelope.Bytes()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("certificate", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseCertificate(m.certA.Bytes()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("proof", func(b *testing.B) {
		for b.Loop() {
			if err := m.certA.CheckProof(m.ctx, testDomain, testStates); err != nil {
				b.Fatal(err)
			}
		}
	})
}
