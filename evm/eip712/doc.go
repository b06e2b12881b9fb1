// Package eip712 hashes and checks typed data of EIP-712, as far as this
// project signs any: flat structs (no nested struct, no array) under one
// domain, by an externally owned key.
//
// It is not a general EIP-712 implementation: nested types, arrays and
// signatures of contracts (EIP-1271) are refused. It keeps no keys and does no
// I/O.
package eip712
