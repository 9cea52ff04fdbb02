// SPDX-License-Identifier: Apache-2.0

// Package verify runs `khw-controller verify` against control planes that are as
// the lab leaves them, and against some that are not.
package verify

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/pkg/verify"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// run runs verify and returns its output and exit code.
func run(c *harness.Controller, more ...string) (out string, code int) {
	c.Helper()
	args := append([]string{"verify"}, c.RunArgs()...)
	cmd := exec.CommandContext(c.Context(), c.Binary(), append(args, more...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	data, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		if len(failed.Stderr) > 0 {
			c.Errorf("verify says on stderr: %s", failed.Stderr)
		}
		return string(data), failed.ExitCode()
	}
	c.Must(err)
	return string(data), 0
}

// steps runs verify, and returns each step's result.
func steps(c *harness.Controller, more ...string) map[string]verify.Result {
	c.Helper()
	out, code := run(c, append(more, "-o", "json")...)
	var report struct {
		Steps  []verify.Result
		Failed int
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		c.Fatalf("verify -o json prints %q: %v", out, err)
	}
	if (code == 1) != (report.Failed > 0) || code > 1 {
		c.Errorf("exit code %d with %d failed steps", code, report.Failed)
	}
	results := map[string]verify.Result{}
	for _, r := range report.Steps {
		results[r.Step] = r
	}
	return results
}

// mustFail wants exactly the named steps to fail, with these words among their
// findings.
func mustFail(c *harness.Controller, results map[string]verify.Result, want map[string]string) {
	c.Helper()
	for step, r := range results {
		words, fails := want[step]
		if (r.Outcome == verify.Failed) != fails {
			c.Errorf("%s: %s, %q", step, r.Outcome, r.Failures)
			continue
		}
		if said := fmt.Sprint(r.Failures); !strings.Contains(said, words) {
			c.Errorf("%s says %s, want %q", step, said, words)
		}
		for _, f := range r.Failures {
			if f.Next == "" {
				c.Errorf("%s: %s, and nothing to do next", step, f.Problem)
			}
		}
	}
}

// awaitAllGood waits until no step fails: the bootstrap applies the RBAC when
// the control plane is up.
func awaitAllGood(c *harness.Controller) {
	c.Helper()
	c.Eventually("verify to find all good", func(context.Context) error {
		if out, code := run(c); code != 0 {
			return errors.New(out)
		}
		return nil
	})
}

func noTestSecret(c *harness.Controller) {
	c.Helper()
	list, err := c.Client().CoreV1().Secrets(metav1.NamespaceSystem).List(c.Context(), metav1.ListOptions{})
	c.Must(err)
	for _, s := range list.Items {
		if strings.HasPrefix(s.Name, verify.TestSecretPrefix) {
			c.Errorf("verify left the secret %s behind", s.Name)
		}
	}
}

// awaitRBAC waits until the kubelet's RBAC is as it has to be.
func awaitRBAC(c *harness.Controller) {
	c.Helper()
	c.Eventually("the RBAC to be mended", func(context.Context) error {
		if r := steps(c)["kubelet RBAC"]; r.Outcome != verify.Passed {
			return fmt.Errorf("%s: %v", r.Outcome, r.Failures)
		}
		return nil
	})
}

func TestVerify(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.DefaultPorts())
	c.StartReady()
	awaitAllGood(c)
	showsWhatTheLabShows(c)
	loadBalancers(c)

	// What its annotation does not keep for its owner comes back by itself.
	binding := func(patch string) {
		c.Kubectl("patch", "clusterrolebinding", "system:kube-apiserver", "--type=merge", "--patch="+patch)
	}
	binding(`{"metadata": {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}, "subjects": null}`)
	mustFail(c, steps(c), map[string]string{"kubelet RBAC": "by hand: its annotation rbac.authorization.kubernetes.io/autoupdate"})
	noTestSecret(c)
	binding(`{"metadata": {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": null}}}`)
	awaitRBAC(c)

	// The new process is told not to encrypt.
	c.StopInOrder()
	path := c.Lab("encryption-config.yaml")
	data, err := os.ReadFile(path)
	c.Must(err)
	plain := strings.Replace(string(data), "- aescbc:", "- identity: {}\n      - aescbc:", 1)
	c.Must(os.WriteFile(path, []byte(plain), 0o600))
	c.StartReady()
	awaitRBAC(c)
	mustFail(c, steps(c), map[string]string{"encryption at rest": "secrets are stored in plain text"})
	noTestSecret(c)

	c.StopInOrder()
	const down = "nobody listens there"
	mustFail(c, steps(c), map[string]string{
		"componentstatuses": down, "health proxy": down, "kubelet RBAC": down, "etcd members": down, "encryption at rest": down, "version": down,
	})
}

// showsWhatTheLabShows looks for the lab's outputs, and for a report that a CI
// system can read.
func showsWhatTheLabShows(c *harness.Controller) {
	c.Helper()
	out, _ := run(c)
	for _, want := range []string{
		"– units: ", "✔ componentstatuses\n    NAME                 STATUS    MESSAGE   ERROR\n",
		"    controller-manager   Healthy   ok\n", "    scheduler            Healthy   ok\n", "    etcd-0               Healthy   ok\n",
		"✔ health proxy\n    HTTP/1.1 200 OK\n    Content-Type: text/plain; charset=utf-8\n\n    ok\n",
		`User "kubernetes" can get, create, * nodes/proxy`, "healthy, leader", `begins with "k8s:enc:aescbc:v1:key1:"`,
		"    {\n      \"major\": \"1\",\n", `"gitVersion": "v1.37.2`, "7 steps: 6 passed, 0 failed, 1 skipped\n",
	} {
		if !strings.Contains(out, want) {
			c.Errorf("%q is missing in\n%s", want, out)
		}
	}
	noTestSecret(c)
	out, _ = run(c, "-o", "junit")
	var report struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name string `xml:"name,attr"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal([]byte(out), &report); err != nil || report.Tests != 7 || report.Failures != 0 || len(report.Cases) != 7 {
		c.Errorf("%v: %+v from %s", err, report, out)
	}
}

func TestVerifyWithoutAnonymousAccess(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.DefaultPorts())
	c.Args = []string{"--kube-apiserver-arg", "anonymous-auth=false"}
	c.StartReady()
	awaitAllGood(c)
	if said := strings.Join(steps(c)["version"].Output, "\n"); !strings.Contains(said, "/version answers 401 Unauthorized: the lab's curl has no credentials, and anonymous-auth=false is set") {
		t.Errorf("version says %s", said)
	}
}

func TestVerifyOnTheLabsThreeEtcdMembers(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.DefaultPorts())
	c.GeneratePKI()
	etcd := e.StartEtcd(c.Lab(""), 3)
	c.EtcdServers = etcd.URLs()
	c.StartReady()
	awaitAllGood(c)
	out := strings.Join(steps(c)["etcd members"].Output, "\n")
	if strings.Count(out, "healthy, leader") != 1 || strings.Count(out, "healthy, follower") != 2 {
		t.Errorf("the members are\n%s", out)
	}

	// The other two elect a leader where that was the one; what else is of no
	// interest meanwhile.
	etcd.Processes[2].Kill()
	want := etcd.Members[2].ClientURL() + " refuses the connection"
	c.Eventually("verify to miss one member, and no more", func(context.Context) error {
		r := steps(c)["etcd members"]
		if len(r.Output) != 2 || len(r.Failures) != 1 || !strings.Contains(r.Failures[0].Problem, want) {
			return fmt.Errorf("%q, %v", r.Output, r.Failures)
		}
		return nil
	})
	noTestSecret(c)
}
