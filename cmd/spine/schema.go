package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

type schemaCmd struct {
	Validate schemaValidateCmd `cmd:"" help:"Check a document, a table or a file against a schema."`
}

type schemaValidateCmd struct {
	Schema string `required:"" help:"JSON Schema (2020-12), of a table its metadata, - for standard input." placeholder:"FILE"`
	Data   string `required:"" help:"Document, - for standard input." placeholder:"FILE"`
	Kind   string `enum:"json,csv,binary" default:"json" help:"Kind of the schema: json, csv (a table) or binary (any file)."`
	Type   string `help:"Media type of the data, where a binary schema asks for one." placeholder:"TYPE"`
}

// Help is shown by spine schema validate --help.
func (schemaValidateCmd) Help() string {
	return `Checks a document as a gateway checks a message's body: its JSON first (UTF-8,
nesting, names given twice), then the schema, formats included. Nothing is
fetched. The exit status is 0 when the document fits, 1 when it does not; then
the code, the place as a JSON pointer and the schema's keyword are printed.

A table (--kind csv) is RFC 4180 text against table metadata of CSV on the Web;
it may have any size, and its first fault is named by row and column.

Examples:

    echo '{"n":"one"}' | spine schema validate --schema hello.json --data -
    spine schema validate --kind csv --schema network.json --data network.csv`
}

// maxDocument bounds the document of schema validate, in bytes: as much as
// any message with one body may have on its way to a gateway, and more.
const maxDocument = 10 << 20

// verdict is the result with --json.
type verdict struct {
	Valid   bool    `json:"valid"`
	Code    string  `json:"code,omitempty"`
	Pointer *string `json:"pointer,omitempty"` // "" is the whole document
	Keyword string  `json:"keyword,omitempty"`
	Offset  *int    `json:"offset,omitempty"` // bytes, where the JSON itself is at fault
	Row     int64   `json:"row,omitempty"`    // of a table, the header is 1
	Column  string  `json:"column,omitempty"` // of a table
	Message string  `json:"message,omitempty"`
}

// Run validates one document.
func (c *schemaValidateCmd) Run(a *app) error {
	if c.Schema == "-" && c.Data == "-" {
		return problem.New(400, "arguments", "schema and data cannot both come from standard input")
	}
	rules, err := a.read(c.Schema, schema.MaxFileBytes)
	if err != nil {
		return err
	}
	v, err := schema.Compile(c.Kind, "schema.json", []schema.File{{Name: "schema.json", Data: rules}})
	if err == nil {
		err = c.judge(a, v)
	}
	var e *schema.Error
	switch {
	case err == nil:
		return a.print(verdict{Valid: true}, "ok: the document fits the schema\n")
	case !errors.As(err, &e):
		return err
	}
	out := verdict{Code: e.Code, Keyword: e.Keyword, Message: e.Message, Row: e.Row, Column: e.Column}
	text := e.Code
	switch e.Code {
	case schema.CodeSchema:
		if c.Kind == schema.KindJSON {
			out.Pointer = &e.Pointer
		}
		place := printable(e.Place())
		if place == "" {
			place = "the document"
		}
		text = strings.TrimSpace(text+"  "+place+"  "+e.Keyword) + "  " + printable(e.Message)
	case schema.CodeJSON, schema.CodeDepth, schema.CodeDuplicate:
		out.Offset = &e.Offset
		fallthrough
	default:
		text += "  " + printable(e.Message)
	}
	if err := a.print(out, "%s\n", text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return &exitError{1}
}

// judge validates the data, which is held whole only where it is JSON.
func (c *schemaValidateCmd) judge(a *app, v schema.Validator) error {
	s, ok := v.(schema.Streamer)
	if c.Kind == schema.KindJSON || !ok {
		doc, err := a.read(c.Data, maxDocument)
		if err != nil {
			return err
		}
		return v.Validate(doc)
	}
	if c.Data == "-" {
		return s.ValidateReader(a.stdin, c.Type)
	}
	f, err := os.Open(c.Data)
	if err != nil {
		return problem.New(400, "file", "the file cannot be read").Wrap(err)
	}
	defer f.Close()
	return s.ValidateReader(f, c.Type)
}
