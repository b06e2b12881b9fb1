package schema

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
)

// number is the judge of numbers, with or without fraction and exponent.
func (d *datatype) number(what string, fraction, exponent bool, extra [2]string) (judge, error) {
	point, group := byte('.'), byte(0)
	if d.Format != nil {
		var f struct {
			DecimalChar string `json:"decimalChar"`
			GroupChar   string `json:"groupChar"`
		}
		if err := members(d.Format, "the format of a number", &f, "decimalChar", "groupChar"); err != nil {
			return nil, err
		}
		if f.DecimalChar != "" {
			point = f.DecimalChar[0]
		}
		if f.GroupChar != "" {
			group = f.GroupChar[0]
		}
		if len(f.DecimalChar) > 1 || len(f.GroupChar) > 1 || point == group || strings.IndexByte("+-eE0123456789", point) >= 0 || strings.IndexByte("+-eE0123456789", group) >= 0 {
			return nil, errors.New("decimalChar and groupChar are one ASCII character each, not the same")
		}
	}
	low, high, err := limits(d, func(s string) (decimal, bool) { return parseDecimal([]byte(s), true, exponent) }, extra)
	if err != nil {
		return nil, err
	}
	bad := &fault{"datatype", "must be " + what}
	plainText := point == '.' && group == 0
	// Strictly between these floats nothing needs an exact comparison.
	inner, outer := math.Inf(-1), math.Inf(1)
	for _, l := range low {
		inner = max(inner, l.v.value())
	}
	for _, l := range high {
		outer = min(outer, l.v.value())
	}
	return func(cell []byte) *fault {
		if !plainText {
			if cell = respell(cell, point, group); cell == nil {
				return bad
			}
		}
		v, ok := parseDecimal(cell, fraction, exponent)
		switch {
		case !ok:
			return bad
		case v.near && v.f > inner && v.f < outer:
			return nil
		}
		return within(v, low, high, decimal.cmp)
	}, nil
}

// respell writes a number with other signs as one with a point, nil when it is
// none. Grouping signs stand between digits.
func respell(cell []byte, point, group byte) []byte {
	if len(cell) > maxNumber {
		return nil
	}
	out := make([]byte, 0, len(cell))
	digit := func(i int) bool { return i >= 0 && i < len(cell) && cell[i] >= '0' && cell[i] <= '9' }
	for i, c := range cell {
		switch {
		case group != 0 && c == group:
			if !digit(i-1) || !digit(i+1) {
				return nil
			}
		case c == point:
			out = append(out, '.')
		case c == '.':
			return nil
		default:
			out = append(out, c)
		}
	}
	return out
}

// decimal is a number by its digits, so that comparing never rounds; with an
// exponent, or without end, it is a float.
type decimal struct {
	neg         bool
	whole, part []byte // without leading, and trailing, zeros
	float       bool   // f is all there is
	near        bool   // f is the number, correctly rounded
	f           float64
}

// tens are powers of ten that floats hold exactly.
var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseDecimal reads a number; INF, -INF and NaN go with exponents.
func parseDecimal(b []byte, fraction, exponent bool) (d decimal, ok bool) {
	if len(b) == 0 || len(b) > maxNumber {
		return d, false
	}
	i := 0
	if b[0] == '-' || b[0] == '+' {
		d.neg = b[0] == '-'
		i++
	}
	start, mantissa, places := i, uint64(0), 0
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		mantissa = 10*mantissa + uint64(b[i]-'0') // of more than 15 digits it is not used
		i++
	}
	digits := i - start
	for d.whole = b[start:i]; len(d.whole) > 0 && d.whole[0] == '0'; {
		d.whole = d.whole[1:]
	}
	if i < len(b) && b[i] == '.' && fraction {
		i++
		start = i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			mantissa = 10*mantissa + uint64(b[i]-'0')
			i++
		}
		places = i - start
		digits += places
		for d.part = b[start:i]; len(d.part) > 0 && d.part[len(d.part)-1] == '0'; {
			d.part = d.part[:len(d.part)-1]
		}
	}
	if i == len(b) && digits > 0 {
		if d.near = digits <= 15; d.near {
			if d.f = float64(mantissa) / tens[places]; d.neg {
				d.f = -d.f
			}
		}
		return d, true
	}
	if !exponent {
		return d, false
	}
	d.float = true
	switch string(b) {
	case "INF":
		d.f = math.Inf(1)
		return d, true
	case "-INF":
		d.f = math.Inf(-1)
		return d, true
	case "NaN":
		d.f = math.NaN()
		return d, true
	}
	if digits == 0 || b[i] != 'e' && b[i] != 'E' {
		return d, false
	}
	for _, c := range b[i+1:] {
		if (c < '0' || c > '9') && c != '+' && c != '-' {
			return d, false
		}
	}
	f, err := strconv.ParseFloat(string(b), 64)
	d.f = f
	return d, err == nil
}

// value returns the number rounded to a float.
func (d decimal) value() float64 {
	if d.float || d.near {
		return d.f
	}
	f, _ := strconv.ParseFloat(string(d.whole)+"."+string(d.part)+"0", 64)
	if d.neg {
		return -f
	}
	return f
}

// cmp compares two numbers; what is not a number is below every bound.
func (d decimal) cmp(e decimal) int {
	// Rounding keeps the order of numbers that round to different floats.
	if d.float || e.float || d.near && e.near && d.f != e.f {
		switch a, b := d.value(), e.value(); {
		case a > b:
			return 1
		case a == b:
			return 0
		}
		return -1
	}
	c := compareDigits(d.whole, e.whole, d.part, e.part)
	zero := len(d.whole)+len(d.part)+len(e.whole)+len(e.part) == 0
	switch {
	case zero || d.neg == e.neg && !d.neg:
		return c
	case d.neg == e.neg:
		return -c
	case d.neg:
		if len(d.whole)+len(d.part) == 0 { // -0
			return c
		}
		return -1
	}
	if len(e.whole)+len(e.part) == 0 {
		return c
	}
	return 1
}

func compareDigits(aw, bw, ap, bp []byte) int {
	if len(aw) != len(bw) {
		return len(aw) - len(bw)
	}
	if c := bytes.Compare(aw, bw); c != 0 {
		return c
	}
	return bytes.Compare(ap, bp)
}
