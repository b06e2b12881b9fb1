//go:build !linux

package file

func (f osFile) reserve(int64) error { return nil }

func (f osFile) start(int64, int64) {}
