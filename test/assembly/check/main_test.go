package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// executable returns the smallest ELF file for a machine.
func executable(machine elf.Machine) string {
	var file bytes.Buffer
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Ehsize: 64,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = byte(
		elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	if err := binary.Write(&file, binary.LittleEndian, header); err != nil {
		panic(err)
	}
	return file.String()
}

func TestCheck(t *testing.T) {
	const clean = `{"pluginReports": []}`
	for name, test := range map[string]struct {
		report, file, content, want string
	}{
		"valid": {clean, "bootstrap", executable(elf.EM_AARCH64), ""},
		"other architecture": {
			clean, "bootstrap", executable(elf.EM_X86_64), "Dev/A/F: bootstrap is for EM_X86_64",
		},
		"not an executable": {
			clean, "bootstrap", "#!/bin/sh\nexec /usr/bin/env node index.js\n",
			"Dev/A/F: bootstrap: bad magic number",
		},
		"wrong file name": {clean, "index.js", "", "Dev/A/F: its asset is [index.js]"},
		"validation error": {
			`{"pluginReports": [{"violations": [
				{"severity": "error", "ruleName": "E1", "description": "wrong"}]}]}`,
			"bootstrap", executable(elf.EM_AARCH64), "error E1: wrong",
		},
		"not validated": {
			"", "bootstrap", executable(elf.EM_AARCH64), "synthesized without validators",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{
				"assembly-Dev/manifest.json": `{"artifacts": {"DevA1": {
					"type": "aws:cloudformation:stack", "displayName": "Dev/A (Dev-A)",
					"properties": {"templateFile": "a.json"}}}}`,
				"assembly-Dev/a.json": `{"Resources": {"F": {
					"Type": "AWS::Lambda::Function",
					"Properties": {
						"Architectures": ["arm64"], "Handler": "bootstrap",
						"Code": {"S3Key": "0123456789abcdef.zip"}}}}}`,
				"asset.0123456789abcdef/" + test.file: test.content,
			}
			if test.report != "" {
				files["validation-report.json"] = test.report
			}
			for name, content := range files {
				name = filepath.Join(dir, name)
				err := os.MkdirAll(filepath.Dir(name), 0o755)
				if err = errors.Join(err, os.WriteFile(name, []byte(content), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			err := check(&out, dir)
			if test.want == "" {
				if err != nil || !strings.Contains(out.String(), "Dev/A/F   0123456789ab  0.0") {
					t.Errorf("error %v and table\n%s", err, out.String())
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
