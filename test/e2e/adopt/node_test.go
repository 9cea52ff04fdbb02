// SPDX-License-Identifier: Apache-2.0

// Package adopt takes over controllers that were made by hand after the lab, with
// stock daemons, on booted machines.
package adopt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
)

const (
	unit       = "khw-controller.service"
	configFile = "/etc/kubernetes/config/khw-controller.yaml"
	recordFile = "/var/lib/khw-controller.adopt/record.json"
	siteName   = "kubernetes.default.svc.cluster.local"
	kubeconfig = "/root/admin.kubeconfig"
)

// daemons are the lab's units, in the order of their start.
var daemons = []string{"kube-apiserver.service", "kube-controller-manager.service", "kube-scheduler.service"}

// node is a controller made by hand.
type node struct{ *machine.Machine }

// makeByHand does lab chapters 07 and 08, with today's daemons, but starts nothing.
func (n node) makeByHand(lab *harness.Controller, members []string, etcdMore string) {
	n.Helper()
	files, err := os.ReadDir(lab.Lab(""))
	n.Must(err)
	for _, f := range files {
		to := "/var/lib/kubernetes/" + f.Name()
		if f.Name() == filepath.Base(kubeconfig) {
			to = kubeconfig // where one works, as in the lab
		}
		n.Copy(lab.Lab(f.Name()), to)
	}
	n.Sh("chmod 600 /var/lib/kubernetes/*-key.pem /var/lib/kubernetes/*.kubeconfig /var/lib/kubernetes/encryption-config.yaml /root/admin.kubeconfig")
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		n.Copy(n.StockBinary(name), "/usr/local/bin/"+name)
	}
	n.Copy(n.StockBinary("nginx"), "/usr/sbin/nginx")
	n.Sh("chmod 755 /usr/local/bin/* /usr/sbin/nginx; mkdir -p /var/log/nginx /var/lib/nginx /etc/nginx/sites-enabled")
	replace := strings.NewReplacer("${INTERNAL_IP}", n.Address, "${ETCD_NAME}", n.Name, "${ETCD_SERVERS}", strings.Join(members, ","), "${ETCD_MORE}", etcdMore)
	for path, text := range byHand {
		n.Write(path, replace.Replace(text))
	}
	n.Sh("ln -s /etc/nginx/sites-available/" + siteName + " /etc/nginx/sites-enabled/")
	n.Do("systemctl", "daemon-reload")
	n.systemctl("enable", append([]string{"etcd", "nginx"}, daemons...)...)
}

// systemctl runs a verb on units.
func (n node) systemctl(verb string, units ...string) {
	n.Helper()
	n.Do(append([]string{"systemctl", verb}, units...)...)
}

// startByHand is the lab's `systemctl start`. The package is installed beside what runs.
func (n node) startByHand() {
	n.Helper()
	n.systemctl("start", daemons...)
	n.systemctl("start", "nginx")
	n.awaitHealthy()
	n.Copy(n.Package("deb"), "/root/khw-controller.deb")
	n.Do("dpkg", "--install", "/root/khw-controller.deb")
}

func (n node) awaitHealthy() {
	n.Helper()
	n.Within(2*harness.Patience, n.Name+" to be healthy", func(context.Context) error { return n.healthy() })
}

// healthy looks once, by the lab's own check.
func (n node) healthy() error {
	out, err := n.Try("curl", "--silent", "--show-error", "--max-time", "5", "--include", "--header", "Host: "+siteName, "http://127.0.0.1/healthz")
	if err != nil || !strings.HasPrefix(out, "HTTP/1.1 200 OK") || !strings.HasSuffix(out, "\r\n\r\nok") {
		return fmt.Errorf("/healthz answers %q: %w", out, errors.Join(err, errors.New("want 200 and ok")))
	}
	return nil
}

func (n node) kubectl(args ...string) string {
	n.Helper()
	return n.Do(append([]string{"/usr/bin/khw-controller", "kubectl", "--kubeconfig=" + kubeconfig}, args...)...)
}

// adopt runs the command, and returns what it says.
func (n node) adopt(args ...string) (string, error) {
	n.Helper()
	return n.Try(append([]string{"khw-controller", "adopt"}, args...)...)
}

func (n node) mustAdopt(args ...string) string {
	n.Helper()
	out, err := n.adopt(args...)
	if err != nil {
		n.Fatalf("%s: adopt %s: %v\n%s", n.Name, strings.Join(args, " "), err, out)
	}
	return out
}

// show returns a property of a unit.
func (n node) show(name, property string) string {
	n.Helper()
	return strings.TrimSpace(n.Do("systemctl", "show", "--value", "--property="+property, name))
}

// runs wants each unit to run and to be enabled, or neither.
func (n node) runs(running bool, units ...string) {
	n.Helper()
	want := map[bool]string{true: "active enabled", false: "inactive disabled"}[running]
	for _, u := range units {
		if got := n.show(u, "ActiveState") + " " + n.show(u, "UnitFileState"); got != want {
			n.Errorf("%s: %s is %s, want %s", n.Name, u, got, want)
		}
	}
}

// state is everything that adopting may change: files with owner, mode and content, and
// the units.
func (n node) state() map[string]string {
	n.Helper()
	all := map[string]string{}
	out := n.Sh(`find /etc/systemd /etc/nginx /etc/kubernetes /var/lib/kubernetes /var/lib/khw-controller.adopt -printf '%p\t%y %U:%G %m %l\n' 2>/dev/null || true
find /etc/systemd/system /etc/nginx /etc/kubernetes /var/lib/kubernetes -type f -exec sha256sum {} + | sed 's/^\(\S*\)  \(.*\)/sum of \2\t\1/'`)
	for line := range strings.Lines(out) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), "\t")
		all[name] = what
	}
	for _, u := range append([]string{unit, "nginx.service", "etcd.service"}, daemons...) {
		all[u] = n.show(u, "ActiveState") + " " + n.show(u, "UnitFileState")
	}
	return all
}

// mustBeAs wants nothing to be another than before.
func (n node) mustBeAs(what string, before map[string]string) {
	n.Helper()
	now := n.state()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != before[name] {
			n.Errorf("%s: %s: %s is %q, was %q", n.Name, what, name, now[name], before[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := now[name]; !ok {
			n.Errorf("%s: %s: %s is gone", n.Name, what, name)
		}
	}
}

// mustSay wants every text to be said.
func (n node) mustSay(said string, texts ...string) {
	n.Helper()
	for _, text := range texts {
		if !strings.Contains(said, text) {
			n.Errorf("%s: %q is not said in:\n%s", n.Name, text, said)
		}
	}
}
