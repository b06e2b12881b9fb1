// Package conformance holds the suites that every backend of a gateway's stores
// must pass, whatever database it uses. A backend's tests call them with a
// function that opens an empty store.
//
// It is for tests only and knows no backend.
package conformance
