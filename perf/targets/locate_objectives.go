package targets

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// locateObjectives fills in where objectives are defined below root, as in a magefile that
// hands its own suite to Use. Only a definition with its name written out is found, and
// only where it is the one of that name, for the reasons of locate. The presets are found
// in a checkout of this module alone.
func locateObjectives(root string, objectives []perf.ObjectiveResult) {
	found := map[string][]perf.Source{}
	eachSource(root, func(fsys fs.FS, name string) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return
		}
		if data := readSource(fsys, name); bytes.Contains(data, []byte("Objective{")) {
			scanObjectives(data, name, found)
		}
	})
	for i := range objectives {
		o := &objectives[i]
		if places := found[o.Name]; o.Source.File == "" && len(places) == 1 {
			o.Source = places[0]
		}
	}
}

// suitePath ends the import path of perf/suite.
const suitePath = "clnrm-perf/perf/suite"

// scanObjectives notes where the objectives of a Go file are written.
func scanObjectives(data []byte, name string, found map[string][]perf.Source) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, data, parser.SkipObjectResolution)
	if err != nil || !knowsObjectives(file) {
		return
	}
	note := func(literal *ast.CompositeLit) {
		if text, at := objectiveName(literal); text != "" {
			found[text] = append(found[text], perf.Source{File: name, Line: files.Position(at).Line})
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if isObjective(literal.Type) {
			note(literal)
			return true
		}
		list, ok := literal.Type.(*ast.ArrayType)
		if !ok || !isObjective(list.Elt) {
			return true
		}
		for _, e := range untyped(literal.Elts) {
			note(e)
		}
		return true
	})
}

// knowsObjectives reports whether a file is of perf/suite or imports it, so that another
// type of that name is not taken for its Objective.
func knowsObjectives(file *ast.File) bool {
	if file.Name.Name == "suite" {
		return true
	}
	for _, i := range file.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil && strings.HasSuffix(p, suitePath) {
			return true
		}
	}
	return false
}

// isObjective reports whether a type is called Objective.
func isObjective(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name == "Objective"
	case *ast.SelectorExpr:
		return t.Sel.Name == "Objective"
	}
	return false
}

// untyped are the elements of a list that leave their type out.
func untyped(elements []ast.Expr) []*ast.CompositeLit {
	var out []*ast.CompositeLit
	for _, e := range elements {
		if literal, ok := e.(*ast.CompositeLit); ok && literal.Type == nil {
			out = append(out, literal)
		}
	}
	return out
}

// objectiveName is the name that a literal gives to an objective, and where it stands; ""
// where it is no literal itself.
func objectiveName(literal *ast.CompositeLit) (string, token.Pos) {
	for i, e := range literal.Elts {
		value := e
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); !ok || key.Name != "Name" {
				continue
			}
			value = pair.Value
		} else if i > 0 {
			break // without keys the name is the first
		}
		if b, ok := value.(*ast.BasicLit); ok && b.Kind == token.STRING {
			if text, err := strconv.Unquote(b.Value); err == nil {
				return text, b.Pos()
			}
		}
	}
	return "", token.NoPos
}
