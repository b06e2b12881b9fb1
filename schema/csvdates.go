package schema

import (
	"cmp"
	"errors"
	"strings"
)

// dates are the bases that are points in time, with the format they have
// unless another is given.
var dates = map[string]string{
	"date": "yyyy-MM-dd", "time": "HH:mm:ss.SSSSSSSSS", "dateTime": "yyyy-MM-ddTHH:mm:ss.SSSSSSSSS", "datetime": "yyyy-MM-ddTHH:mm:ss.SSSSSSSSS",
	"dateTimeStamp": "yyyy-MM-ddTHH:mm:ss.SSSSSSSSSXXX",
}

// stamp is a point in time: seconds since the year 1, and nanoseconds. Without
// a time zone it is taken as UTC.
type stamp struct{ s, ns int64 }

func (a stamp) cmp(b stamp) int {
	return cmp.Or(cmp.Compare(a.s, b.s), cmp.Compare(a.ns, b.ns))
}

// field is one piece of a format: a letter n times, or a sign.
type field struct {
	letter byte // y M d H m s S X x, or 0
	n      int
	sign   byte
	maybe  bool // the zone may be absent
}

// pattern is a format of dates, as UTS 35 writes the few that CSV on the Web
// knows: yyyy, MM or M, dd or d, HH, mm, ss, S, X and signs between them.
type pattern []field

func compilePattern(format string, free bool) (pattern, error) {
	var p pattern
	seen := ""
	for i := 0; i < len(format); {
		c := format[i]
		n := 1
		for i+n < len(format) && format[i+n] == c {
			n++
		}
		i += n
		switch {
		case strings.IndexByte("yMdHmsSXx", c) >= 0:
			ok := strings.IndexByte(seen, c) < 0
			switch c {
			case 'y':
				ok = ok && n == 4
			case 'M', 'd':
				ok = ok && n <= 2
			case 'H', 'm', 's':
				ok = ok && n == 2
			case 'S':
				ok = ok && n <= 9
			default:
				ok = ok && n <= 3 && i == len(format)
			}
			if !ok {
				return nil, errors.New("the format of a date is made of yyyy, MM, M, dd, d, HH, mm, ss, S, X and signs between them, each once")
			}
			seen += string(c)
			p = append(p, field{letter: c, n: n})
		case c == 'T' || c == ' ' || c == '-' || c == '/' || c == '.' || c == ':':
			for range n {
				p = append(p, field{sign: c})
			}
		default:
			return nil, errors.New("the format of a date has a sign that is not known")
		}
	}
	for i := 0; i+1 < len(p); i++ {
		if p[i].n == 1 && p[i].letter != 'S' && p[i].letter != 0 && p[i+1].letter != 0 {
			return nil, errors.New("digits of unknown number must be followed by a sign")
		}
	}
	if free {
		p = append(p, field{letter: 'X', n: 3, maybe: true})
	}
	return p, nil
}

// parse reads a date.
func (p pattern) parse(b []byte) (stamp, bool) {
	year, month, day, hour, minute, second, ns, offset := 1, 1, 1, 0, 0, 0, 0, 0
	for k := 0; k < len(p); k++ {
		f := &p[k]
		if f.letter == 0 {
			if f.sign == '.' && k+1 < len(p) && p[k+1].letter == 'S' {
				// The fraction may be absent, with its point.
				k++
				if len(b) > 0 && b[0] == '.' {
					var ok bool
					if ns, b, ok = fractionOf(b[1:], p[k].n); !ok {
						return stamp{}, false
					}
				}
				continue
			}
			if len(b) == 0 || b[0] != f.sign {
				return stamp{}, false
			}
			b = b[1:]
			continue
		}
		ok := true
		switch f.letter {
		case 'y':
			year, b, ok = digitsOf(b, 4, 4)
		case 'M':
			month, b, ok = digitsOf(b, f.n, 2)
		case 'd':
			day, b, ok = digitsOf(b, f.n, 2)
		case 'H':
			hour, b, ok = digitsOf(b, 2, 2)
		case 'm':
			minute, b, ok = digitsOf(b, 2, 2)
		case 's':
			second, b, ok = digitsOf(b, 2, 2)
		case 'S':
			ns, b, ok = fractionOf(b, f.n)
		default:
			if len(b) > 0 || !f.maybe {
				offset, b, ok = zoneOf(b, f)
			}
		}
		if !ok {
			return stamp{}, false
		}
	}
	if len(b) > 0 || year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return stamp{}, false
	}
	return stamp{int64(daysUntil(year, month, day))*86400 + int64(hour*3600+minute*60+second-offset*60), int64(ns)}, true
}

// digitsOf reads a number of low to high digits.
func digitsOf(b []byte, low, high int) (v int, rest []byte, ok bool) {
	i := 0
	for i < len(b) && i < high && b[i] >= '0' && b[i] <= '9' {
		v = 10*v + int(b[i]-'0')
		i++
	}
	return v, b[i:], i >= low
}

// fractionOf reads the digits of a fraction of a second; those beyond
// nanoseconds are refused.
func fractionOf(b []byte, limit int) (ns int, rest []byte, ok bool) {
	i, unit := 0, 100_000_000
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		ns += unit * int(b[i]-'0')
		unit /= 10
		i++
	}
	return ns, b[i:], i >= 1 && i <= limit
}

// zoneOf reads a time zone: Z (not for x), +hh, +hhmm or +hh:mm, by how often
// its letter stands.
func zoneOf(b []byte, f *field) (minutes int, rest []byte, ok bool) {
	if len(b) > 0 && b[0] == 'Z' {
		return 0, b[1:], f.letter == 'X'
	}
	if len(b) == 0 || b[0] != '+' && b[0] != '-' {
		return 0, b, false
	}
	neg := b[0] == '-'
	h, b, ok := digitsOf(b[1:], 2, 2)
	m := 0
	if ok && f.n == 3 {
		if len(b) == 0 || b[0] != ':' {
			return 0, b, false
		}
		b = b[1:]
	}
	if ok && (f.n > 1 || len(b) > 0) {
		m, b, ok = digitsOf(b, 2, 2)
	}
	if h > 14 || m > 59 {
		return 0, b, false
	}
	if minutes = 60*h + m; neg {
		minutes = -minutes
	}
	return minutes, b, ok
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysUntil counts the days before a date, from the first of March of year 0.
func daysUntil(year, month, day int) int {
	if month < 3 {
		year--
		month += 12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day
}

// date is the judge of dates.
func (d *datatype) date() (judge, error) {
	format, err := d.formatText()
	if err != nil {
		return nil, err
	}
	standard, err := compilePattern(dates[d.Base], d.Base != "dateTimeStamp")
	if err != nil {
		return nil, err
	}
	p := standard
	bad := &fault{"datatype", "must be a " + d.Base + " such as " + strings.TrimSuffix(dates[d.Base], ".SSSSSSSSS")}
	if d.Base == "dateTimeStamp" {
		bad = &fault{"datatype", "must be a date and time with its time zone"}
	}
	if format != "" {
		if p, err = compilePattern(format, false); err != nil {
			return nil, err
		}
		bad = &fault{"format", "must be written " + clip(format)}
	}
	parse := func(s string) (stamp, bool) {
		if v, ok := standard.parse([]byte(s)); ok {
			return v, true
		}
		return p.parse([]byte(s))
	}
	low, high, err := limits(d, parse, [2]string{})
	if err != nil {
		return nil, err
	}
	return func(cell []byte) *fault {
		v, ok := p.parse(cell)
		if !ok {
			return bad
		}
		return within(v, low, high, stamp.cmp)
	}, nil
}
