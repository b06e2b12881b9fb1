// Package transfer tests the way of large bodies end to end: a gateway's client
// of the broker against a real broker, and how fast it is beside the bare disk.
package transfer
