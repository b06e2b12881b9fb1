// Package interop tests whole spines: all systems in one process, and the same
// systems as processes of their own that share nothing but sockets.
//
// It holds no code for anybody to import.
package interop
