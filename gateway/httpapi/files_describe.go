package httpapi

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
)

// describeFiles puts the operations whose bodies are content into the OpenAPI
// document.
func (a *api) describeFiles() {
	doc := a.API.OpenAPI()
	schemaOf := func(v any) *huma.Schema {
		return doc.Components.Schemas.Schema(reflect.TypeOf(v), true, "")
	}
	content := func(kind string) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{kind: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}
	}
	param := func(name, in, typ, text string) *huma.Param {
		return &huma.Param{Name: name, In: in, Description: text, Required: in == "path", Schema: &huma.Schema{Type: typ}}
	}
	refused := &huma.Response{Description: "a problem, with a stable code and a hint", Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: schemaOf(httpkit.Problem{})}}}
	add := func(method, path, id, summary, text string, public bool, in map[string]*huma.MediaType, out map[string]*huma.Response, params ...*huma.Param) {
		out["default"] = refused
		op := &huma.Operation{Method: method, Path: "/api/v1/" + path, OperationID: id, Summary: summary, Description: text, Parameters: params, Responses: out,
			Security: []map[string][]string{{"bearer": {}}, {"session": {}}}}
		if public {
			op.Security = []map[string][]string{}
		}
		if in != nil {
			op.RequestBody = &huma.RequestBody{Content: in}
		}
		doc.AddOperation(op)
	}
	id := param("id", "path", "string", "the file's id")
	add(http.MethodPost, "files", "post-file", "Upload a file, and send it, in one request",
		"The body is the content, its Content-Type the file's media type; it is sealed while it comes. With send=true it is sent on the channel once it is complete and passed the topic's schema. What is refused leaves nothing behind. Codes name_invalid, body_empty, too_large, content_encoding, storage_full, schema and those of sending. Needs the scope send.", false,
		content("*/*"), map[string]*huma.Response{"201": {Description: "Created", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf(gateway.Uploaded{})}}}},
		param("name", "query", "string", "file name, never a path, at most 255 bytes"), param("channel", "query", "string", "channel to send it on"),
		param("to", "query", "string", "DID of a recipient, again for several; absent: everybody whom the channel admits"),
		param("send", "query", "boolean", "send it as soon as it is complete"))
	ranges := []*huma.Param{id, param("Range", "header", "string", "a part of the content, such as bytes=0-1023"), param("If-Range", "header", "string", "an ETag: the range counts only while the content is that")}
	out := func() map[string]*huma.Response {
		return map[string]*huma.Response{"200": {Description: "the content", Content: content("*/*")}, "206": {Description: "a range of it", Content: content("*/*")}, "416": refused}
	}
	const scopes = " Needs the scope receive for received files, send for others."
	add(http.MethodGet, "files/{id}/content", "get-content", "The content of a file", "With ranges; the ETag is the SHA-256 of the content. Every byte was authenticated before it is handed out."+scopes, false, nil, out(), ranges...)
	add(http.MethodHead, "files/{id}/content", "head-content", "Size and hash of a file's content", "As get-content, without the content."+scopes, false, nil, out(), ranges...)

	version := param("Tus-Resumable", "header", "string", "1.0.0")
	offset := param("Upload-Offset", "header", "integer", "where this content begins: what HEAD said")
	none := func(code, text string) map[string]*huma.Response {
		return map[string]*huma.Response{code: {Description: text}}
	}
	add(http.MethodOptions, "uploads", "upload-options", "What is known of the tus protocol here", "Version, extensions and Tus-Max-Size.", true, nil, none("204", "in headers"))
	add(http.MethodPost, "uploads", "begin-upload", "Begin a resumable upload",
		"The protocol is tus 1.0 (https://tus.io) with creation, creation-with-upload, termination and expiration. Location of the answer is where PATCH goes on; its last member is the file's id once it is complete. What was answered survives a crash of the gateway. Needs the scope send.", false,
		content(tusType), none("201", "in headers: Location, Upload-Offset, Upload-Expires"), version, param("Upload-Length", "header", "integer", "bytes of the file"),
		param("Upload-Metadata", "header", "string", "pairs of name and base64 value: filename, filetype, channel, to, and send (true: send it once it is complete)"))
	add(http.MethodHead, "uploads/{id}", "head-upload", "Where an upload goes on", "A request that still sends to it is ended first. Needs the scope send.", false, nil,
		none("200", "in headers: Upload-Offset, Upload-Length, Upload-Expires"), id, version)
	add(http.MethodPatch, "uploads/{id}", "patch-upload", "Go on with an upload",
		"When it completes the file: Spine-File is the file's id and, where it was to be sent, Spine-Message the message's id and Spine-Message-State its state. A refusal then (such as schema) leaves nothing of the file. Needs the scope send.", false,
		content(tusType), none("204", "in headers: Upload-Offset, Upload-Expires, Spine-File, Spine-Message, Spine-Message-State"), id, version, offset)
	add(http.MethodPost, "uploads/{id}", "override-upload", "Go on with an upload, or end it, without PATCH and DELETE", "For clients behind something that knows neither: X-HTTP-Method-Override says which of the two is meant. Needs the scope send.", false,
		content(tusType), none("204", "as of the method that is meant"), id, version, offset, param("X-HTTP-Method-Override", "header", "string", "PATCH or DELETE"))
	add(http.MethodDelete, "uploads/{id}", "end-upload", "End an upload", "What came of it is deleted. Needs the scope send.", false, nil, none("204", "ended"), id, version)
}
