// Package attack plays the attackers: operators and participants who do what
// their powers allow and more. Each test asserts the exact refusal, code or
// event that docs/guarantees.md promises; docs/attacks.md lists them all, these
// and those in other packages. It holds tests only.
package attack
