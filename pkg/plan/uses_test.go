// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	apiserverapp "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanagerapp "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	schedulerapp "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/drift"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// fileFlag matches the flags that may name a file by their names.
var fileFlag = regexp.MustCompile(`(^|-)(file|cert|key|config|kubeconfig|certificate|authority|certfile|keyfile|cafile|nfs|hostpath|policy|path)$`)

// notFiles are those that match and that nobody reads a file by.
var notFiles = []string{
	"audit-log-path",    // is written
	"debug-socket-path", // is listened on
	"runtime-config",    // is a list
}

// TestEveryFlagThatNamesAFileHasAReload finds flags that a new Kubernetes adds.
func TestEveryFlagThatNamesAFileHasAReload(t *testing.T) {
	for c, command := range map[lab.Component]*cobra.Command{
		lab.APIServer: apiserverapp.NewAPIServerCommand(), lab.ControllerManager: controllermanagerapp.NewControllerManagerCommand(), lab.Scheduler: schedulerapp.NewSchedulerCommand(),
	} {
		known := map[string]bool{}
		command.Flags().VisitAll(func(f *pflag.Flag) {
			known[f.Name] = true
			_, listed := reloads[c][f.Name]
			may := !slices.Contains([]string{"bool", "int32"}, f.Value.Type()) && fileFlag.MatchString(f.Name) && !slices.Contains(notFiles, f.Name)
			if may != listed {
				t.Errorf("%s --%s (%s): may name a file: %v; has a reload: %v", c, f.Name, f.Value.Type(), may, listed)
			}
		})
		for name := range reloads[c] {
			if !known[name] {
				t.Errorf("%s has no --%s", c, name)
			}
		}
	}
}

// mustPlan plans a run with arguments, below a root of its own.
func mustPlan(t *testing.T, args ...string) *Plan {
	t.Helper()
	var f config.Flags
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	f.AddTo(fs)
	if err := fs.Parse(append(args, "--advertise-address=192.0.2.10")); err != nil {
		t.Fatal(err)
	}
	c, err := f.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// usesOf returns how a file is taken over, by who uses it and under which flag.
func usesOf(p *Plan, path string) map[string]drift.Reload {
	uses := map[string]drift.Reload{}
	for _, u := range p.Uses() {
		if u.Path == path {
			uses[u.By+" "+u.Flag] = u.Reload
		}
	}
	return uses
}

func TestEveryFileThatIsReadIsInUse(t *testing.T) {
	p := mustPlan(t)
	for _, f := range p.Read() {
		if len(usesOf(p, f.Path)) == 0 {
			t.Errorf("%s is read, and nobody uses it", f)
		}
	}
	for path, want := range map[string]string{
		p.Path(paths.CA):              "etcd trusted-ca-file at a restart",
		p.Path(paths.Cert):            "kube-apiserver tls-cert-file by itself",
		p.Path(paths.Config):          "khw-controller config on SIGHUP",
		p.Path(paths.SchedulerConfig): "kube-scheduler config at a restart",
	} {
		who, reload, _ := cutLast(want)
		if got := usesOf(p, path)[who]; string(got) != reload {
			t.Errorf("%s: got %v, want %s", path, usesOf(p, path), want)
		}
	}
}

// cutLast takes "component flag reload in words" apart.
func cutLast(s string) (who, reload string, ok bool) {
	f := strings.SplitN(s, " ", 3)
	return f[0] + " " + f[1], f[2], len(f) == 3
}

func TestUsesByFlag(t *testing.T) {
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	doc := clientcmdapi.NewConfig()
	doc.Clusters["lab"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:6443", CertificateAuthority: "/k/ca.pem"}
	doc.AuthInfos["me"] = &clientcmdapi.AuthInfo{ClientCertificate: "/k/me.pem", ClientKey: "/k/me-key.pem"}
	doc.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: "me"}
	doc.CurrentContext = "lab"
	if err := clientcmd.WriteToFile(*doc, kubeconfig); err != nil {
		t.Fatal(err)
	}
	encryption := filepath.Join(dir, "encryption.yaml")
	if err := os.WriteFile(encryption, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want map[string]drift.Reload // by path
	}{
		"SNI": {[]string{"--kube-apiserver-arg=tls-sni-cert-key=/a.pem,/a-key.pem:a.example,b.example"}, map[string]drift.Reload{"/a.pem": drift.ByItself, "/a-key.pem": drift.ByItself}},
		"keys that are rotated": {[]string{"--kube-apiserver-arg=service-account-key-file=/new.pem", "--kube-apiserver-arg=service-account-key-file=/old.pem"},
			map[string]drift.Reload{"/new.pem": drift.AtRestart, "/old.pem": drift.AtRestart}},
		"a kubeconfig with files": {[]string{"--kube-controller-manager-arg=kubeconfig=" + kubeconfig},
			map[string]drift.Reload{kubeconfig: drift.AtRestart, "/k/ca.pem": drift.ByItself, "/k/me.pem": drift.ByItself, "/k/me-key.pem": drift.ByItself}},
		"encryption": {[]string{"--kube-apiserver-arg=encryption-provider-config=" + encryption}, map[string]drift.Reload{encryption: drift.AtRestart}},
		"encryption, reloaded": {[]string{"--kube-apiserver-arg=encryption-provider-config=" + encryption, "--kube-apiserver-arg=encryption-provider-config-automatic-reload=true"},
			map[string]drift.Reload{encryption: drift.ByItself}},
		"audit policy": {[]string{"--kube-apiserver-arg=audit-policy-file=/audit.yaml"}, map[string]drift.Reload{"/audit.yaml": drift.AtRestart}},
		"a member's":   {[]string{"--etcd-arg=peer-trusted-ca-file=/peers.pem"}, map[string]drift.Reload{"/peers.pem": drift.AtRestart}},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustPlan(t, test.args...)
			for path, want := range test.want {
				got := usesOf(p, path)
				if len(got) == 0 {
					t.Errorf("%s is not in use", path)
				}
				for who, r := range got {
					if r != want {
						t.Errorf("%s, %s: got %q, want %q", path, who, r, want)
					}
				}
			}
		})
	}
}
