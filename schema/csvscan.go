package schema

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Classes of bytes within a cell.
const (
	plainByte   = iota
	delimByte   // between cells
	lineByte    // LF
	returnByte  // CR
	quoteByte   //
	wideByte    // of a character beyond ASCII
	controlByte //
)

func (t *csvTable) classify() {
	for i := range t.class {
		switch {
		case i >= 0x80:
			t.class[i] = wideByte
		case i < 0x20 && i != '\t' || i == 0x7f:
			t.class[i] = controlByte
		}
	}
	t.class['\n'], t.class['\r'] = lineByte, returnByte
	t.class[t.delim] = delimByte
	if t.quote >= 0 {
		t.class[t.quote] = quoteByte
	}
}

// cell is where a cell lies in the buffer, without its quotes.
type cell struct {
	from, to int
	doubled  bool // it holds quotes that are doubled
}

// scanner reads one table, record by record. Its memory is one buffer, which
// grows to MaxRecord at most, and the keys seen where the table has a key.
type scanner struct {
	t   *csvTable
	r   io.Reader
	b   []byte
	n   int // bytes of b that are filled
	at  int // where the record begins
	eof bool

	row, line int64 // of the record that begins at at
	cells     []cell
	scratch   []byte
	keys      *keyset
}

// firstBuffer is what a scanner begins with, in bytes; most records are far
// shorter, so that reading ahead seldom scans one twice.
const firstBuffer = 64 << 10

func (s *scanner) run() error {
	s.b = make([]byte, firstBuffer)
	s.cells = make([]cell, 0, len(s.t.columns))
	if len(s.t.key) > 0 {
		s.keys = newKeyset()
	}
	if err := s.fill(); err != nil {
		return err
	}
	if bytes.HasPrefix(s.b[:s.n], []byte("\xef\xbb\xbf")) {
		s.at = 3
	}
	if s.at == s.n {
		return &Error{Code: CodeEmpty, Message: "there is no content"}
	}
	s.row, s.line = 1, 1
	for {
		next, lines, err := s.split()
		if err != nil {
			return err
		}
		if next < 0 { // the record goes on behind the buffer
			if err := s.fill(); err != nil {
				return err
			}
			continue
		}
		if next == s.at {
			return nil
		}
		if s.row == 1 && s.t.header {
			err = s.heading()
		} else {
			err = s.judge()
		}
		if err != nil {
			return err
		}
		s.at = next
		s.row++
		s.line += lines
	}
}

// fill moves the record that is begun to the front and reads until the buffer
// is full or the content ends.
func (s *scanner) fill() error {
	if s.at > 0 {
		s.n = copy(s.b, s.b[s.at:s.n])
		s.at = 0
	} else if s.n == len(s.b) {
		if s.n >= MaxRecord {
			return s.fail(-1, "maxBytes", fmt.Sprintf("a record must be at most %d bytes long", MaxRecord))
		}
		s.b = append(s.b, make([]byte, min(3*s.n, MaxRecord-s.n))...)
	}
	for idle := 0; s.n < len(s.b) && !s.eof; {
		n, err := s.r.Read(s.b[s.n:])
		if s.n += n; err == io.EOF {
			s.eof = true
		} else if err != nil {
			return err
		}
		if n > 0 {
			idle = 0
		} else if idle++; idle > 100 {
			return io.ErrNoProgress
		}
	}
	return nil
}

// fail makes an error at a column of this record, -1 for the record itself.
func (s *scanner) fail(col int, keyword, message string) error {
	e := &Error{Code: CodeSchema, Keyword: keyword, Message: message, Row: s.row, Line: s.line}
	if col >= 0 && col < len(s.t.columns) {
		e.Column = s.t.columns[col].name
	}
	return e
}

func (s *scanner) syntax(col int, message string) error { return s.fail(col, "csv", message) }

// split finds the cells of the record at s.at and returns where the next one
// begins and how many lines this one takes; next is s.at behind the last record
// and -1 when the buffer ends within the record.
func (s *scanner) split() (next int, lines int64, err error) {
	b, i, class := s.b[:s.n], s.at, &s.t.class
	s.cells = s.cells[:0]
	if i == len(b) {
		if s.eof {
			return i, 0, nil
		}
		return -1, 0, nil
	}
	for {
		col := len(s.cells)
		if col == len(s.t.columns) {
			return 0, 0, s.syntax(-1, fmt.Sprintf("has more cells than the %d columns of the schema", col))
		}
		var c cell
		if i < len(b) && class[b[i]] == quoteByte {
			if c, i, err = s.quoted(b, i, col, &lines); err != nil || i < 0 {
				return -1, 0, err
			}
		} else {
			c.from = i
			wide := false
			for i < len(b) {
				k := class[b[i]]
				if k == plainByte {
					i++
					continue
				}
				if k != wideByte {
					break
				}
				wide = true
				i++
			}
			if c.to = i; wide && !utf8.Valid(b[c.from:i]) && (i < len(b) || s.eof) {
				return 0, 0, s.syntax(col, "is not UTF-8")
			}
		}
		if c.to-c.from > MaxCell {
			return 0, 0, s.fail(col, "maxBytes", fmt.Sprintf("must be at most %d bytes long", MaxCell))
		}
		s.cells = append(s.cells, c)
		if i == len(b) {
			if s.eof {
				return i, lines, nil
			}
			return -1, 0, nil
		}
		switch class[b[i]] {
		case delimByte:
			i++
		case lineByte:
			return i + 1, lines + 1, nil
		case returnByte:
			if i+1 == len(b) && !s.eof {
				return -1, 0, nil
			}
			if i+1 == len(b) || b[i+1] != '\n' {
				return 0, 0, s.syntax(col, "holds a carriage return that ends no line")
			}
			return i + 2, lines + 1, nil
		case quoteByte:
			return 0, 0, s.syntax(col, "holds a quote although it does not begin with one")
		default:
			return 0, 0, s.syntax(col, "holds a control character")
		}
	}
}

