package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

type schemaCmd struct {
	Validate schemaValidateCmd `cmd:"" help:"Check a JSON document against a schema."`
}

type schemaValidateCmd struct {
	Schema string `required:"" help:"JSON Schema (2020-12), - for standard input." placeholder:"FILE"`
	Data   string `required:"" help:"JSON document, - for standard input." placeholder:"FILE"`
}

// Help is shown by spine schema validate --help.
func (schemaValidateCmd) Help() string {
	return `Checks a document as a gateway checks a message's body: its JSON first (UTF-8,
nesting, names given twice), then the schema, formats included. Nothing is
fetched. The exit status is 0 when the document fits, 1 when it does not; then
the code, the place as a JSON pointer and the schema's keyword are printed.

Example:

    echo '{"n":"one"}' | spine schema validate --schema hello.json --data -`
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
	doc, err := a.read(c.Data, maxDocument)
	if err != nil {
		return err
	}
	v, err := schema.Compile(schema.KindJSON, "schema.json", []schema.File{{Name: "schema.json", Data: rules}})
	if err == nil {
		err = v.Validate(doc)
	}
	var e *schema.Error
	switch {
	case err == nil:
		return a.print(verdict{Valid: true}, "ok: the document fits the schema\n")
	case !errors.As(err, &e):
		return err
	}
	out := verdict{Code: e.Code, Keyword: e.Keyword, Message: e.Message}
	text := e.Code
	switch e.Code {
	case schema.CodeSchema:
		out.Pointer = &e.Pointer
		place := printable(e.Pointer)
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
