// SPDX-License-Identifier: Apache-2.0

// Package init_test is the scenario `init`: bundles as they are made for the lab's
// three controllers, judged by openssl and by check where each controller would be,
// a run from one, and certificates that are renewed while it runs.
package init_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

var addresses = []string{"10.240.0.10", "10.240.0.11", "10.240.0.12"}

const three = "controller-0=10.240.0.10,controller-1=10.240.0.11,controller-2=10.240.0.12"

type scenario struct{ *harness.Env }

// command runs a program and returns its output and its exit code.
func (s scenario) command(name string, args ...string) (string, int) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		s.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// must is command for one that has to succeed.
func (s scenario) must(name string, args ...string) string {
	s.Helper()
	out, code := s.command(name, args...)
	if code != 0 {
		s.Fatalf("%s %s: exit code %d: %s", name, strings.Join(args, " "), code, out)
	}
	return out
}

// host is a network namespace with an address, as a machine of that address has it.
func (s scenario) host(name, address string) (enter []string) {
	s.Helper()
	holder := s.Start(name, process.Spec{Path: "unshare", Args: []string{"--net", "sleep", "infinity"}})
	own, err := os.Readlink("/proc/self/ns/net")
	s.Must(err)
	s.Eventually("a network namespace", func(context.Context) error {
		other, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", holder.PID()))
		if err == nil && other == own {
			return fmt.Errorf("%s is still in ours", name)
		}
		return err
	})
	enter = []string{fmt.Sprintf("--net=/proc/%d/ns/net", holder.PID()), "--"}
	s.must("nsenter", append(enter, "ip", "link", "set", "lo", "up")...)
	s.must("nsenter", append(enter, "ip", "address", "add", address+"/24", "dev", "lo")...)
	return enter
}

// install puts a bundle where it goes on a controller, as its last line says.
func (s scenario) install(bundle, root string) {
	s.Helper()
	lab, config := filepath.Join(root, "var/lib/kubernetes"), filepath.Join(root, "etc/kubernetes/config")
	s.must("bash", "-c", fmt.Sprintf("mkdir -p %[2]s %[3]s && cp %[1]s/*.pem %[1]s/*.kubeconfig %[1]s/encryption-config.yaml %[2]s/ && cp %[1]s/khw-controller.yaml %[3]s/",
		bundle, lab, config))
}

// flags are those of a control plane below root, on a machine with this address and
// no route: what the packages' config file has outside of root is inside here.
func flags(root, address string) []string {
	return []string{
		"--root", root, "--advertise-address", address, "--kube-apiserver-arg", "audit-log-path=" + filepath.Join(root, "audit.log"),
		"--kube-controller-manager-arg", "flex-volume-plugin-dir=" + filepath.Join(root, "flexvolume"),
	}
}

// judge has openssl verify every certificate in a directory, and the keys to belong
// to them.
func (s scenario) judge(dir string, options ...string) {
	s.Helper()
	options = append([]string{"verify", "-CAfile", filepath.Join(dir, "ca.pem")}, options...)
	publicKey := func(kind, path string) string {
		return s.must("openssl", kind, "-in", path, map[string]string{"x509": "-pubkey", "pkey": "-pubout"}[kind], "-noout")
	}
	pair := func(cert, key string) {
		s.must("openssl", append(options, "-untrusted", cert, cert)...)
		if a, b := publicKey("x509", cert), s.must("openssl", "pkey", "-in", key, "-pubout"); a != b {
			s.Errorf("%s is not the key of %s", key, cert)
		}
	}
	for _, name := range []string{"kubernetes", "service-account"} {
		pair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem"))
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler", "admin"} {
		c, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, name+".kubeconfig"))
		s.Must(err)
		cert, key := s.Path("client.pem"), s.Path("client-key.pem")
		s.Must(os.WriteFile(cert, c.CertData, 0o600))
		s.Must(os.WriteFile(key, c.KeyData, 0o600))
		pair(cert, key)
	}
}

