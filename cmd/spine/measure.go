package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loaded is when the program's code began to run, for systems that do not tell
// when the process began.
var loaded = time.Now()

// sinceProcessStart returns the time since the operating system started the
// process, to 10 ms, on Linux; elsewhere since the program's code began to run.
func sinceProcessStart() time.Duration {
	stat, err := os.ReadFile("/proc/self/stat")
	up, err2 := os.ReadFile("/proc/uptime")
	if err != nil || err2 != nil {
		return time.Since(loaded)
	}
	// Fields after the command's name, which may hold spaces; the 22nd of all is
	// the start in clock ticks, of which there are 100 a second on Linux.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return time.Since(loaded)
	}
	ticks, err := strconv.ParseFloat(fields[19], 64)
	uptime, err2 := strconv.ParseFloat(strings.Fields(string(up))[0], 64)
	if err != nil || err2 != nil {
		return time.Since(loaded)
	}
	return time.Duration((uptime - ticks/100) * float64(time.Second))
}

// residentMB returns a memory line of /proc/self/status in MB: VmRSS now, VmHWM
// at most; 0 where the system does not tell.
func residentMB(line string) int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			var kb int
			if _, err := fmt.Sscan(rest, &kb); err == nil {
				return (kb + 512) / 1024
			}
		}
	}
	return 0
}

// percentile returns the p-th percentile, rounded to hundredths, 0 of nothing.
func percentile(all []float64, p float64) float64 {
	if len(all) == 0 {
		return 0
	}
	all = slices.Clone(all)
	slices.Sort(all)
	i := int(math.Ceil(p/100*float64(len(all)))) - 1
	return math.Round(all[min(max(i, 0), len(all)-1)]*100) / 100
}
