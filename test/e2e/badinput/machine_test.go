// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

func TestTakenPortIsRefused(t *testing.T) {
	c := goodRoot(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.Ports.ControllerManager))
	c.Must(err)
	defer l.Close()
	before := c.Tree(c.Root)
	c.Start()
	mustBeRefused(c, input{code: 1, says: []string{
		strconv.Itoa(c.Ports.ControllerManager), strconv.Itoa(os.Getpid()), "--kube-controller-manager-arg secure-port",
	}})
	if after := c.Tree(c.Root); !maps.Equal(before, after) {
		t.Errorf("the refused start changed the root:\nbefore %v\nafter  %v", before, after)
	}
}

func TestEtcdWithAnotherCAIsRefused(t *testing.T) {
	c := goodRoot(t)
	etcd := c.StartEtcd(stranger(c).Lab(""), 1)
	c.EtcdServers = etcd.URLs()
	c.Start()
	mustBeRefused(c, input{code: 1, says: []string{etcd.URLs()[0], "CA"}})
}

func TestFullDiskIsRefused(t *testing.T) {
	c := goodRoot(t)
	data := filepath.Join(c.Root, "var/lib/etcd")
	c.Must(os.MkdirAll(data, 0o700))
	c.Process = c.Env.Start("controller-full", process.Spec{
		// A mount namespace of its own, so that the small disk goes with the process.
		Path: "/usr/bin/unshare",
		Args: append([]string{"--map-root-user", "--mount", "/bin/sh", "-ec",
			`mount -t tmpfs -o size=1m tmpfs "$0"; exec "$@"`, data, c.Binary(), "run"}, c.RunArgs()...),
	})
	mustBeRefused(c, input{code: 1, says: []string{data, "free"}})
}

// TestCheckReportsEverythingAtOnce spoils several things, one of each kind.
func TestCheckReportsEverythingAtOnce(t *testing.T) {
	c := goodRoot(t)
	setEncryptionKey(c, "c2hvcnQ=")
	copyFile(c, "service-account-key.pem", c, "kubernetes-key.pem")
	copyFile(stranger(c), "kube-scheduler.kubeconfig", c, "kube-scheduler.kubeconfig")
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.Ports.Scheduler))
	c.Must(err)
	defer l.Close()
	c.Args = append(c.Args, "--kube-controller-manager-arg", "service-cluster-ip-range=10.33.0.0/24")

	before := c.Tree(c.Root)
	found, code := c.CheckJSON()
	if after := c.Tree(c.Root); !maps.Equal(before, after) {
		t.Errorf("check changed the root:\nbefore %v\nafter  %v", before, after)
	}
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, subject := range []string{
		c.Lab("encryption-config.yaml"), c.Lab("kubernetes-key.pem"), c.Lab("kube-scheduler.kubeconfig"),
		strconv.Itoa(c.Ports.Scheduler), "service-cluster-ip-range",
	} {
		mustBeFound(c, found, "error", subject)
	}
	for _, f := range found {
		if f.Problem == "" || f.Fix == "" {
			t.Errorf("a finding without a problem or a fix: %+v", f)
		}
	}
}