// TestBundles makes a bundle for all and one for each, with a CA of its own and with
// one of the user's, and has each controller check it.
func TestBundles(t *testing.T) {
	s := scenario{harness.New(t)}
	khw := s.Binary()
	root, above := s.company()
	var hosts [][]string
	for i, address := range addresses {
		hosts = append(hosts, s.host(fmt.Sprintf("host-%d", i), address))
	}
	for name, test := range map[string]struct {
		args    []string
		openssl []string
		perNode bool
	}{
		"all":  {},
		"each": {args: []string{"--out-per-node", "--key-algorithm", "ecdsa"}, perNode: true},
		"intermediate": {args: []string{"--ca", above + ".pem", "--ca-key", above + "-key.pem"},
			openssl: []string{"-partial_chain"}},
	} {
		dir := s.Path("bundle-" + name)
		args := append([]string{"init", "--controllers", three, "--public-address", "203.0.113.10", "--out", dir}, test.args...)
		s.must(khw, args...)
		for i := range addresses {
			bundle := dir
			if test.perNode {
				bundle = filepath.Join(dir, fmt.Sprintf("controller-%d", i))
			}
			if i == 0 || test.perNode {
				s.judge(bundle, test.openssl...)
			}
			if name == "all" && i > 0 {
				continue // the same files as the first one's
			}
			below := s.Path(fmt.Sprintf("root-%s-%d", name, i))
			s.install(bundle, below)
			check := append(append(hosts[i], khw, "check"), flags(below, addresses[i])...)
			if out := s.must("nsenter", check...); !strings.Contains(out, "ok: nothing stands in the way") {
				s.Errorf("%s, controller %d: check is not green:\n%s", name, i, out)
			}
		}
		if name == "intermediate" {
			served := filepath.Join(dir, "kubernetes.pem")
			s.must("openssl", "verify", "-CAfile", root+".pem", "-untrusted", served, served)
		}
		before := s.must("bash", "-c", "cd "+dir+" && find . -type f | sort | xargs sha256sum")
		if out := s.must(khw, args...); !strings.Contains(out, "nothing to do") {
			s.Errorf("the same again is not nothing:\n%s", out)
		}
		if after := s.must("bash", "-c", "cd "+dir+" && find . -type f | sort | xargs sha256sum"); after != before {
			s.Errorf("the same again has changed %s:\n%s\n%s", name, before, after)
		}
	}
}

// company makes a root CA and an intermediate one with openssl; the intermediate's
// file has the root behind it.
func (s scenario) company() (root, above string) {
	s.Helper()
	root, above = s.Path("root"), s.Path("above")
	s.must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/O=Company/CN=Root", "-keyout", root+"-key.pem", "-out", root+".pem")
	s.must("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=Company/CN=Kubernetes CA", "-keyout", above+"-key.pem", "-out", above+".csr")
	s.Must(os.WriteFile(above+".ext", []byte("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"), 0o600))
	s.must("openssl", "x509", "-req", "-in", above+".csr", "-CA", root+".pem", "-CAkey", root+"-key.pem", "-CAcreateserial", "-days", "30", "-extfile", above+".ext", "-out", above+".pem")
	s.must("bash", "-c", fmt.Sprintf("cat %s.pem >>%s.pem", root, above))
	return root, above
}

