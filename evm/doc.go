// Package evm speaks to an EVM chain over plain JSON-RPC: a client, a
// transactor that signs through somebody else's key and waits for receipts
// without dawdling, and a follower that delivers the logs of contracts in
// order and outlives the loss of its endpoint.
//
// It knows no contract (see evm/contract), holds no key and is not a node
// (see evm/devchain).
package evm
