// Package ens knows names: their normal form (ENSIP-15), their hashes
// (EIP-137), what a registry and its resolver say about organisations,
// applications and roles, and how those are written.
//
// Everything it reads comes from the chain through the caller's own RPC
// client. It keeps no cache and judges no credential.
package ens
