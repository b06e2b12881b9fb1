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
// What is long lies elsewhere: a body for many recipients goes to the broker's
// blob store once and everybody gets a notice, and a file, or a body too long for
// a message, travels in sealed parts beside its description. Neither is named in
// anything published before it is there.
//
// Marks tell recipients which number would be next, so that they find out when
// the last messages were withheld. Each message has a timeline, and all of them
// are a log that can be paged through.
//
// The package does not decide whom to believe (package trust), does not know
// how bytes travel (package bus) and never reads what other gateways send
// except their receipts (package intake reads the rest).
package outbox
