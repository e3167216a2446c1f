// Command check is the last step of make synth. It fails if the cloud assembly has unacknowledged
// findings of a validator, or if a function's code is not one static executable for the function's
// architecture. It lists the functions with the size of their code.
package main

import (
	"archive/zip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: check cdk.out")
		os.Exit(2)
	}
	if err := check(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(out io.Writer, dir string) error {
	findings, err := assembly.Findings(dir)
	if err != nil {
		return err
	}
	var problems []error
	for _, finding := range findings {
		problems = append(problems, fmt.Errorf("%s %s: %s\n\t%s", finding.Severity, finding.Rule,
			finding.Description, strings.Join(finding.Constructs, "\n\t")))
	}
	stacks, err := assembly.Read(dir)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FUNCTION\tASSET\tMB\tMB ZIPPED")
	functions, zipped := 0, map[string]int64{} // environments share functions, and zipping is slow
	for _, stack := range stacks {
		for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
			functions++
			name := fmt.Sprintf("%s/%s/%s", stack.Environment, stack.Name, function.ID)
			bootstrap, size, err := checkCode(dir, function)
			if err == nil && zipped[bootstrap] == 0 {
				zipped[bootstrap], err = zipSize(bootstrap)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
				continue
			}
			fmt.Fprintf(table, "%s\t%.12s\t%.1f\t%.1f\n", name, function.At("Code", "S3Key"),
				float64(size)/1e6, float64(zipped[bootstrap])/1e6)
		}
	}
	if functions == 0 {
		problems = append(problems, errors.New("no stack has a function"))
	}
	return errors.Join(append(problems, table.Flush())...)
}

// checkCode checks a function's asset, and returns the executable's name and size.
func checkCode(dir string, function assembly.Resource) (bootstrap string, size int64, err error) {
	key, _ := function.At("Code", "S3Key").(string)
	asset := filepath.Join(dir, "asset."+strings.TrimSuffix(key, ".zip"))
	entries, err := os.ReadDir(asset)
	if err != nil {
		return "", 0, err
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	if joined := strings.Join(names, " "); joined != "bootstrap" &&
		joined != "bootstrap "+lambdaenv.FilesFolder || function.At("Handler") != "bootstrap" {
		return "", 0, fmt.Errorf(
			"its asset is %v and its handler %v, want a file named bootstrap, "+
				"perhaps a folder named %s, and that handler",
			names, function.At("Handler"), lambdaenv.FilesFolder)
	}
	bootstrap = filepath.Join(asset, "bootstrap")
	executable, err := elf.Open(bootstrap)
	if err != nil {
		return "", 0, fmt.Errorf("bootstrap: %w", err)
	}
	defer func() { _ = executable.Close() }() // only read
	want := elf.EM_AARCH64
	if function.At("Architectures", 0) == "x86_64" {
		want = elf.EM_X86_64
	}
	if libraries, _ := executable.ImportedLibraries(); executable.Machine != want ||
		len(libraries) > 0 {
		return "", 0, fmt.Errorf(
			"bootstrap is for %s with the libraries %q, want %s without libraries",
			executable.Machine, libraries, want)
	}
	info, err := os.Stat(bootstrap)
	if err != nil {
		return "", 0, err
	}
	return bootstrap, info.Size(), nil
}

// zipSize returns approximately the size that cdk deploy uploads.
func zipSize(name string) (int64, error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // only read
	var counted counter
	archive := zip.NewWriter(&counted)
	entry, err := archive.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(entry, file); err != nil {
		return 0, err
	}
	err = archive.Close()
	return int64(counted), err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
