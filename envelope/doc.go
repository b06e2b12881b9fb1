// Package envelope protects messages: it is Parts A and B of docs/protocol.md
// as code. It holds every structure that crosses the wire or stands in the
// directory, one file each, makes and opens them, and has every check of the
// protocol as a function over bytes, times and small interfaces.
//
// # What to call
//
// Each structure T has ParseT, which takes bytes from outside and accepts
// nothing but the one canonical encoding within its limits; NewT, which signs;
// and the methods Bytes, Digest (what other structures name it by) and, where
// results may be cached, Sum (over all its bytes). Parsing is cheap and
// believes nothing. Signatures, proofs, windows and floors are checked by
// methods of their own, so that a caller can put the cheap ones first, in the
// order of section 13:
//
//   - a sender checks [Certificate], [Package] and [Topic], makes a [Core],
//     seals a box and signs a [Grant] for each member, and then calls
//     [SessionKeys.Seal] for each envelope;
//   - a recipient calls [KindOf], then [ParseGrant] or [ParseEnvelope], the
//     checks G1 to G11 or E1 to E13, and [SessionKeys.Open];
//   - a body for many travels apart from its [Notice], a file as the sealed parts
//     of an [Object]: [SealPart], [Object.OpenPart];
//   - [Receipt] goes back; a [Mark] shows a tail that was withheld; [Login] and
//     [Status] serve broker and hub.
//
// Every error is an [*Error] with a [Code] of the one list of section 18; the
// list itself is data, see [Errors].
//
// # What it is not
//
// The package does no I/O, starts no goroutine, has no clock and keeps no
// keys: time is passed in (milliseconds since 1970), keys stay behind
// [DIDSigner] and [InstanceSigner], and what needs memory (ledger, floors,
// generations, budgets) is given as plain values. It decides nothing about
// roles or channels.
package envelope
