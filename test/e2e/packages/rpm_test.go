// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"path/filepath"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
)

func TestRPM(t *testing.T) {
	e := harness.New(t)
	n := node{machine.NewNetwork(e).Boot("controller-0", "10.240.0.10")}
	rpm := e.Package("rpm")
	installedIsNotStarted(n, n.install(rpm))
	unitIsSound(n)
	n.Do("systemctl", "enable", "--now", unit)
	worksAtOnce(n)
	kept := n.makeObjects()

	// The same once more stands for an upgrade: rpm runs the same scripts.
	before := n.show("MainPID")
	n.Do("sed", "--in-place", "s/^#shutdown-delay: .*/shutdown-delay: 1s/", configFile)
	n.Do("rpm", "--upgrade", "--replacepkgs", "--nodeps", "/root/"+filepath.Base(rpm))
	worksAtOnce(n)
	if n.show("MainPID") == before {
		t.Error("the old process still runs")
	}
	n.Do("grep", "-qx", "shutdown-delay: 1s", configFile)
	n.mustHave(kept)

	n.Do("rpm", "--erase", "khw-controller")
	if out, err := n.Try("systemctl", "cat", unit); err == nil {
		t.Errorf("the unit is still there: %s", out)
	}
	n.Do("test", "-e", "/var/lib/etcd/member/snap/db")
	n.Do("test", "-e", configFile+".rpmsave")
}
