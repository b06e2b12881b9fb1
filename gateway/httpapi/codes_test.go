package httpapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/testkit"
)

// TestCodesOfProtocol compares the table with the protocol's one list.
func TestCodesOfProtocol(t *testing.T) {
	listed := map[string]bool{}
	for _, e := range envelope.Errors {
		listed[string(e.Code)] = true
		if c := explained(string(e.Code)); c.Kind != gateway.CodeOfProtocol || c.Title == string(e.Code) {
			t.Errorf("the protocol's code %q is not explained", e.Code)
		}
	}
	// What the protocol says of its large bodies.
	for _, c := range []string{"content_hash", "object", "part", "truncated"} {
		listed[c] = true
	}
	for _, c := range protocolCodes {
		if !listed[c.code] {
			t.Errorf("%q is not a code of the protocol", c.code)
		}
	}
	for _, name := range []string{"hole", "repaired", "gap", "late", "lost", "out_of_retention", "lane_reset", "prev_regressed", "writer_conflict",
		"holder_missing", "package_stale", "unconfirmed", "undelivered", "clock", "lane_silent"} {
		if explained(name).Kind != gateway.CodeOfEvent || explained(name).Title == name {
			t.Errorf("the event %q is not explained", name)
		}
	}
}

// TestCodeTable looks at the table itself: each code once, and every line
// readable.
func TestCodeTable(t *testing.T) {
	if len(codeIndex) != len(codeTable) {
		t.Errorf("%d lines, %d codes: some are there twice", len(codeTable), len(codeIndex))
	}
	word := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, c := range codeTable {
		switch {
		case !word.MatchString(c.Code):
			t.Errorf("%q is not a code", c.Code)
		case gravity(c.Severity) < 0:
			t.Errorf("%s: severity %q", c.Code, c.Severity)
		case c.Title == "" || len(c.Title) > 40 || strings.HasSuffix(c.Title, "."):
			t.Errorf("%s: title %q", c.Code, c.Title)
		case !strings.HasSuffix(c.Meaning, ".") || c.Do != "" && !strings.HasSuffix(c.Do, "."):
			t.Errorf("%s: no sentences: %q %q", c.Code, c.Meaning, c.Do)
		case c.Do == "" && c.Severity == gateway.SeverityError:
			t.Errorf("%s: grave, but nothing to do about it", c.Code)
		}
	}
	f := start(t)
	list, err := client.New(f.url, f.receive).Codes(testkit.Context(t))
	if err != nil || len(list) != len(codeTable) || list[0] != codeTable[0] {
		t.Fatal(err, len(list))
	}
}

// TestCodesInSource reads the gateway's own sources and those of the rooms
// whose errors it passes on: every code there must be explained.
func TestCodesInSource(t *testing.T) {
	found := map[string]string{} // code, where
	for _, dir := range []string{"gateway", "internal/httpkit", "schema", "ens", "did", "evm", "vc", "bus", "blob"} {
		root := filepath.Join("..", "..", filepath.FromSlash(dir))
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "conformance" || d.Name() == "testdata" || d.Name() == "devchain"):
				return fs.SkipDir
			case !d.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
				return codesOf(path, found)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for code, where := range found {
		if _, ok := codeIndex[code]; !ok {
			t.Errorf("%s: the code %q is not explained in the tables of this package", where, code)
		}
	}
	if len(found) < 100 {
		t.Errorf("%d codes found only: this test does not see them any more", len(found))
	}
}

var codeName = regexp.MustCompile(`^(Code[A-Z]|event[A-Z])`)

// codesOf finds the codes that a file gives: in problem.New, in members named
// Code, in constants named Code… or event…, and in what is emitted or reported.
func codesOf(path string, found map[string]string) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	take := func(e ast.Expr) {
		l, ok := e.(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return
		}
		if s, err := strconv.Unquote(l.Value); err == nil && regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(s) {
			found[s] = set.Position(l.Pos()).String()
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok {
				break
			}
			pkg, _ := sel.X.(*ast.Ident)
			switch {
			case pkg != nil && pkg.Name == "problem" && sel.Sel.Name == "New" && len(n.Args) == 3:
				take(n.Args[1])
			case sel.Sel.Name == "emit" || sel.Sel.Name == "report":
				for _, a := range n.Args {
					take(a)
				}
			}
		case *ast.KeyValueExpr:
			if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Code" {
				take(n.Value)
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if codeName.MatchString(name.Name) && !strings.HasPrefix(name.Name, "CodeOf") && i < len(n.Values) {
					take(n.Values[i])
				}
			}
		}
		return true
	})
	return nil
}
