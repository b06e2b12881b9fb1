package inbox

import "context"

// Objects reads received files; files.Box is one. Without it, an object is
// always handed over as a file.
type Objects interface {
	// Body returns the whole content of a file of at most max bytes; codes
	// file_unknown, downloading, too_large.
	Body(ctx context.Context, file string, max int64) ([]byte, error)
}
