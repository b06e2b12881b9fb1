package schema

import (
	"errors"
	"regexp"
	"regexp/syntax"
)

// matcher is a regular expression that must match a whole cell. Most patterns
// of tables are a few characters of given kinds one after the other, or a choice
// of words: those are matched byte by byte, which is many times faster; the
// others by package regexp.
type matcher struct {
	re    *regexp.Regexp
	runs  []run
	words []string
}

// run is a kind of ASCII characters, at least min and at most max times, -1 for
// any number.
type run struct {
	in       [2]uint64 // bits of the characters
	min, max int
}

func (r *run) holds(c byte) bool { return c < 0x80 && r.in[c>>6]&(1<<(c&63)) != 0 }

func (r *run) add(c rune) { r.in[c>>6] |= 1 << (c & 63) }

// maxPattern bounds a pattern, in steps of a program that matches it: somebody
// else wrote it, and every character of a cell may cost as many.
const maxPattern = 1_000

func compileMatcher(pattern string) (*matcher, error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if steps(tree) > maxPattern {
		return nil, errors.New("it is too long, or repeats too much")
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return nil, err
	}
	m := &matcher{re: re, words: words(tree)}
	if m.words == nil {
		m.runs = runs(tree)
	}
	return m, nil
}

// steps estimates the length of the program for a pattern.
func steps(t *syntax.Regexp) int {
	n := 1
	switch t.Op {
	case syntax.OpLiteral:
		n = len(t.Rune)
	case syntax.OpCharClass:
		n = 1 + len(t.Rune)/8
	}
	for _, s := range t.Sub {
		n = min(n+steps(s), maxPattern+1)
	}
	if t.Op == syntax.OpRepeat {
		n *= max(t.Min, t.Max, 1)
	}
	return min(n, maxPattern+1)
}

// match reports whether the whole cell matches.
func (m *matcher) match(cell []byte) bool {
	switch {
	case m.words != nil:
		for _, w := range m.words {
			if w == string(cell) {
				return true
			}
		}
		return false
	case m.runs == nil:
		return m.re.Match(cell)
	}
	i := 0
	for k := range m.runs {
		r := &m.runs[k]
		start := i
		for i < len(cell) && r.holds(cell[i]) && (r.max < 0 || i-start < r.max) {
			i++
		}
		if i-start < r.min {
			return false
		}
	}
	return i == len(cell)
}

// words returns the texts that a choice of literals allows, nil when it is
// something else.
func words(t *syntax.Regexp) []string {
	for t.Op == syntax.OpCapture {
		t = t.Sub[0]
	}
	switch t.Op {
	case syntax.OpLiteral:
		if t.Flags&syntax.FoldCase == 0 {
			return []string{string(t.Rune)}
		}
	case syntax.OpAlternate:
		var all []string
		for _, s := range t.Sub {
			w := words(s)
			if w == nil {
				return nil
			}
			all = append(all, w...)
		}
		return all
	case syntax.OpConcat: // the parser takes what words begin with out of a choice
		all := []string{""}
		for _, s := range t.Sub {
			w := words(s)
			if s.Op == syntax.OpCharClass {
				w = class(s)
			}
			if w == nil || len(all)*len(w) > 64 {
				return nil
			}
			var next []string
			for _, a := range all {
				for _, b := range w {
					next = append(next, a+b)
				}
			}
			all = next
		}
		return all
	case syntax.OpCharClass:
		return class(t)
	case syntax.OpEmptyMatch:
		return []string{""}
	}
	return nil
}

// class returns the characters of a small class.
func class(t *syntax.Regexp) (all []string) {
	for i := 0; i < len(t.Rune); i += 2 {
		for r := t.Rune[i]; r <= t.Rune[i+1]; r++ {
			if all = append(all, string(r)); len(all) > 16 {
				return nil
			}
		}
	}
	return all
}

// runs returns the runs that a pattern consists of, nil when taking as many
// characters as fit for each in turn could miss a match.
func runs(t *syntax.Regexp) (all []run) {
	parts := []*syntax.Regexp{t}
	if t.Op == syntax.OpConcat {
		parts = t.Sub
	}
	for _, p := range parts {
		low, high := 1, 1
		switch p.Op {
		case syntax.OpStar:
			low, high, p = 0, -1, p.Sub[0]
		case syntax.OpPlus:
			low, high, p = 1, -1, p.Sub[0]
		case syntax.OpQuest:
			low, high, p = 0, 1, p.Sub[0]
		case syntax.OpRepeat:
			low, high, p = p.Min, p.Max, p.Sub[0]
		}
		switch {
		case p.Op == syntax.OpLiteral && p.Flags&syntax.FoldCase == 0 && (len(p.Rune) == 1 || low == 1 && high == 1):
			for _, c := range p.Rune {
				if c >= 0x80 {
					return nil
				}
				one := run{min: low, max: high}
				one.add(c)
				all = append(all, one)
			}
		case p.Op == syntax.OpCharClass:
			one := run{min: low, max: high}
			for i := 0; i < len(p.Rune); i += 2 {
				if p.Rune[i+1] >= 0x80 {
					return nil
				}
				for c := p.Rune[i]; c <= p.Rune[i+1]; c++ {
					one.add(c)
				}
			}
			all = append(all, one)
		default:
			return nil
		}
	}
	for i := range all {
		if all[i].min == all[i].max {
			continue
		}
		// What follows must not begin with what this run takes, up to the next
		// run that is there in any case.
		for j := i + 1; j < len(all); j++ {
			if all[i].in[0]&all[j].in[0] != 0 || all[i].in[1]&all[j].in[1] != 0 {
				return nil
			}
			if all[j].min > 0 {
				break
			}
		}
	}
	return all
}
