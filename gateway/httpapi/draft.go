package httpapi

import (
	"fmt"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// depth is what a body may nest, plus the levels around it in a batch.
var depth = schema.Limits{Depth: schema.MaxDepth + 3}

// checked is for parts of a document that was walked as a whole before.
var checked = schema.Limits{Depth: depth.Depth, Checked: true}

// parseDraft reads one draft in one pass over its bytes; its body is a part of
// doc. Codes json_*, body_empty, draft_invalid.
func parseDraft(doc []byte) (gateway.Draft, error) { return parseDraftIn(doc, depth) }

func parseDraftIn(doc []byte, limits schema.Limits) (gateway.Draft, error) {
	var d gateway.Draft
	err := schema.Object(doc, limits, func(name, value []byte) error {
		switch string(name) {
		case "channel":
			return text(&d.Channel, value, "channel")
		case "to":
			return texts(&d.To, value, "to", gateway.MaxRecipients)
		case "body":
			d.Body = value
		case "file":
			return text(&d.File, value, "file")
		case "type":
			return text(&d.Type, value, "type")
		case "re":
			return text(&d.Re, value, "re")
		case "corr":
			return text(&d.Corr, value, "corr")
		case "txn":
			return text(&d.Txn, value, "txn")
		case "idempotencyKey":
			return text(&d.IdempotencyKey, value, "idempotencyKey")
		case "attrs":
			d.Attrs = make(map[string]string, 4)
			err := object(value, "attrs", func(name, value []byte) error {
				if len(d.Attrs) > gateway.MaxAttrs {
					return gateway.DraftInvalid("attrs", "at most 16 attributes")
				}
				var v string
				if err := text(&v, value, "attrs"); err != nil {
					return err
				}
				d.Attrs[string(name)] = v
				return nil
			})
			return err
		default:
			return gateway.DraftInvalid("", "the message has a member that is not known").(*problem.Error).
				WithHint("members are channel, to, body, file, type, re, corr, txn, attrs, idempotencyKey")
		}
		return nil
	})
	if err != nil {
		return d, err
	}
	return d, d.Validate()
}

// parseBatch reads {"messages":[…]} or a bare array of drafts. A draft that is
// no good has its error at its place; the error returned is about the whole.
func parseBatch(doc []byte) ([]gateway.Draft, []error, error) {
	list := doc
	if first(doc) == '[' {
		if err := schema.CheckJSON(doc, depth); err != nil {
			return nil, nil, err
		}
	} else {
		list = nil
		err := schema.Object(doc, depth, func(name, value []byte) error {
			if string(name) != "messages" {
				return gateway.DraftInvalid("", "a batch has the member messages and no other")
			}
			list = value
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		if list == nil {
			return nil, nil, gateway.DraftInvalid("messages", "a batch has the member messages")
		}
		if first(list) != '[' {
			return nil, nil, gateway.DraftInvalid("messages", "messages is an array")
		}
	}
	var drafts []gateway.Draft
	var errs []error
	err := schema.Array(list, checked, func(value []byte) error {
		if len(drafts) == gateway.MaxBatch {
			return tooMany()
		}
		d, err := parseDraftIn(value, checked)
		drafts, errs = append(drafts, d), append(errs, err)
		return nil
	})
	return drafts, errs, err
}

// parseLines reads one draft a line (NDJSON); empty lines are skipped.
func parseLines(doc []byte) ([]gateway.Draft, []error, error) {
	var drafts []gateway.Draft
	var errs []error
	for len(doc) > 0 {
		line := doc
		for i, c := range doc {
			if c == '\n' {
				line = doc[:i:i]
				break
			}
		}
		doc = doc[min(len(line)+1, len(doc)):]
		if first(line) == 0 {
			continue
		}
		if len(drafts) == gateway.MaxBatch {
			return nil, nil, tooMany()
		}
		d, err := parseDraft(line)
		drafts, errs = append(drafts, d), append(errs, err)
	}
	return drafts, errs, nil
}

func tooMany() error {
	return problem.New(413, "batch_too_large", fmt.Sprintf("a batch has at most %d messages", gateway.MaxBatch)).
		With("limit", gateway.MaxBatch).WithHint("send the rest in another request")
}

// first returns the first byte that is not white space, 0 when there is none.
func first(doc []byte) byte {
	for _, c := range doc {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func text(dst *string, value []byte, member string) error {
	if string(value) == "null" {
		return nil
	}
	s, ok := schema.Text(value)
	if !ok {
		return gateway.DraftInvalid(member, "a text is expected here")
	}
	*dst = s
	return nil
}

// texts reads an array of texts, or one text.
func texts(dst *[]string, value []byte, member string, max int) error {
	switch first(value) {
	case '"':
		var one string
		if err := text(&one, value, member); err != nil {
			return err
		}
		*dst = []string{one}
		return nil
	case 'n':
		return nil
	case '[':
		return schema.Array(value, depth, func(v []byte) error {
			if len(*dst) >= max {
				return gateway.DraftInvalid(member, fmt.Sprintf("at most %d entries", max))
			}
			s, ok := schema.Text(v)
			if !ok {
				return gateway.DraftInvalid(member, "an array of texts is expected here")
			}
			*dst = append(*dst, s)
			return nil
		})
	}
	return gateway.DraftInvalid(member, "an array of texts is expected here")
}

func object(value []byte, member string, each func(name, value []byte) error) error {
	switch first(value) {
	case 'n':
		return nil
	case '{':
		return schema.Object(value, depth, each)
	}
	return gateway.DraftInvalid(member, "an object of texts is expected here")
}
