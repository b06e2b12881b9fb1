// Package house holds the tests that test the repository itself: every package
// says what it is for, rooms import only what they may, dependencies are
// reviewed, the README's commands exist, nothing secret lies in the tree.
//
// It holds no code for anybody to import.
package house
