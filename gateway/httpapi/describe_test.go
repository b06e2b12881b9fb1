package httpapi

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/digital-spine/spine/gateway"
)

// TestDescribedMessages: what is read and written by hand is what the types for
// the OpenAPI document say.
func TestDescribedMessages(t *testing.T) {
	whole := func(doc []byte, into any) {
		t.Helper()
		d := json.NewDecoder(bytes.NewReader(doc))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
	for _, m := range []gateway.Message{
		{ID: "1", Body: []byte(`{}`), At: 1, Sent: 1, Re: "r", Corr: "c", Txn: "t", Attrs: map[string]string{"a": "b"}, Checks: map[string]string{"seal": "ok"}, Ack: "a"},
		{ID: "1", File: &gateway.File{ID: "2", Name: "n", Type: "text/csv", Size: 1, SHA256: "00"}},
	} {
		var d messageDoc
		doc := m.AppendJSON(nil)
		whole(doc, &d)
		if (d.Body == nil) == (d.File == nil) {
			t.Errorf("%s: body %v, file %v", doc, d.Body, d.File)
		}
		// What is said to be always there is.
		var some map[string]json.RawMessage
		if err := json.Unmarshal(doc, &some); err != nil {
			t.Fatal(err)
		}
		empty, err := json.Marshal(messageDoc{})
		if err != nil {
			t.Fatal(err)
		}
		var always map[string]json.RawMessage
		if err := json.Unmarshal(empty, &always); err != nil {
			t.Fatal(err)
		}
		for name := range always {
			if _, ok := some[name]; !ok {
				t.Errorf("%s: no %s", doc, name)
			}
		}
	}
	draft := []byte(`{"channel":"c","to":["did:key:z6Mk"],"file":"00000000-0000-4000-8000-000000000000","type":"text/csv","re":"00000000-0000-4000-8000-000000000000",
		"corr":"c","txn":"t","attrs":{"a":"b"},"idempotencyKey":"k"}`)
	if _, err := parseDraft(draft); err != nil {
		t.Error(err)
	}
	whole(draft, &draftDoc{})
}
