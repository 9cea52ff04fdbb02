// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// TestWhatIsMadeIsInTheInventory reads the inventory as the package's postrm does.
func TestWhatIsMadeIsInTheInventory(t *testing.T) {
	p, err := planFor(t, config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.Path(paths.LabDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	inventory, err := os.ReadFile(p.Path(paths.Inventory))
	if err != nil {
		t.Fatal(err)
	}
	first, files, _ := strings.Cut(string(inventory), "\n")
	if want := "directory  " + filepath.Join(p.Etcd.Dir, "member"); first != want {
		t.Errorf("the first line is %q, want %q", first, want)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet")
	check.Stdin = strings.NewReader(files)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum does not agree: %v\n%s\n%s", err, out, inventory)
	}
	for _, path := range append(p.Files.Required(), p.Files.AdminKubeconfig) {
		if !strings.Contains(files, "  "+path+"\n") {
			t.Errorf("%s is not in the inventory", path)
		}
	}
}

func TestWhatWasThereIsNotInTheInventory(t *testing.T) {
	p, err := planFor(t, config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// Of the lab's files one is enough, and of etcd's data its directory.
	for _, dir := range []string{p.Path(paths.LabDir), filepath.Join(p.Etcd.Dir, "member")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(p.Files.CA, []byte("the operator's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(p.Path(paths.Inventory)); !os.IsNotExist(err) {
		t.Errorf("an inventory was made of nothing: %v", err)
	}
}
