//go:build race

package identity

// Keys are slow to make under the race detector: some of the calls are enough there.
func init() { stride = 5 }
