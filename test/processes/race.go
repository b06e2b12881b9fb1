//go:build race

package processes

// buildFlags make the processes look for data races when the tests do: one that
// is found ends its process, and so fails the test.
var (
	buildFlags = []string{"-race"}
	raceEnv    = []string{"GORACE=halt_on_error=1"}
)
