package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// datatype is a column's datatype as JSON.
type datatype struct {
	Base         string          `json:"base"`
	Format       json.RawMessage `json:"format"`
	Length       *int            `json:"length"`
	MinLength    *int            `json:"minLength"`
	MaxLength    *int            `json:"maxLength"`
	Minimum      limitText       `json:"minimum"`
	Maximum      limitText       `json:"maximum"`
	MinInclusive limitText       `json:"minInclusive"`
	MaxInclusive limitText       `json:"maxInclusive"`
	MinExclusive limitText       `json:"minExclusive"`
	MaxExclusive limitText       `json:"maxExclusive"`
}

// limitText is a bound as it is written: a number or a text.
type limitText string

// UnmarshalJSON implements json.Unmarshaler.
func (l *limitText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(l))
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*l = limitText(n)
	return nil
}

// integers are the bases that are whole numbers, with the bounds they bring.
var integers = map[string][2]string{
	"integer": {}, "long": {"-9223372036854775808", "9223372036854775807"}, "int": {"-2147483648", "2147483647"},
	"short": {"-32768", "32767"}, "byte": {"-128", "127"}, "nonNegativeInteger": {"0", ""}, "positiveInteger": {"1", ""},
	"nonPositiveInteger": {"", "0"}, "negativeInteger": {"", "-1"}, "unsignedLong": {"0", "18446744073709551615"},
	"unsignedInt": {"0", "4294967295"}, "unsignedShort": {"0", "65535"}, "unsignedByte": {"0", "255"},
}

// compileDatatype makes the judge of a datatype; text says that white space is
// part of the value.
func compileDatatype(raw json.RawMessage) (j judge, text bool, err error) {
	d := datatype{Base: "string"}
	if raw != nil {
		if json.Unmarshal(raw, &d.Base) != nil {
			if err := members(raw, "a datatype", &d, "name", "base", "format", "length", "minLength", "maxLength",
				"minimum", "maximum", "minInclusive", "maxInclusive", "minExclusive", "maxExclusive"); err != nil {
				return nil, false, err
			}
		}
	}
	bounded := d.Minimum+d.Maximum+d.MinInclusive+d.MaxInclusive+d.MinExclusive+d.MaxExclusive != ""
	sized := d.Length != nil || d.MinLength != nil || d.MaxLength != nil
	whole, isInteger := integers[d.Base]
	switch {
	case isInteger:
		j, err = d.number("a whole number", false, false, whole)
	case d.Base == "decimal":
		j, err = d.number("a decimal number", true, false, [2]string{})
	case d.Base == "number", d.Base == "double", d.Base == "float":
		j, err = d.number("a number", true, true, [2]string{})
	case d.Base == "boolean":
		j, err = d.boolean()
	case dates[d.Base] != "":
		j, err = d.date()
	case d.Base == "string", d.Base == "normalizedString", d.Base == "token", d.Base == "anyURI", d.Base == "any", d.Base == "anyAtomicType":
		text = d.Base == "string" || d.Base == "any" || d.Base == "anyAtomicType"
		if bounded {
			return nil, false, errors.New("texts have no minimum and maximum")
		}
		j, err = d.str()
		return j, text, err
	default:
		err = fmt.Errorf("datatype %q is not known here", clip(d.Base))
	}
	if err == nil && sized {
		err = errors.New("only texts have a length")
	}
	return j, false, err
}

