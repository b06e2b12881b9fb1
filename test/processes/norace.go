//go:build !race

package processes

var buildFlags, raceEnv []string
