// Package components are the parts that the console's pages are made of: the
// frame around every page, and small things such as a time, an id, a state or a
// problem, each looking the same everywhere.
//
// They only show what they are given: they call nothing and decide nothing.
// Everything shown is escaped by templ; there is no script and no style in the
// markup (the console's content security policy forbids both).
package components
