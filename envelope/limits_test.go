package envelope

import "testing"

// TestSizeLimits gives every parser one byte more than its limit: refused
// before anything is read.
func TestSizeLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limit int
		parse func([]byte) error
	}{
		"certificate": {MaxCertificate, sizeOf(ParseCertificate)},
		"package":     {MaxPackage, sizeOf(ParsePackage)},
		"topic":       {MaxTopic, sizeOf(ParseTopic)},
		"schema":      {MaxSchema, sizeOf(ParseSchema)},
		"core":        {MaxCore, sizeOf(ParseCore)},
		"grant":       {MaxCore + MaxBox + 256, sizeOf(ParseGrant)},
		"envelope":    {WireMax, sizeOf(ParseEnvelope)},
		"notice":      {MaxNotice, sizeOf(ParseNotice)},
		"mark":        {MaxMark, sizeOf(ParseMark)},
		"receipt":     {WireMax, sizeOf(ParseReceipt)},
		"login":       {MaxLogin, sizeOf(ParseLogin)},
		"status":      {MaxStatus, sizeOf(ParseStatus)},
		"inspect":     {MaxSchema, sizeOf(Inspect)},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, c.parse(make([]byte, c.limit+1)), TooLarge)
			wantCode(t, c.parse(make([]byte, c.limit)), Malformed)
		})
	}
	files := make([]File, MaxSchemaFiles+1)
	for i := range files {
		files[i].Name = string(rune('0' + i))
	}
	_, err := NewSchema(KindJSON, "0", files[:MaxSchemaFiles])
	wantCode(t, err, "")
	_, err = NewSchema(KindJSON, "0", files)
	wantCode(t, err, TooLarge)
}

func sizeOf[T any](parse func([]byte) (T, error)) func([]byte) error {
	return func(b []byte) error { _, err := parse(b); return err }
}
