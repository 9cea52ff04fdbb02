// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/config"
)

// TestWhatIsMadeIsRecorded reads the record as the package's postrm does.
func TestWhatIsMadeIsRecorded(t *testing.T) {
	p, err := planFor(t, config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.Config.Path(labDir), 0o755); err != nil {
		t.Fatal(err)
	}
	logged(t, func() {
		if err := p.generateMissing(); err != nil {
			t.Fatal(err)
		}
	})
	record, err := os.ReadFile(p.Config.Path(madeFile))
	if err != nil {
		t.Fatal(err)
	}
	first, files, _ := strings.Cut(string(record), "\n")
	if want := "directory  " + filepath.Join(p.Etcd.Dir, "member"); first != want {
		t.Errorf("the first line is %q, want %q", first, want)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet")
	check.Stdin = strings.NewReader(files)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum does not agree: %v\n%s\n%s", err, out, record)
	}
	for _, path := range append(p.Files.Required(), p.Files.AdminKubeconfig) {
		if !strings.Contains(files, "  "+path+"\n") {
			t.Errorf("%s is not in the record", path)
		}
	}
}

func TestWhatWasThereIsNotRecorded(t *testing.T) {
	p, err := planFor(t, config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// Of the lab's files one is enough, and of etcd's data its directory.
	for _, dir := range []string{p.Config.Path(labDir), filepath.Join(p.Etcd.Dir, "member")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(p.Files.CA, []byte("the operator's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.generateMissing(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(p.Config.Path(madeFile)); !os.IsNotExist(err) {
		t.Errorf("a record was made of nothing: %v", err)
	}
}
