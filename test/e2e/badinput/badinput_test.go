// SPDX-License-Identifier: Apache-2.0

// Package badinput gives `khw-controller run` and `check` what people get wrong,
// and wants one clear line, an exit code, and nothing written or served.
package badinput

import (
	"crypto/x509"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// input is one thing that is wrong with an otherwise good root.
type input struct {
	name string
	// spoil makes it so, on a root with all of the lab's files.
	spoil func(c *harness.Controller)
	// args are added to `run`.
	args []string
	// code is the exit code wanted.
	code int
	// says is what the one line has to contain: the file or flag, the fault, the
	// fix. ROOT stands for the root's path.
	says []string
}

func inputs() []input { return append(fileInputs(), componentInputs()...) }

// fileInputs are the lab's files, and flags of this program's own.
func fileInputs() []input {
	return []input{
		{
			name:  "a file is missing",
			spoil: func(c *harness.Controller) { c.Must(os.Remove(c.Lab("kubernetes.pem"))) },
			code:  1, says: []string{"ROOT/var/lib/kubernetes/kubernetes.pem", "missing"},
		},
		{
			name:  "certificate and key do not match",
			spoil: func(c *harness.Controller) { copyFile(c, "service-account-key.pem", c, "kubernetes-key.pem") },
			code:  1, says: []string{"ROOT/var/lib/kubernetes/kubernetes-key.pem", "is not the key of", "kubernetes.pem"},
		},
		{
			name: "a certificate is not signed by ca.pem",
			spoil: func(c *harness.Controller) {
				other := stranger(c)
				copyFile(other, "kubernetes.pem", c, "kubernetes.pem")
				copyFile(other, "kubernetes-key.pem", c, "kubernetes-key.pem")
			},
			code: 1, says: []string{"ROOT/var/lib/kubernetes/kubernetes.pem", "not signed by", "ca.pem"},
		},
		{
			name: "a certificate has expired",
			spoil: func(c *harness.Controller) {
				replaceCertificate(c, func(t *x509.Certificate) { t.NotAfter = time.Now().Add(-time.Hour) })
			},
			code: 1, says: []string{"ROOT/var/lib/kubernetes/kubernetes.pem", "expired"},
		},
		{
			name: "a certificate lacks 127.0.0.1",
			spoil: func(c *harness.Controller) {
				replaceCertificate(c, func(t *x509.Certificate) { t.IPAddresses = without(t.IPAddresses, net.IPv4(127, 0, 0, 1)) })
			},
			code: 1, says: []string{"ROOT/var/lib/kubernetes/kubernetes.pem", "127.0.0.1"},
		},
		{
			name: "the service ranges disagree",
			args: []string{"--kube-controller-manager-arg", "service-cluster-ip-range=10.33.0.0/24"},
			code: 1, says: []string{"service-cluster-ip-range", "10.33.0.0/24", "10.32.0.0/24"},
		},
		{
			name: "a kubeconfig is for another CA",
			spoil: func(c *harness.Controller) {
				editKubeconfig(c, func(mine, others *clientcmdapi.Config) { mine.Clusters = others.Clusters })
			},
			code: 1, says: []string{"ROOT/var/lib/kubernetes/kube-scheduler.kubeconfig", "another CA"},
		},
		{
			name: "a kubeconfig's client certificate is of another CA",
			spoil: func(c *harness.Controller) {
				editKubeconfig(c, func(mine, others *clientcmdapi.Config) { mine.AuthInfos = others.AuthInfos })
			},
			code: 1, says: []string{"ROOT/var/lib/kubernetes/kube-scheduler.kubeconfig", "client certificate", "not signed by"},
		},
		{
			name:  "the encryption key has the wrong length",
			spoil: func(c *harness.Controller) { setEncryptionKey(c, "c2hvcnQ=") },
			code:  1, says: []string{"ROOT/var/lib/kubernetes/encryption-config.yaml", "5 bytes"},
		},
		{
			name:  "the encryption key is not base64",
			spoil: func(c *harness.Controller) { setEncryptionKey(c, "%%%") },
			code:  1, says: []string{"ROOT/var/lib/kubernetes/encryption-config.yaml", "base64"},
		},
		{
			name: "a flag of run is unknown",
			args: []string{"--adverise-address=10.240.0.10"},
			code: 2, says: []string{"--adverise-address", "did you mean --advertise-address"},
		},
		{
			name: "a component's flag is unknown",
			args: []string{"--kube-apiserver-arg", "audit-log-maxagee=3"},
			code: 2, says: []string{"audit-log-maxagee", "audit-log-maxage"},
		},
		{
			name: "a component's flag cannot be honoured",
			args: []string{"--kube-apiserver-arg", "kubelet-https=false"},
			code: 2, says: []string{"kubelet-https=false"},
		},
		{
			name: "a key of the config file is unknown",
			spoil: func(c *harness.Controller) {
				write(c, "etc/kubernetes/config/khw-controller.yaml", "# ours\nadvertise-addresss: 10.240.0.10\n")
			},
			code: 2, says: []string{"ROOT/etc/kubernetes/config/khw-controller.yaml:2", "advertise-addresss", "advertise-address"},
		},
		{
			name: "the scheduler's config file is of an unknown kind",
			spoil: func(c *harness.Controller) {
				write(c, "etc/kubernetes/config/kube-scheduler.yaml", "apiVersion: componentconfig/v1alpha1\nkind: KubeProxyConfiguration\n")
			},
			code: 2, says: []string{"ROOT/etc/kubernetes/config/kube-scheduler.yaml", "KubeProxyConfiguration"},
		},
		{
			name: "the log directory is a file",
			spoil: func(c *harness.Controller) {
				write(c, "var/log", "")
			},
			code: 1, says: []string{"ROOT/var/log", "directory"},
		},
	}
}

func TestBadInputIsRefused(t *testing.T) {
	for _, in := range inputs() {
		t.Run(in.name, func(t *testing.T) {
			c := goodRoot(t)
			if in.spoil != nil {
				in.spoil(c)
			}
			c.Args = append(c.Args, in.args...)
			before := c.Tree(c.Root)
			checked, code := c.Check()
			c.Start()
			refusal := mustBeRefused(c, in)
			if found := finding(checked); code != in.code || found != refusal {
				t.Errorf("check and run disagree: check ends with %d and says\n%s\nrun says\n%s", code, found, refusal)
			}
			if after := c.Tree(c.Root); !maps.Equal(before, after) {
				t.Errorf("the refused start changed the root:\nbefore %v\nafter  %v", before, after)
			}
		})
	}
}

// TestGoodInputIsNotRefused keeps the cases above honest: without what spoils
// it, the same root passes.
func TestGoodInputIsNotRefused(t *testing.T) {
	c := goodRoot(t)
	out, code := c.Check()
	if code != 0 || !strings.Contains(out, "ok") {
		t.Errorf("exit code %d, want 0: %s", code, out)
	}
}

// finding is the one line of check that is no warning, without what stands before
// the fault.
func finding(output string) string {
	var found []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		for _, prefix := range []string{"error", "khw-controller:"} {
			if text, ok := strings.CutPrefix(line, prefix); ok {
				found = append(found, strings.TrimSpace(text))
			}
		}
	}
	return withoutTime(strings.Join(found, "\n"))
}

