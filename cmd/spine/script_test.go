package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCmds are the commands of transcripts beside those that testscript has.
var scriptCmds = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"waitfile": waitFile,
	"waitrpc":  waitRPC,
	"url":      readyURL,
	"field":    field,
}

// waitFile waits until a file is there, such as a system's ready.json.
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfile FILE")
	}
	path := ts.MkAbs(args[0])
	end := time.Now().Add(time.Minute)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s did not appear", args[0])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// readyURL sets a variable to the address that a ready.json names.
func readyURL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: url READY-FILE VARIABLE")
	}
	var ready struct {
		URL string `json:"url"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &ready))
	ts.Setenv(args[1], ready.URL)
}

// waitRPC waits until an address takes connections.
func waitRPC(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitrpc URL")
	}
	end := time.Now().Add(time.Minute)
	for {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(args[0], "http://"), time.Second)
		if err == nil {
			ts.Check(c.Close())
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s does not answer", args[0])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// field sets a variable to a member of a JSON file, of the last output when the
// file is stdout; its path is joined by dots and may hold positions.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: field FILE PATH VARIABLE")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	for key := range strings.SplitSeq(args[1], ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(in) {
				ts.Fatalf("%s has no %s", args[0], args[1])
			}
			v = in[i]
		}
	}
	text := fmt.Sprint(v)
	if v == nil || text == "" {
		ts.Fatalf("%s has no %s", args[0], args[1])
	}
	ts.Setenv(args[2], text)
}
