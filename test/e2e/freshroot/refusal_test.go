// SPDX-License-Identifier: Apache-2.0

package freshroot

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

func TestPartOfTheFilesIsRefused(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	missing := []string{"ca-key.pem", "encryption-config.yaml"}
	for _, name := range missing {
		e.Must(os.Remove(c.Lab(name)))
	}
	before := e.Tree(c.Root)
	c.Start()
	if code := c.Process.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	said := c.Process.Tail(1)
	for _, name := range missing {
		if !strings.Contains(said, c.Lab(name)) {
			t.Errorf("%q does not say that %s is missing", said, name)
		}
	}
	if strings.Contains(said, filepath.Base(c.Lab("kubernetes.pem"))) {
		t.Errorf("%q says that kubernetes.pem is missing, which is there", said)
	}
	if after := e.Tree(c.Root); !maps.Equal(before, after) {
		t.Errorf("the refused start changed the root:\nbefore %v\nafter  %v", before, after)
	}
}

func TestSecondInstanceOnOneRootIsRefused(t *testing.T) {
	e := harness.New(t)
	first := e.Controller("first", e.FreePorts())
	first.StartReady()
	second := e.Controller("second", e.FreePorts())
	second.Root = first.Root
	second.Start()
	if code := second.Process.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if said := second.Process.Tail(1); !strings.Contains(said, "khw-controller.lock") || !strings.Contains(said, "--root") {
		t.Errorf("%q does not name the lock file and --root", said)
	}
	if !first.Process.Running() {
		t.Error("the second instance ended the first")
	}
	first.StopInOrder()
}
