// Package processes runs a spine's systems as processes of their own, as an
// operator would: one binary, one configuration file each, ready.json to know
// that a process can be used. Tests start, kill and stop them, and read in the
// participants' ledgers what became of the messages.
//
// It is for tests only, and it looks into no system: what it knows of one is in
// its data folder, its log and its API.
package processes
