package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/digital-spine/spine/gateway"
)

// code is one line of the tables of codes: what happened and what to do about
// it, in words for people who do not know the protocol.
type code struct {
	code, severity, title, meaning, do string
}

const (
	info    = gateway.SeverityInfo
	warning = gateway.SeverityWarning
	grave   = gateway.SeverityError
)

// codeTable explains every stable code that this gateway shows; a test compares
// it with the protocol's list and with the sources.
var codeTable, codeIndex = func() ([]gateway.CodeInfo, map[string]int) {
	var all []gateway.CodeInfo
	index := map[string]int{}
	for _, part := range []struct {
		kind string
		list []code
	}{{gateway.CodeOfProtocol, protocolCodes}, {gateway.CodeOfEvent, eventCodes}, {gateway.CodeOfAPI, apiCodes}} {
		for _, c := range part.list {
			index[c.code] = len(all)
			all = append(all, gateway.CodeInfo{Code: c.code, Kind: part.kind, Title: c.title, Meaning: c.meaning, Do: c.do, Severity: c.severity})
		}
	}
	return all, index
}()

// explained returns what is known of a code.
func explained(name string) gateway.CodeInfo {
	if i, ok := codeIndex[name]; ok {
		return codeTable[i]
	}
	return gateway.CodeInfo{Code: name, Kind: gateway.CodeOfEvent, Title: name, Meaning: "This code is not in the table.", Do: "Look at the event's detail and at the gateway's log.", Severity: warning}
}

// codePaths registers the table of codes.
func (a *api) codePaths() {
	type codeList struct {
		Codes []gateway.CodeInfo `json:"codes"`
	}
	register(a, a.operation("", http.MethodGet, "codes", "list-codes", "Every stable code, in plain words"),
		func(context.Context, *struct{}) (*body[codeList], error) {
			return &body[codeList]{codeList{slices.Clone(codeTable)}}, nil
		})
}
