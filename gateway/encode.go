package gateway

import (
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends the message as the API shows it. The body is put in as
// the bytes that came.
func (m *Message) AppendJSON(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = AppendText(b, m.ID)
	b = member(b, "from", m.From)
	b = member(b, "channel", m.Channel)
	b = member(b, "topic", m.Topic)
	b = member(b, "version", m.Version)
	b = member(b, "type", m.Type)
	if f := m.File; f != nil {
		b = f.appendJSON(append(b, `,"file":`...))
	}
	if len(m.Body) > 0 || m.File == nil {
		b = append(b, `,"body":`...)
		if len(m.Body) == 0 {
			b = append(b, "null"...)
		} else {
			b = append(b, m.Body...)
		}
	}
	b = append(b, `,"at":`...)
	b = strconv.AppendInt(b, m.At, 10)
	if m.Sent != 0 {
		b = append(b, `,"sent":`...)
		b = strconv.AppendInt(b, m.Sent, 10)
	}
	if m.Re != "" {
		b = member(b, "re", m.Re)
	}
	if m.Corr != "" {
		b = member(b, "corr", m.Corr)
	}
	if m.Txn != "" {
		b = member(b, "txn", m.Txn)
	}
	if len(m.Attrs) > 0 {
		b = append(b, `,"attrs":`...)
		b = appendMap(b, m.Attrs)
	}
	b = append(b, `,"checks":`...)
	b = appendMap(b, m.Checks)
	b = append(b, `,"redelivered":`...)
	b = strconv.AppendBool(b, m.Redelivered)
	b = append(b, `,"late":`...)
	b = strconv.AppendBool(b, m.Late)
	b = member(b, "ack", m.Ack)
	return append(b, '}')
}

// appendJSON appends the file as the API shows it.
func (f *File) appendJSON(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = AppendText(b, f.ID)
	if f.Name != "" {
		b = member(b, "name", f.Name)
	}
	b = member(b, "type", f.Type)
	b = append(b, `,"size":`...)
	b = strconv.AppendInt(b, f.Size, 10)
	if f.SHA256 != "" {
		b = member(b, "sha256", f.SHA256)
	}
	return append(b, '}')
}

// AppendJSON appends the answer to a draft.
func (a Accepted) AppendJSON(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = AppendText(b, a.ID)
	b = member(b, "state", string(a.State))
	return append(b, '}')
}

func member(b []byte, name, text string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return AppendText(b, text)
}

func appendMap(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	switch len(m) {
	case 0:
	case 1:
		for k, v := range m {
			b = append(AppendText(b, k), ':')
			b = AppendText(b, v)
		}
	default:
		for i, k := range slices.Sorted(maps.Keys(m)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendText(b, k), ':')
			b = AppendText(b, m[k])
		}
	}
	return append(b, '}')
}

// AppendText appends a JSON string; bytes that are not UTF-8 become U+FFFD.
func AppendText(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				i++
				start = i
				continue
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
