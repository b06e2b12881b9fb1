package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/digital-spine/spine/internal/problem"
)

// read returns a file's bytes, of standard input when the name is "-". More
// than max bytes are refused (code too_large) before they are all in memory.
func (a *app) read(name string, max int64) ([]byte, error) {
	in, from := a.stdin, "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, problem.New(400, "file", "the file cannot be read").Wrap(err)
		}
		defer f.Close()
		in, from = f, name
	}
	b, err := io.ReadAll(io.LimitReader(in, max+1))
	if err != nil {
		return nil, problem.New(400, "file", "the file cannot be read").Wrap(err)
	}
	if int64(len(b)) > max {
		return nil, problem.New(413, "too_large", fmt.Sprintf("%s holds more than %d bytes", from, max))
	}
	return b, nil
}

// printable returns what somebody else wrote so that it cannot steer the
// terminal: control and direction characters become \u escapes, which within
// JSON strings mean the same.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// clip cuts a text of somebody else to a line's length.
func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	cut := max
	for cut > 0 && s[cut]&0xc0 == 0x80 { // not within a character
		cut--
	}
	return s[:cut] + "… (" + strconv.Itoa(len(s)) + " bytes)"
}
