package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/digital-spine/spine/participant/villain"
)

// onceRounds is the number of rounds of demo --once.
const onceRounds = 3

// summary is what demo --once prints: everything is measured or counted from
// outside the gateways.
type summary struct {
	OK           bool              `json:"ok"`
	ReadyMS      int64             `json:"ready_ms"` // process start until a first message can be sent
	IdleMB       int               `json:"idle_mb"`  // resident before the first round
	RSSMB        int               `json:"rss_mb"`   // peak resident
	Participants int               `json:"participants"`
	Messages     messageCounts     `json:"messages"`
	Attacks      map[string]string `json:"attacks"`
	LatencyMS    latency           `json:"latency_ms"`
	File         *fileFigures      `json:"file"`
}

// messageCounts count per message and recipient, from the participants' own
// ledgers; refused are the villains'.
type messageCounts struct {
	Sent      int `json:"sent"`
	Delivered int `json:"delivered"`
	Verified  int `json:"verified"`
	Refused   int `json:"refused"`
	Lost      int `json:"lost"`
}

type latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// once runs the rounds and the attacks and prints the summary.
func (d *demo) once(a *app, fileMB int) error {
	s := summary{ReadyMS: d.readyMS, Participants: len(d.participants), IdleMB: residentMB("VmRSS")}
	say := func(format string, args ...any) {
		if !a.json {
			fmt.Fprintf(a.stdout, format+"\n", args...)
		}
	}
	say("ready after %d ms, %d MB", s.ReadyMS, s.IdleMB)
	for n := 1; n <= onceRounds; n++ {
		begin := time.Now()
		if err := d.round(a.ctx, n); err != nil {
			return err
		}
		if err := d.drain(a.ctx); err != nil {
			return err
		}
		say("round %d of %d traded and delivered in %d ms", n, onceRounds, time.Since(begin).Milliseconds())
	}
	lat := d.latencies()
	s.LatencyMS = latency{percentile(lat, 50), percentile(lat, 99)}
	if fileMB > 0 {
		f, err := d.files(a.ctx, fileMB, say)
		if err != nil {
			return err
		}
		s.File = f
	}
	admin, err := d.AdminKey()
	if err != nil {
		return err
	}
	report, err := villain.Run(a.ctx, villain.World{
		Network: d.Network, RPC: d.Chain.URL(), Operator: villain.NewOperator(d.Broker.URL(), admin), Gateways: d.gateways, Say: say,
	})
	if err != nil {
		return err
	}
	if err := d.drain(a.ctx); err != nil {
		return err
	}
	c := d.counts()
	s.Attacks = report.Attacks
	s.Messages = messageCounts{Sent: c.Sent, Delivered: c.Received, Verified: c.Verified, Refused: report.Refused, Lost: c.Sent - c.Received}
	s.RSSMB = residentMB("VmHWM")
	s.OK = s.Messages.Lost == 0 && s.Messages.Sent > 0 && s.Messages.Verified == s.Messages.Delivered && c.Violation == 0 && report.Held() && (s.File == nil || s.File.SHA256OK)
	if a.json {
		if err := json.NewEncoder(a.stdout).Encode(s); err != nil {
			return err
		}
	} else {
		s.print(a)
	}
	if !s.OK {
		return &exitError{status: 1}
	}
	return nil
}

func (s *summary) print(a *app) {
	w := func(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }
	m := s.Messages
	w("%d messages sent, %d delivered, %d verified, %d lost; latency p50 %.1f ms, p99 %.1f ms", m.Sent, m.Delivered, m.Verified, m.Lost, s.LatencyMS.P50, s.LatencyMS.P99)
	if f := s.File; f != nil {
		w("a file of %d MB: %.1f MB/s (with its upload %.1f), plain %.1f MB/s, the same at the other side: %t", f.Bytes/1_000_000, f.MBPerS, f.WithUpload, f.PlainMBPer, f.SHA256OK)
	}
	for _, name := range villain.Attacks {
		w("  %-12s %s", name, s.Attacks[name])
	}
	w("memory: %d MB before the first round, %d MB at most", s.IdleMB, s.RSSMB)
	if s.OK {
		w("All held.")
	} else {
		w("NOT all held.")
	}
}
