// Package devchain is an EVM chain inside the process: go-ethereum as a
// library, one node without peers, mining each transaction at once, with
// JSON-RPC over loopback HTTP. It is for development, tests and small
// installations.
//
// What it has answered survives kill -9 and power loss. It is not a public
// node: there is no consensus, whoever runs it writes the chain, and its
// faucet key, made at random for each data directory, owns nearly all of the
// coin. Built with the tag nochain the package contains no node, and Start
// says so.
package devchain
