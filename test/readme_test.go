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

// TestReadmeDiagramShowsTheStacks holds the README's picture against Prod's stacks and what they wait for.
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
		t.Fatalf("the README has no place for the picture: %s … %s", begin, end)
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
				shape = `[("%s")]` // a drum, as data stores are drawn
			}
		}
		fmt.Fprintf(&drawn, "  %s"+shape+"\n", name, "<b>"+name+"</b><br>"+stack.Template.Description)
		for _, above := range stack.DependsOn {
			fmt.Fprintf(&drawn, "  %s --> %s\n", above, name)
		}
	}
	drawn.WriteString("```\n")
	return drawn.String()
}
