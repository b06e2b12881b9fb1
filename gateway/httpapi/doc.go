// Package httpapi is the client gateway's API /api/v1 over HTTP and WebSocket:
// messages, channels, events, topics, names, roles, enrolments, credentials and
// API keys, described in OpenAPI 3.1.
//
// Sending and receiving are decoded and written by hand, because they are the
// path of every message: bodies stay the bytes that came. Everything else is
// registered with its Go types. No answer and no log line repeats the content
// of a message.
//
// It holds no rules of its own: it translates between HTTP and the rooms below
// the package gateway.
package httpapi