// str is the judge of texts.
func (d *datatype) str() (judge, error) {
	low, high := -1, -1
	for _, l := range []*int{d.Length, d.MinLength, d.MaxLength} {
		if l != nil && *l < 0 {
			return nil, errors.New("a length is not negative")
		}
	}
	if d.MinLength != nil {
		low = *d.MinLength
	}
	if d.MaxLength != nil {
		high = *d.MaxLength
	}
	if d.Length != nil {
		low, high = *d.Length, *d.Length
	}
	short := &fault{"minLength", fmt.Sprintf("must have at least %d characters", low)}
	long := &fault{"maxLength", fmt.Sprintf("must have at most %d characters", high)}
	format, err := d.formatText()
	if err != nil {
		return nil, err
	}
	var re *matcher
	if format != "" {
		if re, err = compileMatcher(format); err != nil {
			return nil, fmt.Errorf("format is not a regular expression: %w", err)
		}
	}
	mismatch := &fault{"format", "must match the pattern " + clip(format)}
	uri := d.Base == "anyURI"
	bad := &fault{"datatype", "must be a URI"}
	if low <= 0 && high < 0 && re == nil && !uri {
		return nil, nil
	}
	return func(cell []byte) *fault {
		if low > 0 || high >= 0 {
			switch n := utf8.RuneCount(cell); {
			case n < low:
				return short
			case high >= 0 && n > high:
				return long
			}
		}
		if re != nil && !re.match(cell) {
			return mismatch
		}
		if uri {
			if _, err := url.Parse(string(cell)); err != nil || strings.ContainsAny(string(cell), " <>\"") {
				return bad
			}
		}
		return nil
	}, nil
}

// formatText returns the format where it is one text.
func (d *datatype) formatText() (string, error) {
	if d.Format == nil {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(d.Format, &s); err != nil {
		return "", errors.New("the format of this datatype is a text")
	}
	return s, nil
}

func (d *datatype) boolean() (judge, error) {
	format, err := d.formatText()
	if err != nil {
		return nil, err
	}
	yes, no, ok := strings.Cut(format, "|")
	f := &fault{"datatype", "must be true, false, 1 or 0"}
	if format != "" {
		if !ok || yes == "" || no == "" || yes == no {
			return nil, errors.New("the format of a boolean is its two texts, such as Y|N")
		}
		f = &fault{"format", "must be " + clip(yes) + " or " + clip(no)}
	}
	return func(cell []byte) *fault {
		switch s := string(cell); {
		case format != "" && (s == yes || s == no):
			return nil
		case format == "" && (s == "true" || s == "false" || s == "1" || s == "0"):
			return nil
		}
		return f
	}, nil
}

// limit is one end of a range.
type limit[T any] struct {
	v     T
	open  bool
	fault *fault
}

// limits reads the bounds of a datatype, in the order low, high.
func limits[T any](d *datatype, parse func(string) (T, bool), extra [2]string) (low, high []limit[T], err error) {
	add := func(to *[]limit[T], text limitText, open bool, keyword, says string) {
		if text == "" || err != nil {
			return
		}
		v, ok := parse(string(text))
		if !ok {
			err = fmt.Errorf("%s is not a value of the datatype", keyword)
		}
		*to = append(*to, limit[T]{v, open, &fault{keyword, "must be " + says + " " + clip(string(text))}})
	}
	add(&low, limitText(extra[0]), false, "datatype", "at least")
	add(&high, limitText(extra[1]), false, "datatype", "at most")
	add(&low, d.Minimum, false, "minimum", "at least")
	add(&low, d.MinInclusive, false, "minInclusive", "at least")
	add(&low, d.MinExclusive, true, "minExclusive", "more than")
	add(&high, d.Maximum, false, "maximum", "at most")
	add(&high, d.MaxInclusive, false, "maxInclusive", "at most")
	add(&high, d.MaxExclusive, true, "maxExclusive", "less than")
	return low, high, err
}

// within returns the fault of a value outside its range.
func within[T any](v T, low, high []limit[T], cmp func(a, b T) int) *fault {
	for i := range low {
		if c := cmp(v, low[i].v); c < 0 || c == 0 && low[i].open {
			return low[i].fault
		}
	}
	for i := range high {
		if c := cmp(v, high[i].v); c > 0 || c == 0 && high[i].open {
			return high[i].fault
		}
	}
	return nil
}