var clock = regexp.MustCompile(`clock says [^;]*`)

// withoutTime leaves out when it was that something was said.
func withoutTime(line string) string { return clock.ReplaceAllString(line, "clock says TIME") }

// mustBeRefused returns the line with which the start was refused.
func mustBeRefused(c *harness.Controller, in input) string {
	c.Helper()
	if code := c.Process.ExitCode(); code != in.code {
		c.Errorf("exit code %d, want %d", code, in.code)
	}
	var said []string
	for _, l := range c.Process.Lines() {
		if !logLine.MatchString(l) {
			said = append(said, l)
		}
		if strings.Contains(l, "Serving securely") {
			c.Errorf("something was served: %s", l)
		}
	}
	if len(said) != 1 {
		c.Fatalf("%d lines on stderr, want 1:\n%s", len(said), strings.Join(said, "\n"))
	}
	for _, want := range in.says {
		want = strings.ReplaceAll(want, "ROOT", c.Root)
		if !strings.Contains(said[0], want) {
			c.Errorf("%q does not contain %q", said[0], want)
		}
	}
	return withoutTime(strings.TrimPrefix(said[0], "khw-controller: "))
}

// logLine matches klog's text format, which tells how far the start came.
var logLine = regexp.MustCompile(`^[IWE]\d{4} `)

// goodRoot returns a controller that would start.
func goodRoot(t *testing.T) *harness.Controller {
	t.Helper()
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	return c
}

// stranger returns a controller with a CA of its own.
func stranger(c *harness.Controller) *harness.Controller {
	c.Helper()
	other := c.Controller("stranger", c.Ports)
	other.GeneratePKI()
	return other
}

func copyFile(from *harness.Controller, source string, to *harness.Controller, name string) {
	to.Helper()
	data, err := os.ReadFile(from.Lab(source))
	to.Must(err)
	to.Must(os.WriteFile(to.Lab(name), data, 0o600))
}

// editKubeconfig changes the scheduler's kubeconfig with that of a stranger.
func editKubeconfig(c *harness.Controller, edit func(mine, others *clientcmdapi.Config)) {
	c.Helper()
	mine, err := clientcmd.LoadFromFile(c.Lab("kube-scheduler.kubeconfig"))
	c.Must(err)
	others, err := clientcmd.LoadFromFile(stranger(c).Lab("kube-scheduler.kubeconfig"))
	c.Must(err)
	edit(mine, others)
	c.Must(clientcmd.WriteToFile(*mine, c.Lab("kube-scheduler.kubeconfig")))
}

var encryptionKey = regexp.MustCompile(`secret: .*`)

func setEncryptionKey(c *harness.Controller, key string) {
	c.Helper()
	path := c.Lab("encryption-config.yaml")
	data, err := os.ReadFile(path)
	c.Must(err)
	c.Must(os.WriteFile(path, encryptionKey.ReplaceAll(data, []byte(`secret: "`+key+`"`)), 0o600))
}

func write(c *harness.Controller, path, content string) {
	c.Helper()
	path = filepath.Join(c.Root, path)
	c.Must(os.MkdirAll(filepath.Dir(path), 0o755))
	c.Must(os.WriteFile(path, []byte(content), 0o644))
}
