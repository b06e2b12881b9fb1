// Package outbox sends a gateway's messages: it accepts them, seals them into
// signed envelopes for verified recipients, commits the sealed bytes, and only
// then publishes them; it reads the receipts that come back and sends again
// what a recipient misses.
//
// Everything rests on one order: number, seal, COMMIT, publish. A crash before
// the commit leaves nothing behind; after it, the same bytes are published
// again. A session's secret is never read back from the store to seal with, so
// no restart, restore or clone can repeat a key, a nonce or a number.
//
// Messages of one lane (a channel and a recipient selection) gather while its
// last publish is in flight, so that one signature, one commit and one publish
// serve many callers, and a message alone does not wait.
//
// The package does not decide whom to believe (package trust), does not know
// how bytes travel (package bus) and never reads what other gateways send
// except their receipts (package intake reads the rest).
package outbox