// TestRunAndRenew runs a control plane from a bundle, verifies it, and renews its
// certificates: the apiserver serves the new one, and is the process that it was. The
// CA is an intermediate one that expires in less than 30 days, which is told.
func TestRunAndRenew(t *testing.T) {
	s := scenario{harness.New(t)}
	khw, root := s.Binary(), s.Path("root")
	_, above := s.company()
	s.must(khw, "init", "--controllers", "controller-0="+addresses[0], "--public-address", "203.0.113.10", "--out", s.Path("bundle"),
		"--ca", above+".pem", "--ca-key", above+"-key.pem")
	s.install(s.Path("bundle"), root)
	enter := s.host("host", addresses[0])
	in := func(args ...string) []string { return append(append([]string{}, enter...), args...) }
	run := append([]string{khw, "run"}, flags(root, addresses[0])...)
	notify, err := process.ListenNotify(s.Path("notify.sock"))
	s.Must(err)
	t.Cleanup(notify.Close)
	p := s.Start("run", process.Spec{Path: "nsenter", Args: in(run...), Env: []string{notify.Env}})
	s.WithinAlive(p, harness.Patience, "READY=1", func(context.Context) error {
		if _, ok := notify.First("READY", func(v string) bool { return v == "1" }); !ok {
			return fmt.Errorf("%s", notify.Last("STATUS"))
		}
		return nil
	})
	s.must("nsenter", in(append([]string{khw, "verify"}, flags(root, addresses[0])...)...)...)

	kubectl := func(args ...string) string {
		return s.must("nsenter", in(append([]string{khw, "kubectl", "--root", root}, args...)...)...)
	}
	s.WithinAlive(p, 2*time.Minute, "an event about each certificate", func(context.Context) error {
		events := kubectl("get", "events", "-n", "kube-system", "--field-selector", "reason=CertificateExpires,type=Warning", "-o", "name")
		if n := strings.Count(events, "\n"); n != 5 {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
	if n := strings.Count(kubectl("get", "--raw", "/metrics"), "\nkhw_certificate_expiration_timestamp_seconds{"); n != 5 {
		t.Errorf("%d certificates are among the metrics", n)
	}
	lab := filepath.Join(root, "var/lib/kubernetes")
	serial := func(path string) string { return s.must("openssl", "x509", "-noout", "-serial", "-in", path) }
	served := func() string {
		return s.must("nsenter", in("bash", "-c", "openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -serial")...)
	}
	old := serial(filepath.Join(lab, "kubernetes.pem"))
	if got := served(); got != old {
		t.Fatalf("%s is served, and %s is in the file", got, old)
	}
	certs := func(args ...string) string {
		return s.must("nsenter", in(append(append([]string{khw, "certs"}, args...), flags(root, addresses[0])...)...)...)
	}
	if out := certs("list"); strings.Count(out, "\n") != 10 || !strings.Contains(out, "203.0.113.10") {
		t.Errorf("certs list:\n%s", out)
	}
	if out := certs("renew", "--all", "--dry-run"); !strings.Contains(out, "4 to renew") || serial(filepath.Join(lab, "kubernetes.pem")) != old {
		t.Errorf("certs renew --all --dry-run:\n%s", out)
	}
	out := certs("renew", "--all")
	if !strings.Contains(out, "kube-scheduler.kubeconfig: ") || !strings.Contains(out, "systemctl restart khw-controller") {
		t.Errorf("certs renew --all:\n%s", out)
	}
	renewed := serial(filepath.Join(lab, "kubernetes.pem"))
	if renewed == old {
		t.Fatalf("nothing was renewed:\n%s", out)
	}
	s.judge(lab, "-partial_chain")
	s.WithinAlive(p, 2*time.Minute, "the renewed certificate to be served", func(context.Context) error {
		if got := served(); got != renewed {
			return fmt.Errorf("%s is served", got)
		}
		return nil
	})
	s.must("nsenter", in(append([]string{khw, "verify"}, flags(root, addresses[0])...)...)...)
	if code, err := p.Stop(harness.Patience); err != nil || code != 0 {
		t.Errorf("it ended with exit code %d, %v", code, err)
	}
}

// TestKilled kills init, and then a renewal, at random: the same command again ends
// with everything in its place.
func TestKilled(t *testing.T) {
	const rounds = 10
	s := scenario{harness.New(t)}
	khw, root, dir := s.Binary(), s.Path("root"), s.Path("bundle")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, seed))
	kill := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), khw, args...)
		s.Must(cmd.Start())
		select {
		case <-time.After(time.Duration(100+random.IntN(700)) * time.Millisecond):
		case <-t.Context().Done():
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	initArgs := []string{"init", "--controllers", three, "--out", dir}
	for i := range rounds {
		kill(append(initArgs, "--public-address", fmt.Sprintf("lb-%d.example.com", i))...)
	}
	s.must(khw, initArgs...)
	s.judge(dir)
	s.install(dir, root)
	lab := filepath.Join(root, "var/lib/kubernetes")
	before := s.must("openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName", "-in", filepath.Join(lab, "kubernetes.pem"))
	enter := s.host("host", addresses[0])
	renew := append([]string{khw, "certs", "renew", "--all"}, flags(root, addresses[0])...)
	for range rounds {
		cmd := exec.CommandContext(t.Context(), "nsenter", append(enter, renew...)...)
		s.Must(cmd.Start())
		select {
		case <-time.After(time.Duration(200+random.IntN(1000)) * time.Millisecond):
		case <-t.Context().Done():
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	s.must("nsenter", append(enter, renew...)...)
	s.judge(lab)
	if after := s.must("openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName", "-in", filepath.Join(lab, "kubernetes.pem")); after != before {
		t.Errorf("%s became %s", before, after)
	}
	for _, pattern := range []string{"*.new", "*.change"} {
		left, err := filepath.Glob(filepath.Join(lab, pattern))
		s.Must(err)
		if len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}
