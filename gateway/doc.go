// Package gateway is the vocabulary of the client gateway, the node that a
// participant runs for itself: channels, messages to send and received, their
// states, events, and the small interfaces between its rooms.
//
//	gateway/identity   the instance's own keys and papers
//	gateway/trust      what it believes about others
//	gateway/outbox     accept, seal, commit, publish, resend
//	gateway/intake     check, store, hand over
//	gateway/fetch      bodies that lie in the blob store
//	gateway/issuer     credentials and status lists it signs for others
//	gateway/httpapi    all of it over HTTP and WebSocket
//
// It does no input or output, holds no keys, and imports none of its rooms.
package gateway
