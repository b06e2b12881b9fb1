// Package files keeps the files of a participant at its gateway: those it
// uploads, sends and receives.
//
// A stored file is a sealed object (protocol section 21). Content that arrives
// is sealed part by part under a key made for it, which is kept wrapped by the
// keyring; the sealed parts lie in a local blob store under their hashes. The
// same parts go to the broker as they are, and a received object's parts stay
// as they came. So nothing lies in clear on disk, memory is a few parts
// whatever the size of a file, and a part is pushed while the next arrives.
//
//	upload    Begin, Append, Finish: resumable at what the last answer said
//	content   Open, Verify: any range, opened on the way out
//	outbox    Info, Check, Pushed, Frame, Repush, Release: an object to send
//	intake    Take: a received object's parts brought into custody
//
// It sends no message itself and judges no sender: outbox and intake do. It
// never uses a name that somebody gave as a path.
package files
