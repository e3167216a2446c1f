package test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReadmeDiagramShowsTheStacks compares the README's diagram with Prod's stacks and their
// dependencies.
func TestReadmeDiagramShowsTheStacks(t *testing.T) {
	const begin, end = "<!-- stacks: drawn by make golden -->\n", "<!-- /stacks -->"
	name := filepath.Join("..", "README.md")
	readme, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("the README has no markers for the diagram: %s … %s", begin, end)
	}
	compareGolden(t, name, before+begin+diagram()+end+after)
}

func diagram() string {
	var drawn strings.Builder
	drawn.WriteString("```mermaid\nflowchart TD\n")
	for _, name := range slices.Sorted(maps.Keys(platforms["Prod"])) {
		stack := platforms["Prod"][name]
		shape := `["%s"]`
		for _, resource := range stack.Template.Resources {
			if stateful[resource.Type] {
				shape = `[("%s")]` // a cylinder, the shape of data stores
			}
		}
		fmt.Fprintf(&drawn, "  %s"+shape+"\n", name,
			"<b>"+name+"</b><br>"+stack.Template.Description)
		for _, above := range stack.DependsOn {
			fmt.Fprintf(&drawn, "  %s --> %s\n", above, name)
		}
	}
	drawn.WriteString("```\n")
	return drawn.String()
}
