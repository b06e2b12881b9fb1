package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/digital-spine/spine/internal/problem"
)

// hints say what a person at a terminal can do about errors that come without
// a hint of their own, by code.
var hints = map[string]string{
	"unreachable":     "is it running, and is this its address?",
	"chain":           "is it running, and is this its address?",
	"key_invalid":     "a gateway's first key is in the file api.key of its data folder; a demo on other data has other keys, which its --endpoints FILE names",
	"message_unknown": "ask the gateway that sent it; after its time a message is forgotten",
	"endpoints":       "write it with: spine demo --endpoints FILE",
}

// hintOf returns what a person can do about an error, empty if that is not
// known. What a package said itself goes before.
func hintOf(err error, p *problem.Error) string {
	switch {
	case p.Hint != "" && p.Code != "internal":
		return p.Hint
	case hints[p.Code] != "":
		return hints[p.Code]
	case strings.HasPrefix(p.Code, "http_") || p.Code == "answer_invalid":
		return "is this the address of a gateway?"
	}
	var advice *advised
	switch {
	case errors.As(err, &advice):
		return advice.hint
	case strings.Contains(err.Error(), "by another process"): // chain, bus and blob store say so
		return "it runs already on this data folder: stop it, or give this one another folder with --data DIR"
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there: stop it, or choose another address"
	case errors.Is(err, fs.ErrPermission):
		return "this user has no rights there: ask its owner, or choose another place"
	}
	return ""
}

// advised is an error of another package with what can be done about it here.
type advised struct {
	error
	hint string
}

// Unwrap returns the error itself.
func (e *advised) Unwrap() error { return e.error }

// elsewhere names the channels that there are to whom asked for one that there
// is not: the gateway's own hint tells programs how to make one.
func elsewhere(ctx context.Context, t *target, err error) error {
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != "channel_unknown" {
		return err
	}
	list, asked := t.client().Channels(ctx)
	if asked != nil || len(list) == 0 {
		return err
	}
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return p.WithHint("there are: " + strings.Join(names, ", "))
}
