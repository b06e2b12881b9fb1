// Package intake is the recipient of the message protocol: the one reader of a
// gateway instance's mailbox. It checks grants, envelopes and receipts in the
// protocol's order (cheap first), keeps the ledger of every session until its
// sender's retention has passed, stores what passed re-sealed under a local
// key, and only then acknowledges to the broker.
//
// One goroutine, the loop, owns all state and works in rounds: it takes what
// the mailbox, the judges of grants, the clock and changes of trust brought,
// decides, writes ONE transaction, and only after that acknowledges, answers
// and reports. The dear parts of a round (signatures, decryption, schemas)
// run on all cores. Grants that need look-ups are judged by a bounded pool; the
// loop never waits for one.
//
// What travels apart from its message (the body of a notice, the parts of
// objects) is awaited: its entry has its place in the chain and is committed,
// but not in custody; receipts stop before it, and a strict lane waits for it.
// Bodies come through package fetch, objects through Objects. Marks show what
// was withheld at the end of a lane; a lane that is watched and says nothing is
// reported.
//
// It never answers NAK, never believes the broker, and hands nothing over
// itself: that is package inbox. It does not send: receipts go out through
// Replies, and are owed until they went; receipts that come in go to ReceiptSink,
// and are acknowledged when it dealt with them, or when newer ones of their sender
// took their room: what is not acknowledged is bounded.
//
// What is unsettled is stored as that, so that the next process, or this one
// after a round that failed, takes up what waited: it starts from the store alone.
package intake
