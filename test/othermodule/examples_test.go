package othermodule_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An example is the function Example of a construct's documentation, as a package of the other
// module:
//
//	func Example() {
//		defer jsii.Close()
//		app := awscdk.NewApp(nil)
//		stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
//		… the construct …
//		app.Synth(nil)
//		… output …
//	}
type example struct {
	construct string            // the name of its folder in constructs/
	lines     int               // between the stack and the synth, without comments and blank lines
	files     map[string][]byte // of the module, by their paths
}

// readExamples returns the examples of all constructs, in their order by name.
func readExamples(t *testing.T, constructs string) []example {
	t.Helper()
	folders, err := os.ReadDir(constructs)
	if err != nil {
		t.Fatal(err)
	}
	var examples []example
	for _, folder := range folders {
		if !folder.IsDir() || folder.Name() == "internal" {
			continue
		}
		found, err := readExample(filepath.Join(constructs, folder.Name()))
		if err != nil {
			t.Errorf("constructs/%s: %v", folder.Name(), err)
			continue
		}
		examples = append(examples, found)
	}
	return examples
}

// readExample reads dir/example_test.go.
func readExample(dir string) (example, error) {
	found := example{construct: filepath.Base(dir), files: map[string][]byte{}}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, filepath.Join(dir, "example_test.go"), nil,
		parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return found, fmt.Errorf("each construct has an example that go test runs: %w", err)
	}
	var function *ast.FuncDecl
	file.Decls = slices.DeleteFunc(file.Decls, func(declaration ast.Decl) bool {
		declared, ok := declaration.(*ast.FuncDecl)
		if ok && declared.Name.Name == "Example" {
			function = declared
		}
		return ok && declared.Recv == nil && strings.HasPrefix(declared.Name.Name, "Example") &&
			declared.Name.Name != "Example"
	})
	if function == nil {
		return found, fmt.Errorf("example_test.go has no func Example()")
	}
	if err := found.convert(files, function); err != nil {
		return found, fmt.Errorf("func Example: %w", err)
	}
	file.Name.Name = "example"
	file.Comments = slices.DeleteFunc(file.Comments, func(group *ast.CommentGroup) bool {
		return !strings.HasPrefix(group.List[len(group.List)-1].Text, "//go:embed ")
	})
	dropUnusedImports(file)
	found.addFunctions(file)
	var source bytes.Buffer
	if err := format.Node(&source, files, file); err != nil {
		return found, err
	}
	found.files[path.Join(found.construct, "example.go")] = source.Bytes()
	return found, found.addData(dir)
}

// convert makes the example a function of an app, which declares a stack and does not synthesize
// it, and counts its lines.
func (e *example) convert(files *token.FileSet, function *ast.FuncDecl) error {
	app, stack, synth := -1, -1, -1
	for i, statement := range function.Body.List {
		switch called(statement) {
		case "awscdk.NewApp":
			app = i
		case "awscdk.NewStack":
			stack = i
		case "app.Synth":
			synth = i
		}
	}
	if app < 0 || stack < app || synth < stack {
		return fmt.Errorf("it needs the statements app := awscdk.NewApp(…), " +
			"stack := awscdk.NewStack(app, …) and app.Synth(nil)")
	}
	body := slices.Clone(function.Body.List[app+1 : synth])
	content, err := os.ReadFile(files.Position(function.Pos()).Filename)
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	first := files.Position(function.Body.List[stack].End()).Line // the line before
	last := files.Position(function.Body.List[synth].Pos()).Line - 1
	for _, line := range lines[first:last] {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			e.lines++
		}
	}

	// Without the output, variables may be unused.
	for _, statement := range function.Body.List[app+1 : synth] {
		assignment, ok := statement.(*ast.AssignStmt)
		if !ok || assignment.Tok != token.DEFINE {
			continue
		}
		for _, variable := range assignment.Lhs {
			if name := variable.(*ast.Ident).Name; name != "_" {
				body = append(body, &ast.AssignStmt{
					Lhs: []ast.Expr{ast.NewIdent("_")}, Tok: token.ASSIGN,
					Rhs: []ast.Expr{ast.NewIdent(name)},
				})
			}
		}
	}
	function.Body.List = body
	function.Doc = nil
	function.Type.Params.List = []*ast.Field{{
		Names: []*ast.Ident{ast.NewIdent("app")},
		Type:  &ast.SelectorExpr{X: ast.NewIdent("awscdk"), Sel: ast.NewIdent("Stage")},
	}}
	return nil
}

// called returns the function that a statement calls, such as awscdk.NewApp.
func called(statement ast.Stmt) string {
	var expression ast.Expr
	switch statement := statement.(type) {
	case *ast.ExprStmt:
		expression = statement.X
	case *ast.AssignStmt:
		expression = statement.Rhs[0]
	}
	if call, ok := expression.(*ast.CallExpr); ok {
		if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
			if from, ok := selector.X.(*ast.Ident); ok {
				return from.Name + "." + selector.Sel.Name
			}
		}
	}
	return ""
}

// addFunctions adds the functions that the example names, which are in the team's own modules:
// example.com/uploads.
func (e *example) addFunctions(file *ast.File) {
	ast.Inspect(file, func(node ast.Node) bool {
		pair, ok := node.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, isName := pair.Key.(*ast.Ident)
		value, isLiteral := pair.Value.(*ast.BasicLit)
		if !isName || key.Name != "Package" || !isLiteral {
			return true
		}
		importPath, _ := strconv.Unquote(value.Value)
		if name, ok := strings.CutPrefix(importPath, "example.com/"); ok {
			folder := path.Join("functions", name)
			value.Value = strconv.Quote("example.com/app/" + folder)
			e.files[path.Join(folder, "main.go")] = []byte("package main\n\n" +
				"import \"github.com/aws/aws-lambda-go/lambda\"\n\n" +
				"func main() { lambda.Start(func() {}) }\n")
		}
		return true
	})
}

// addData adds the files that are not Go: beside the example, which may embed them, and at the root
// of the module, where the app runs and may read them.
func (e *example) addData(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, ".go") {
			return err
		}
		below, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(name)
		e.files[path.Join(e.construct, filepath.ToSlash(below))] = content
		e.files[filepath.ToSlash(below)] = content
		return err
	})
}

// versioned matches import paths that end with a major version. awscdk/v2 is always used.
var versioned = regexp.MustCompile(`/v\d+$`)

// dropUnusedImports removes the imports that only the removed statements used.
func dropUnusedImports(file *ast.File) {
	used := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if from, ok := selector.X.(*ast.Ident); ok {
				used[from.Name] = true
			}
		}
		return true
	})
	for _, declaration := range file.Decls {
		imports, ok := declaration.(*ast.GenDecl)
		if !ok || imports.Tok != token.IMPORT {
			continue
		}
		imports.Specs = slices.DeleteFunc(imports.Specs, func(spec ast.Spec) bool {
			imported := spec.(*ast.ImportSpec)
			if imported.Name != nil {
				return imported.Name.Name != "_" && !used[imported.Name.Name]
			}
			importPath, _ := strconv.Unquote(imported.Path.Value)
			// The last element is the package's name, except in jsii-runtime-go, which is always
			// used.
			return !used[path.Base(importPath)] && !versioned.MatchString(importPath) &&
				!strings.HasSuffix(importPath, "-go")
		})
	}
}
