package files

import (
	"fmt"
	"net/http"

	"github.com/digital-spine/spine/internal/problem"
)

// Codes of this package that are not the protocol's.
const (
	CodeFileUnknown    = "file_unknown"
	CodeFileIncomplete = "file_incomplete"
	CodeUploadUnknown  = "upload_unknown"
	CodeUploadOffset   = "upload_offset"
	CodeUploadBusy     = "upload_busy"
	CodeUploadLength   = "upload_length"
	CodeNameInvalid    = "name_invalid"
	CodeTypeInvalid    = "type_invalid"
	CodeBodyEmpty      = "body_empty"
	CodeTooLarge       = "too_large"
	CodeStorageFull    = "storage_full"
	CodeThrottled      = "throttled"
	CodeFileDamaged    = "file_damaged"
)

// Errors with stable codes; compare with errors.Is.
var (
	ErrUnknown       = problem.New(http.StatusNotFound, CodeFileUnknown, "there is no such file here").WithHint("it may have been deleted, or its time here is over")
	ErrUploadUnknown = problem.New(http.StatusNotFound, CodeUploadUnknown, "there is no such upload here").WithHint("begin a new one; unfinished uploads end a day after their last byte")
	ErrIncomplete    = problem.New(http.StatusConflict, CodeFileIncomplete, "not all of this file is here yet").WithHint("see its state with GET /api/v1/files/{id}")
	ErrOffset        = problem.New(http.StatusConflict, CodeUploadOffset, "the upload goes on at another offset").WithHint("ask for it with HEAD and go on there")
	ErrBusy          = problem.New(http.StatusLocked, CodeUploadBusy, "another request is sending to this upload").WithHint("wait until it ended")
	ErrLength        = problem.New(http.StatusUnprocessableEntity, CodeUploadLength, "the content has another length than was said")
	ErrName          = problem.New(http.StatusUnprocessableEntity, CodeNameInvalid, "this is not a file's name").WithHint("a name has 1 to 255 bytes, no slash or backslash, no control characters, and is not . or ..")
	ErrType          = problem.New(http.StatusUnprocessableEntity, CodeTypeInvalid, "this is not a media type").WithHint("such as text/csv, at most 128 bytes")
	ErrEmpty         = problem.New(http.StatusUnprocessableEntity, CodeBodyEmpty, "the file is empty").WithHint("a file has at least one byte")
	ErrFull          = problem.New(http.StatusInsufficientStorage, CodeStorageFull, "the files here take as much room as they may (files_quota)").WithHint("delete files that are no longer needed, or give the gateway more room")
	ErrShare         = problem.New(http.StatusInsufficientStorage, CodeStorageFull, "the files of this sender take as much room here as those of one may (files_share)").WithHint("delete files of this sender that are no longer needed, or give the gateway more room (files_quota, files_share)")
	ErrThrottled     = problem.New(http.StatusTooManyRequests, CodeThrottled, "too many uploads are under way").WithHint("try again when one has ended")
	ErrDamaged       = problem.New(http.StatusInternalServerError, CodeFileDamaged, "a stored part of this file is not what was stored").WithHint("check the disk; have the file sent again")
)

// TooLarge says that a file is above the limit, in bytes.
func TooLarge(limit int64) error {
	return problem.New(http.StatusRequestEntityTooLarge, CodeTooLarge, fmt.Sprintf("a file may have %d bytes in this network", limit)).
		With("limit", limit).WithHint("split it into several files")
}
