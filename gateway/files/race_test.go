//go:build race

package files_test

// Starts are slow under the race detector: some of the calls are enough there.
func init() { stride = 4 }
