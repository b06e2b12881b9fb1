package pages

import (
	"strings"

	"github.com/digital-spine/spine/console/form"
	"github.com/digital-spine/spine/internal/problem"
)

// Fill puts a document into the box, as a form and as text.
func (b *SendBox) Fill(s *form.Schema, doc any) {
	b.Form = s.Fields(doc)
	if doc != nil {
		b.Raw = form.Indent(doc)
	}
}

// Blame puts the gateway's problem with the content to the field that it
// concerns.
func (b *SendBox) Blame() {
	p := problem.From(b.Problem)
	if b.Problem == nil || b.Form == nil || p.Details["pointer"] == nil {
		return
	}
	pointer, ok := p.Details["pointer"].(string)
	if !ok {
		return
	}
	// What is missing is said of the fields that are missing, not of what they
	// are missing from.
	if names, ok := strings.CutPrefix(p.Message, "lacks: "); ok && p.Details["keyword"] == "required" {
		for _, n := range strings.Split(names, ", ") {
			b.Form.Blame(form.Join(pointer, n), "is needed")
		}
		return
	}
	b.Form.Blame(pointer, p.Message)
}
