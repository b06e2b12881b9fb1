// Package ethr knows the DID method did:ethr: the normal form of its names,
// and the state of a DID as the events of an ERC-1056 registry tell it at a
// chain head that the caller's own RPC endpoint gave.
//
// The state says which addresses may sign for the DID. Everything that is
// judged by a DID's key (certificates, records, credentials) asks here, and
// never a document that somebody else serves. The package writes nothing to
// the chain.
package ethr
