// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"embed"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
)

//go:embed files
var templates embed.FS

// placed are the files of the lab's chapter 09.
var placed = map[string]string{
	"containerd.toml":        "etc/containerd/config.toml",
	"10-bridge.conflist":     "etc/cni/net.d/10-bridge.conflist",
	"kubelet-config.yaml":    "var/lib/kubelet/kubelet-config.yaml",
	"kube-proxy-config.yaml": "var/lib/kube-proxy/kube-proxy-config.yaml",
}

// prepare makes what is below the worker's /etc and /var.
func (w *Worker) prepare() {
	w.Helper()
	for _, dir := range []string{"work", "cgroup", "sysctl", "var/lib/kubernetes", "var/lib/kubelet", "var/log", "var/tmp"} {
		w.Must(os.MkdirAll(w.Outside(dir), 0o755))
	}
	w.Must(os.Symlink("/run", w.Outside("var/run")))
	values := map[string]any{"Name": w.Name(), "PodCIDR": w.PodCIDR(), "Token": w.Token, "ControlGroup": w.controlGroup(), "Pause": Pause}
	for name, path := range placed {
		var text strings.Builder
		w.Must(template.Must(template.ParseFS(templates, "files/"+name)).Execute(&text, values))
		w.write(path, text.String())
	}
	w.write("etc/hosts", machine.Hosts(Names(9)))
	w.write("etc/resolv.conf", "nameserver 10.240.0.1\n") // where nobody answers
	authority, err := os.ReadFile(w.Files.Lab("ca.pem"))
	w.Must(err)
	w.write("var/lib/kubernetes/ca.pem", string(authority))
	w.Files.LabProxy(w.Server, w.Outside("var/lib/kube-proxy/kubeconfig"))
	if w.Token != "" {
		w.Files.LabToken("kubelet-bootstrap", w.Token, w.Server, w.Outside("var/lib/kubelet/bootstrap-kubeconfig"))
		return
	}
	w.Files.LabWorker(w.Name(), w.Address(), w.Server, w.Outside("var/lib/kubelet"))
}

func (w *Worker) write(path, text string) {
	w.Helper()
	path = w.Outside(path)
	w.Must(os.MkdirAll(filepath.Dir(path), 0o755))
	w.Must(os.WriteFile(path, []byte(text), 0o644))
}
