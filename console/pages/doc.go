// Package pages are the console's pages and the fragments of them that are
// loaded again while something happens. Each page is a struct of what it shows
// and a component that shows it.
//
// Pages call nothing: package console asks the gateway's API and hands over
// what it answered, and the problems where it did not.
package pages
