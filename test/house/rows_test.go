package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// How many rows docs/attacks.md has at least, and how many it admits to have
// no test for: neither changes unseen.
const (
	attackRows    = 86
	attacksNotYet = 0
)

// testsOf are a package's test functions and all texts in its test files.
type testsOf struct {
	functions map[string]bool
	texts     map[string]bool
}

func readTests(t *testing.T, dir string) testsOf {
	t.Helper()
	all := testsOf{make(map[string]bool), make(map[string]bool)}
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", dir, err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				all.functions[fn.Name.Name] = true
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					all.texts[s] = true
				}
			}
			return true
		})
	}
	return all
}

// TestEveryAttackHasItsTest reads docs/attacks.md: each row names tests, and
// each of them exists.
func TestEveryAttackHasItsTest(t *testing.T) {
	page := read(t, "docs/attacks.md")
	named := regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9]+)(?:/([^`]+))?`")
	known := make(map[string]testsOf)
	rows := 0
	for n, line := range strings.Split(page, "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| --- ") || strings.HasSuffix(line, "| tests |") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 3 || cells[0] == "" || cells[1] == "" {
			t.Errorf("docs/attacks.md:%d: not attack, result and tests", n+1)
			continue
		}
		tests := named.FindAllStringSubmatch(cells[2], -1)
		if rest := strings.TrimSpace(named.ReplaceAllString(cells[2], "")); len(tests) == 0 || rest != "" {
			t.Errorf("docs/attacks.md:%d: no test, or something else beside: %q", n+1, rest)
		}
		for _, m := range tests {
			dir, function, sub := m[1], m[2], m[3]
			if _, ok := known[dir]; !ok {
				known[dir] = readTests(t, dir)
			}
			if !known[dir].functions[function] {
				t.Errorf("docs/attacks.md:%d: %s has no %s", n+1, dir, function)
			}
			if sub != "" && !known[dir].texts[sub] {
				t.Errorf("docs/attacks.md:%d: no text %q in the tests of %s", n+1, sub, dir)
			}
		}
	}
	if rows < attackRows {
		t.Errorf("docs/attacks.md has %d rows, not %d", rows, attackRows)
	}
	m := regexp.MustCompile(`Rows of this stage that no test makes: (\d+)\.`).FindStringSubmatch(page)
	if m == nil || m[1] != strconv.Itoa(attacksNotYet) {
		t.Errorf("docs/attacks.md does not say that %d rows have no test", attacksNotYet)
	}
}
