package main

import (
	"runtime"
	"runtime/debug"
)

// version is the release's number.
const version = "0.1.0-dev"

type versionCmd struct{}

// Run prints the version and, where the build knows it, the commit.
func (versionCmd) Run(a *app) error {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	v := map[string]string{"version": version, "go": runtime.Version(), "commit": commit}
	return a.print(v, "spine %s (%s)\n", version, runtime.Version())
}
