package httpapi

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
)

// The types below describe what messages.go reads and writes by hand.

type draftDoc struct {
	Channel        string            `json:"channel" doc:"the channel to send on" example:"hello"`
	To             []string          `json:"to,omitempty" doc:"DIDs of the recipients; absent: everybody whom the channel admits"`
	Body           any               `json:"body,omitempty" doc:"the content, any JSON that fits the topic's schema; it travels as the bytes given. A message has a body or a file"`
	File           string            `json:"file,omitempty" doc:"id of a file that is stored here, instead of a body" format:"uuid"`
	Type           string            `json:"type,omitempty" doc:"media type, application/json by default" maxLength:"128"`
	Re             string            `json:"re,omitempty" doc:"id of the message this one answers" format:"uuid"`
	Corr           string            `json:"corr,omitempty" doc:"correlation id, your own" maxLength:"200"`
	Txn            string            `json:"txn,omitempty" doc:"transaction id, your own" maxLength:"200"`
	Attrs          map[string]string `json:"attrs,omitempty" doc:"up to 16 free attributes, 4 KiB together"`
	IdempotencyKey string            `json:"idempotencyKey,omitempty" doc:"the same key within 24 h gives the first answer again; also as header Idempotency-Key" maxLength:"200"`
}

type acceptedDoc struct {
	ID    string `json:"id" format:"uuid" doc:"the message's id"`
	State string `json:"state" enum:"waiting,accepted" doc:"accepted: with the broker; waiting: kept here until it can go"`
}

type batchDoc struct {
	Messages []draftDoc `json:"messages" maxItems:"1000"`
}

type resultDoc struct {
	ID      string           `json:"id,omitempty" format:"uuid"`
	State   string           `json:"state,omitempty" enum:"waiting,accepted"`
	Problem *httpkit.Problem `json:"problem,omitempty" doc:"why this one was refused"`
}

type resultsDoc struct {
	Results []resultDoc `json:"results" doc:"one for each message, in order"`
}

type messageDoc struct {
	ID          string            `json:"id" format:"uuid"`
	From        string            `json:"from" doc:"DID of the sender, proved"`
	Channel     string            `json:"channel" doc:"the local channel that admitted it"`
	Topic       string            `json:"topic"`
	Version     string            `json:"version" doc:"of the topic"`
	Type        string            `json:"type" doc:"media type"`
	Body        any               `json:"body,omitempty" doc:"absent where a file came instead"`
	File        *gateway.File     `json:"file,omitempty" doc:"the file that came with it"`
	At          int64             `json:"at" doc:"when the sender's application handed it over, ms since 1970"`
	Sent        int64             `json:"sent,omitempty" doc:"when it was sealed, ms since 1970"`
	Re          string            `json:"re,omitempty"`
	Corr        string            `json:"corr,omitempty"`
	Txn         string            `json:"txn,omitempty"`
	Attrs       map[string]string `json:"attrs,omitempty"`
	Checks      map[string]string `json:"checks" doc:"name of each check and ok, or why it was not made"`
	Redelivered bool              `json:"redelivered" doc:"it may have been handed over before"`
	Late        bool              `json:"late" doc:"it fills a hole that was passed already"`
	Ack         string            `json:"ack" doc:"token for POST acks"`
}

type messagesDoc struct {
	Messages []messageDoc `json:"messages"`
}

type acksDoc struct {
	Acks []string `json:"acks" minItems:"1" maxItems:"10000" doc:"the ack members of received messages"`
}

type ackedDoc struct {
	Acked int `json:"acked"`
}

// describe puts the hand-written operations into the OpenAPI document.
func (a *api) describe() {
	doc := a.API.OpenAPI()
	schemaOf := func(v any) *huma.Schema {
		return doc.Components.Schemas.Schema(reflect.TypeOf(v), true, "")
	}
	answer := func(v any) *huma.Response {
		return &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf(v)}}}
	}
	refused := &huma.Response{Description: "a problem, with a stable code and a hint", Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: schemaOf(httpkit.Problem{})}}}
	param := func(name, in, typ, text string) *huma.Param {
		return &huma.Param{Name: name, In: in, Description: text, Required: in == "path", Schema: &huma.Schema{Type: typ}}
	}
	add := func(method, path, id, scope, summary, text string, in any, out map[string]any, params ...*huma.Param) {
		op := &huma.Operation{
			Method: method, Path: "/api/v1/" + path, OperationID: id, Summary: summary,
			Description: text + " Needs the scope " + scope + ".",
			Security:    []map[string][]string{{"bearer": {}}, {"session": {}}},
			Parameters:  params, Responses: map[string]*huma.Response{"default": refused},
		}
		for code, v := range out {
			if v == nil {
				op.Responses[code] = &huma.Response{Description: "switching to WebSocket"}
				continue
			}
			op.Responses[code] = answer(v)
		}
		if in != nil {
			op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf(in)}}}
			if _, batch := in.(batchDoc); batch {
				op.RequestBody.Content["application/x-ndjson"] = &huma.MediaType{Schema: schemaOf(draftDoc{})}
			}
		}
		doc.AddOperation(op)
	}
	key := param("Idempotency-Key", "header", "string", "the same key within 24 h gives the first answer again")
	pull := []*huma.Param{
		param("channel", "query", "string", "only this channel"),
		param("consumer", "query", "string", "name of the cursor; default when absent"),
		param("max", "query", "integer", "at most this many messages, 1 to 1000, default 100"),
		param("autoack", "query", "boolean", "acknowledge what is handed over at once"),
	}
	add(http.MethodPost, "messages", "send", "send", "Send a message",
		"Checked against the topic's schema, stored, sealed for each recipient. 201: with the broker; 202: kept here until it can go.",
		draftDoc{}, map[string]any{"201": acceptedDoc{}, "202": acceptedDoc{}}, key)
	add(http.MethodPost, "messages/batch", "send-batch", "send", "Send up to 1000 messages",
		"As JSON or one message a line (NDJSON). Each has a result of its own, in order.",
		batchDoc{}, map[string]any{"200": resultsDoc{}}, key)
	add(http.MethodGet, "messages/{id}", "status", "send", "What became of a sent message",
		"State per recipient, from its signed receipts.", nil, map[string]any{"200": gateway.MessageStatus{}},
		param("id", "path", "string", "the message's id"))
	add(http.MethodGet, "messages", "receive", "receive", "Receive messages",
		"Waits for the first one up to wait. Messages that are not acknowledged within 30 s come again, marked.", nil,
		map[string]any{"200": messagesDoc{}}, append(pull[:4:4], param("wait", "query", "string", "how long to wait for the first, up to 60s"))...)
	add(http.MethodPost, "acks", "ack", "receive", "Acknowledge messages",
		"Once answered, they are not handed over again.", acksDoc{}, map[string]any{"200": ackedDoc{}})
	add(http.MethodGet, "stream", "stream", "receive", "Receive and send over a WebSocket",
		`The gateway sends message objects, as in receive. Send {"ack":["…"]} to acknowledge, answered {"acked":n}, and {"send":{…},"ref":"…"} to send, answered {"sent":{…},"ref":"…"} or {"problem":{…},"ref":"…"}. What was not acknowledged when the stream ends comes again at once, marked.`,
		nil, map[string]any{"101": nil}, append(pull[:4:4], param("window", "query", "integer", "messages that may be open, 1 to 10000, default 256"))...)
}
