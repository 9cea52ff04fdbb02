// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	spdxjson "github.com/spdx/tools-golang/json"
)

const cyclone = `{
  "bomFormat": "CycloneDX", "specVersion": "1.6",
  "metadata": {"component": {"type": "application", "name": "example.com/program", "version": "v1.2.3", "purl": "pkg:golang/example.com/program@v1.2.3"}},
  "components": [
    {"type": "library", "name": "example.com/a", "version": "v1.0.0", "purl": "pkg:golang/example.com/a@v1.0.0",
     "hashes": [{"alg": "SHA-256", "content": "00ff"}], "evidence": {"licenses": [{"license": {"id": "MIT"}}, {"license": {"id": "BSD-3-Clause"}}]}},
    {"type": "library", "name": "example.com/b", "version": "v2.0.0"}
  ]
}`

func TestPublish(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	from := filepath.Join(t.TempDir(), "cdx.json")
	if err := os.WriteFile(from, []byte(cyclone), 0o600); err != nil {
		t.Fatal(err)
	}
	var spdx [2][]byte
	for i := range spdx {
		to := filepath.Join(t.TempDir(), "program_1.2.3")
		if err := publish(from, to); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(to + ".spdx.json")
		if err != nil {
			t.Fatal(err)
		}
		spdx[i] = data
	}
	if !bytes.Equal(spdx[0], spdx[1]) {
		t.Error("not the same bytes twice")
	}
	d, err := spdxjson.Read(bytes.NewReader(spdx[0]))
	if err != nil {
		t.Fatal(err)
	}
	if d.DocumentName != "program_1.2.3" || d.CreationInfo.Created != "2023-11-14T22:13:20Z" {
		t.Errorf("the document is %s of %s", d.DocumentName, d.CreationInfo.Created)
	}
	if len(d.Packages) != 3 || len(d.Relationships) != 3 {
		t.Fatalf("%d packages and %d relationships, want 3 and 3", len(d.Packages), len(d.Relationships))
	}
	a := d.Packages[1]
	if a.PackageName != "example.com/a" || a.PackageVersion != "v1.0.0" || a.PackageLicenseDeclared != "MIT AND BSD-3-Clause" ||
		a.PackageExternalReferences[0].Locator != "pkg:golang/example.com/a@v1.0.0" || a.PackageChecksums[0].Algorithm != "SHA256" {
		t.Errorf("got %+v", a)
	}
	if b := d.Packages[2]; b.PackageLicenseDeclared != unstated {
		t.Errorf("the licence of %s is %q", b.PackageName, b.PackageLicenseDeclared)
	}
}

func TestPublishRefuses(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	for name, text := range map[string]string{"no JSON": "x", "nothing inside": `{"bomFormat": "CycloneDX", "specVersion": "1.6"}`} {
		from := filepath.Join(t.TempDir(), "cdx.json")
		if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "out")
		if err := publish(from, to); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := os.Stat(to + ".cdx.json"); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}