// quoted scans a cell that begins with a quote at i; it returns the place
// behind its closing quote, or -1 when the buffer ends before.
func (s *scanner) quoted(b []byte, i, col int, lines *int64) (c cell, end int, err error) {
	class := &s.t.class
	i++
	c.from = i
	wide := false
	for {
		for i < len(b) {
			switch class[b[i]] {
			case quoteByte:
			case lineByte:
				*lines++
				i++
				continue
			case wideByte:
				wide = true
				i++
				continue
			case controlByte:
				return c, 0, s.syntax(col, "holds a control character")
			default: // delimiters and CR stand for themselves
				i++
				continue
			}
			break
		}
		if i-c.from > MaxCell {
			return c, 0, s.fail(col, "maxBytes", fmt.Sprintf("must be at most %d bytes long", MaxCell))
		}
		if i == len(b) {
			if s.eof {
				return c, 0, s.syntax(col, "begins with a quote that is not closed")
			}
			return c, -1, nil
		}
		if i+1 == len(b) && !s.eof {
			return c, -1, nil
		}
		if i+1 < len(b) && class[b[i+1]] == quoteByte {
			c.doubled = true
			i += 2
			continue
		}
		break
	}
	if c.to = i; wide && !utf8.Valid(b[c.from:i]) {
		return c, 0, s.syntax(col, "is not UTF-8")
	}
	if i++; i < len(b) {
		if k := class[b[i]]; k != delimByte && k != lineByte && k != returnByte {
			return c, 0, s.syntax(col, "goes on behind its closing quote")
		}
	}
	return c, i, nil
}

// value returns a cell's value; it is valid until the next one is asked for.
func (s *scanner) value(c cell) []byte {
	v := s.b[c.from:c.to]
	if !c.doubled {
		return v
	}
	s.scratch = s.scratch[:0]
	q := byte(s.t.quote)
	for {
		i := bytes.IndexByte(v, q)
		if i < 0 {
			s.scratch = append(s.scratch, v...)
			return s.scratch
		}
		s.scratch = append(s.scratch, v[:i+1]...)
		v = v[i+2:]
	}
}

// heading compares the first record with the columns' titles.
func (s *scanner) heading() error {
	if err := s.complete(); err != nil {
		return err
	}
	for i, c := range s.cells {
		col := &s.t.columns[i]
		if !slices.Contains(col.titles, string(s.value(c))) {
			return s.fail(i, "titles", "must be headed "+clip(strings.Join(col.titles, " or ")))
		}
	}
	return nil
}

func (s *scanner) complete() error {
	if n := len(s.cells); n < len(s.t.columns) {
		return s.syntax(n, fmt.Sprintf("is missing: the row has only %d of the %d columns of the schema", n, len(s.t.columns)))
	}
	return nil
}

// judge checks the cells of a record.
func (s *scanner) judge() error {
	if err := s.complete(); err != nil {
		return err
	}
	for i := range s.cells {
		col := &s.t.columns[i]
		v := s.value(s.cells[i])
		if !col.text {
			v = trim(v)
		}
		if col.null(v) {
			if col.required {
				return s.fail(i, "required", "must not be empty")
			}
			continue
		}
		if col.judge == nil {
			continue
		}
		if f := col.judge(v); f != nil {
			return s.fail(i, f.keyword, f.message)
		}
	}
	if s.keys == nil {
		return nil
	}
	return s.unique()
}

// unique adds the record's key to those seen.
func (s *scanner) unique() error {
	for _, i := range s.t.key {
		v := s.value(s.cells[i])
		if s.t.columns[i].null(v) {
			return s.fail(i, "primaryKey", "is part of the primary key and must not be empty")
		}
		s.keys.write(v)
	}
	switch s.keys.add() {
	case keyTwice:
		return s.fail(s.t.key[0], "primaryKey", "has a primary key that an earlier row has")
	case keysFull:
		return s.fail(-1, "primaryKey", fmt.Sprintf("a table with a primary key has at most %d rows", MaxKeys))
	}
	return nil
}

func (c *column) null(v []byte) bool {
	for _, n := range c.nulls {
		if string(v) == n {
			return true
		}
	}
	return false
}

// trim takes ASCII white space off both ends.
func trim(v []byte) []byte {
	for len(v) > 0 && space(v[0]) {
		v = v[1:]
	}
	for len(v) > 0 && space(v[len(v)-1]) {
		v = v[:len(v)-1]
	}
	return v
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
