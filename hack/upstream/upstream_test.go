// SPDX-License-Identifier: Apache-2.0

// Package upstream tells when Kubernetes' own code has changed behind ours.
//
// Where we do what a function of Kubernetes does, or rely on how it does it, a comment
// cites it: (cmd/kube-scheduler/app/server.go, Setup). The compiler does not notice when
// a new release of Kubernetes changes that function. The test here finds all citations,
// and compares each function with what it was when somebody last read it.
package upstream

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/internal/golden"
)

// root is the repository.
const root = "../.."

// citation is a file of Kubernetes, and functions of it, or types or variables; the
// whole file where none is named. Without a module, it is one of k8s.io/kubernetes.
var citation = regexp.MustCompile(`(?:^|[ (])((?:k8s\.io/[a-z-]+|cmd|pkg)/[\w/-]+\.go)((?:, \w+(?:\.\w+)?)?(?: and \w+(?:\.\w+)?)*)\)`)

// TestWhatWeCiteIsWhatWeRead fails when something of Kubernetes that we cite is not what
// it was. The line of the record names the files of ours that are to be read again.
func TestWhatWeCiteIsWhatWeRead(t *testing.T) {
	cited := map[string][]string{} // by what is cited, our files
	for _, dir := range []string{"cmd", "pkg", "test"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(file string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(file) != ".go" {
				return err
			}
			comments, err := commentsOf(file)
			for _, c := range citationsIn(comments) {
				ours, _ := filepath.Rel(root, file)
				cited[c] = append(cited[c], ours)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var record bytes.Buffer
	dirs := moduleDirs(t, cited)
	for _, c := range slices.Sorted(maps.Keys(cited)) {
		sum, err := fingerprint(dirs, c)
		ours := strings.Join(slices.Compact(cited[c]), ", ")
		if err != nil {
			t.Errorf("%s: what is cited there is not to be found: %v", ours, err)
			continue
		}
		fmt.Fprintf(&record, "%s, %s: %s\n", sum, c, ours)
	}
	golden.Equal(t, "read.txt", record.Bytes())
}

// commentsOf returns the comments of a file of ours, each in one line.
func commentsOf(file string) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var comments []string
	for _, c := range parsed.Comments {
		comments = append(comments, strings.Join(strings.Fields(c.Text()), " "))
	}
	return comments, nil
}

// citationsIn lists what is cited, as MODULE/FILE.go or MODULE/FILE.go NAME.
func citationsIn(comments []string) []string {
	var all []string
	for _, comment := range comments {
		for _, m := range citation.FindAllStringSubmatch(comment, -1) {
			file := m[1]
			if !strings.HasPrefix(file, "k8s.io/") {
				file = "k8s.io/kubernetes/" + file
			}
			names := strings.FieldsFunc(strings.ReplaceAll(m[2], " and ", ", "), func(r rune) bool { return r == ',' || r == ' ' })
			if len(names) == 0 {
				all = append(all, file)
			}
			for _, name := range names {
				all = append(all, file+" "+name)
			}
		}
	}
	return all
}

func TestCitationsIn(t *testing.T) {
	for comment, want := range map[string][]string{
		"as upstream (cmd/kube-scheduler/app/server.go, Setup).":        {"k8s.io/kubernetes/cmd/kube-scheduler/app/server.go Setup"},
		"(k8s.io/apiserver/pkg/server/hooks.go, a and b) and on":        {"k8s.io/apiserver/pkg/server/hooks.go a", "k8s.io/apiserver/pkg/server/hooks.go b"},
		"two (pkg/a/b.go, T.Run), (pkg/c.go)":                           {"k8s.io/kubernetes/pkg/a/b.go T.Run", "k8s.io/kubernetes/pkg/c.go"},
		"nothing of Kubernetes: net/http, client.go (etcdmain/main.go)": nil,
	} {
		if got := citationsIn([]string{comment}); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", comment, got, want)
		}
	}
}

// fingerprint is that of the code that is cited, as it is in the Kubernetes that go.mod
// requires; comments and layout do not count.
func fingerprint(dirs map[string]string, cited string) (string, error) {
	file, name, _ := strings.Cut(cited, " ")
	module := moduleOf(file)
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, dirs[module]+strings.TrimPrefix(file, module), nil, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	found := name == ""
	for _, d := range parsed.Decls {
		for _, node := range declared(d, name) {
			found = true
			var code bytes.Buffer
			if err := printer.Fprint(&code, fset, node); err != nil {
				return "", err
			}
			fmt.Fprintln(sum, strings.Join(strings.Fields(code.String()), " "))
		}
	}
	if !found {
		return "", errors.New(file + " has no " + name)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:6]), nil
}

// declared returns what of a declaration has a name; all but imports where that is
// empty.
func declared(d ast.Decl, name string) []ast.Node {
	switch d := d.(type) {
	case *ast.FuncDecl:
		own := d.Name.Name
		if d.Recv != nil {
			own = receiver(d.Recv.List[0].Type) + "." + own
		}
		if name == "" || name == own || name == d.Name.Name {
			return []ast.Node{d}
		}
	case *ast.GenDecl:
		var found []ast.Node
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if name == "" || name == s.Name.Name {
					found = append(found, s)
				}
			case *ast.ValueSpec:
				if name == "" || slices.ContainsFunc(s.Names, func(i *ast.Ident) bool { return i.Name == name }) {
					found = append(found, s)
				}
			}
		}
		return found
	}
	return nil
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// moduleDirs are where the modules' sources are.
func moduleDirs(t *testing.T, cited map[string][]string) map[string]string {
	t.Helper()
	modules := map[string]bool{}
	for c := range cited {
		modules[moduleOf(c)] = true
	}
	args := append([]string{"list", "-m", "-f", "{{.Path}} {{.Dir}}"}, slices.Sorted(maps.Keys(modules))...)
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	dirs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		module, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		dirs[module] = dir
	}
	return dirs
}

// moduleOf is the module of what is cited.
func moduleOf(cited string) string { return strings.Join(strings.SplitN(cited, "/", 3)[:2], "/") }
