package schema

import "strconv"

// Codes of this package.
const (
	CodeSchema    = "schema"             // the document does not fit the schema
	CodeInvalid   = "schema_invalid"     // the schema itself is not one
	CodeJSON      = "json_invalid"       // syntax or UTF-8
	CodeDepth     = "json_depth"         // nested too deep
	CodeDuplicate = "json_duplicate_key" // a name twice in one object
	CodeEmpty     = "body_empty"         // nothing but white space
)

// Error says why a document was refused, without any of its values.
type Error struct {
	Code    string
	Pointer string // JSON pointer (RFC 6901) to the place; "" is the whole document
	Keyword string // keyword of the schema that failed, such as "required"
	Message string // what was expected, from the schema alone
	Offset  int    // byte offset, for codes of CheckJSON
	Err     error  // cause, for schema_invalid

	// Of a table: where the fault is, as people count.
	Row    int64  // record, 1 is the first, which is the header where there is one; 0 when it is none of a table's
	Line   int64  // line of the text on which the record begins; another number than Row behind line breaks in quotes
	Column string // name of the column; "" when the whole record is meant
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Row > 0:
		return e.Code + ": " + e.place() + ": " + e.Message
	case e.Pointer == "":
		return e.Code + ": " + e.Message
	}
	return e.Code + ": " + e.Pointer + ": " + e.Message
}

// place says where in a table.
func (e *Error) place() string {
	s := "row " + strconv.FormatInt(e.Row, 10)
	if e.Line != e.Row && e.Line > 0 {
		s += " (line " + strconv.FormatInt(e.Line, 10) + ")"
	}
	if e.Column != "" {
		s += ", column " + e.Column
	}
	return s
}

// Place returns where the fault is: a JSON pointer, "row 3, column kva" in a
// table, or "" for the whole document.
func (e *Error) Place() string {
	if e.Row > 0 {
		return e.place()
	}
	return e.Pointer
}

// ErrorDetails returns the place for a problem document: row, line, column and
// reason in a table, else pointer, and the keyword; or the offset in what is no
// JSON.
func (e *Error) ErrorDetails() map[string]any {
	switch {
	case e.Row > 0:
		d := map[string]any{"row": e.Row, "line": e.Line, "reason": e.Message, "keyword": e.Keyword}
		if e.Column != "" {
			d["column"] = e.Column
		}
		return d
	case e.Code == CodeSchema:
		return map[string]any{"pointer": e.Pointer, "keyword": e.Keyword}
	case e.Offset > 0:
		return map[string]any{"offset": e.Offset}
	}
	return nil
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorCode returns the stable code.
func (e *Error) ErrorCode() string { return e.Code }

// ErrorStatus returns the HTTP status that fits the code.
func (e *Error) ErrorStatus() int {
	if e.Code == CodeSchema || e.Code == CodeInvalid {
		return 422 // unprocessable content
	}
	return 400 // bad request
}

// ErrorHint says what a person can do.
func (e *Error) ErrorHint() string {
	switch e.Code {
	case CodeSchema:
		return "compare the document with the topic's schema, GET /api/v1/topics/{name}"
	case CodeJSON:
		return "send one JSON document in UTF-8"
	case CodeDepth:
		return "nest at most 64 levels"
	case CodeDuplicate:
		return "give each name once per object"
	case CodeEmpty:
		return "send a JSON document"
	}
	return ""
}

func invalid(message string, err error) error {
	return &Error{Code: CodeInvalid, Message: message, Err: err}
}
