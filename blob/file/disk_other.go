//go:build !linux

package file

import "os"

func (f osFile) reserve(int64) error { return nil }

func (f osFile) start(int64, int64) {}

func (osDisk) cool(*os.File) {}
