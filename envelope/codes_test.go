package envelope

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// errorTable prints the list as section 18 of docs/protocol.md has it.
func errorTable() string {
	var b strings.Builder
	b.WriteString("| code | meaning | told | then |\n| --- | --- | --- | --- |\n")
	for _, e := range Errors {
		var told []string
		for i, letter := range []string{"S", "O", "C"} {
			if e.Told&(1<<i) != 0 {
				told = append(told, letter)
			}
		}
		then := e.Then.String()
		if e.AbsentWaits {
			then += "; absent waits"
		}
		if e.Condition != "" {
			then += "; " + e.Condition
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Code, e.Meaning, strings.Join(told, ", "), then)
	}
	return b.String()
}

// TestErrorTable keeps the document and the list equal; -update writes the
// table again.
func TestErrorTable(t *testing.T) {
	const file = "../docs/protocol.md"
	doc := string(ok[[]byte](t)(os.ReadFile(file)))
	start := strings.Index(doc, "| code | meaning | told | then |")
	if start < 0 {
		t.Fatal("no table of errors")
	}
	end := start + strings.Index(doc[start:], "\n\n") + 1
	if *update {
		doc = doc[:start] + errorTable() + doc[end:]
		if err := os.WriteFile(file, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if doc[start:end] != errorTable() {
		t.Error("the table of errors is not that of the list; write it with -update")
	}
}

func TestErrors(t *testing.T) {
	seen := make(map[Code]bool)
	for _, e := range Errors {
		if seen[e.Code] || e.Meaning == "" || e.Told == 0 || e.Code.Info().Code != e.Code {
			t.Errorf("%s: twice, without meaning, or nobody is told", e.Code)
		}
		seen[e.Code] = true
	}
	cause := errors.New("cause")
	err := fmt.Errorf("outside: %w", BadTopic.Errorf("inside: %w", cause))
	if CodeOf(err) != BadTopic || !errors.Is(err, cause) || err.Error() != "outside: topic: inside: cause" {
		t.Errorf("got %q with code %q", err, CodeOf(err))
	}
	if CodeOf(cause) != "" || CodeOf(nil) != "" || Code("because").Info() != nil {
		t.Error("code out of nowhere")
	}
	if BadRole.TellsSender() != true || OutboxFull.TellsSender() || Code("because").TellsSender() {
		t.Error("wrong codes in receipts")
	}
}
