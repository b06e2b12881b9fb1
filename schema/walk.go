package schema

// Object walks a JSON text that must be one object and calls each with every
// member's name, unescaped, and the bytes of its value, all in one pass with
// the checks of CheckJSON. The slices are parts of doc (a name with escapes is
// a copy); an error of each ends the walk. A text that is not an object has the
// code json_invalid. See Limits.Checked for parts of a text that was walked.
func Object(doc []byte, l Limits, each func(name, value []byte) error) error {
	c, err := begin(doc, l, '{', "an object is expected here")
	if err != nil {
		return err
	}
	c.i++
	c.space()
	if c.i < len(c.b) && c.b[c.i] == '}' {
		c.i++
		return c.end()
	}
	mark := c.names.open()
	for {
		c.space()
		if c.i >= len(c.b) || c.b[c.i] != '"' {
			return c.fail("a name is expected here")
		}
		at := c.i
		name, escaped, err := c.text()
		if err != nil {
			return err
		}
		if escaped {
			name = unescape(nil, name)
		}
		if c.names.twice(mark, name) {
			return c.duplicate(at)
		}
		c.space()
		if c.i >= len(c.b) || c.b[c.i] != ':' {
			return c.fail("a colon is expected here")
		}
		c.i++
		c.space()
		start := c.i
		if err := c.member(l); err != nil {
			return err
		}
		if err := each(name, c.b[start:c.i:c.i]); err != nil {
			return err
		}
		c.space()
		switch {
		case c.i < len(c.b) && c.b[c.i] == ',':
			c.i++
		case c.i < len(c.b) && c.b[c.i] == '}':
			c.i++
			return c.end()
		default:
			return c.fail("a comma or the end of the object is expected here")
		}
	}
}

// Array is Object for one array.
func Array(doc []byte, l Limits, each func(value []byte) error) error {
	c, err := begin(doc, l, '[', "an array is expected here")
	if err != nil {
		return err
	}
	c.i++
	c.space()
	if c.i < len(c.b) && c.b[c.i] == ']' {
		c.i++
		return c.end()
	}
	for {
		c.space()
		start := c.i
		if err := c.member(l); err != nil {
			return err
		}
		if err := each(c.b[start:c.i:c.i]); err != nil {
			return err
		}
		c.space()
		switch {
		case c.i < len(c.b) && c.b[c.i] == ',':
			c.i++
		case c.i < len(c.b) && c.b[c.i] == ']':
			c.i++
			return c.end()
		default:
			return c.fail("a comma or the end of the array is expected here")
		}
	}
}

// member passes the value of a member or an element.
func (c *checker) member(l Limits) error {
	if !l.Checked {
		return c.value(1)
	}
	return c.step()
}

// step passes a value that was checked before: it looks for its end alone. On
// bytes that were not checked it may find a wrong end, but does no harm.
func (c *checker) step() error {
	for level := 0; c.i < len(c.b); {
		switch c.b[c.i] {
		case '"':
			if _, _, err := c.text(); err != nil {
				return err
			}
		case '{', '[':
			level++
			c.i++
		case '}', ']':
			if level == 0 {
				return nil // the end of what a number or a word stands in
			}
			level--
			c.i++
		case ',', ' ', '\t', '\n', '\r':
			if level == 0 {
				return nil
			}
			c.i++
			continue
		default: // a number, a word, a colon
			c.i++
			if level == 0 {
				continue
			}
		}
		if level == 0 {
			return nil
		}
	}
	return nil
}

// Text returns the text of a JSON string as Object or Array gave it, and
// whether it is a string.
func Text(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	raw := value[1 : len(value)-1]
	for _, c := range raw {
		if c == '\\' {
			return string(unescape(make([]byte, 0, len(raw)), raw)), true
		}
	}
	return string(raw), true
}

func begin(doc []byte, l Limits, open byte, expected string) (*checker, error) {
	if l.Depth <= 0 {
		l.Depth = MaxDepth
	}
	c := &checker{b: doc, limit: l.Depth}
	c.space()
	if c.i == len(doc) {
		return nil, &Error{Code: CodeEmpty, Message: "there is no document"}
	}
	if doc[c.i] != open {
		return nil, c.fail(expected)
	}
	return c, nil
}

func (c *checker) end() error {
	c.space()
	if c.i != len(c.b) {
		return c.fail("there is something after the end of the document")
	}
	return nil
}
