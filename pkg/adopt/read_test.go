// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/khw-controller/khw-controller/internal/golden"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// heredoc is one file that the lab has a shell write.
var heredoc = regexp.MustCompile(`(?ms)^cat <<EOF \| sudo tee (\S+)\n(.*?)^EOF$`)

// labSite is the lab's site for health checks.
const labSite = `server {
  listen      80;
  server_name kubernetes.default.svc.cluster.local;

  location /healthz {
     proxy_pass                    https://127.0.0.1:6443/healthz;
     proxy_ssl_trusted_certificate /var/lib/kubernetes/ca.pem;
  }
}
`

const (
	siteName  = "kubernetes.default.svc.cluster.local"
	siteLink  = "/etc/nginx/sites-enabled/" + siteName
	siteFile  = "/etc/nginx/sites-available/" + siteName
	nginxMain = "user www-data;\nevents { worker_connections 768; }\nhttp {\n\tlog_format x '$remote_addr {$status}; \"';\n\tinclude /etc/nginx/conf.d/*.conf;\n\tinclude sites-enabled/*;\n}\n"
)

func put(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// enable links one of nginx's sites.
func enable(t *testing.T, root, name, text string) {
	t.Helper()
	put(t, root, "/etc/nginx/sites-available/"+name, text)
	link := filepath.Join(root, "/etc/nginx/sites-enabled", name)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../sites-available/"+name, link); err != nil {
		t.Fatal(err)
	}
}

// labRoot is a controller on which somebody has typed what the lab says.
func labRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	script, err := os.ReadFile("../lab/testdata/units.txt")
	if err != nil {
		t.Fatal(err)
	}
	typed := strings.NewReplacer(`\\`, `\`, "${INTERNAL_IP}", "10.240.0.10")
	found := heredoc.FindAllStringSubmatch(string(script), -1)
	if len(found) != 4 {
		t.Fatalf("the lab has %d files, want 4", len(found))
	}
	for _, m := range found {
		put(t, root, m[1], typed.Replace(m[2]))
	}
	put(t, root, "/lib/systemd/system/nginx.service", "[Service]\nExecStart=/usr/sbin/nginx\n")
	put(t, root, "/etc/systemd/system/etcd.service", "[Service]\nExecStart=/usr/local/bin/etcd\n")
	put(t, root, nginxConf, nginxMain)
	enable(t, root, siteName, labSite)
	return root
}

// copyOf is a tree of testdata.
func copyOf(t *testing.T, name string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	return root
}

func read(t *testing.T, root string) *Controller {
	t.Helper()
	c, err := Read(context.Background(), Tree{root}, root)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRead(t *testing.T) {
	for name, root := range map[string]string{"lab": labRoot(t), "newer": copyOf(t, "newer"), "dropins": copyOf(t, "dropins")} {
		t.Run(name, func(t *testing.T) {
			c := read(t, root)
			golden.Equal(t, name+".yaml", c.Config)
			c.Values = nil // in the other file
			c.Missing = nil
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetIndent("", "  ")
			if err := e.Encode(c); err != nil {
				t.Fatal(err)
			}
			golden.Equal(t, name+".json", b.Bytes())
			meansTheSame(t, root, c)
		})
	}
}

// allowed are the flags that adopting changes on purpose.
var allowed = map[string]bool{
	"audit-log-path": true, "flex-volume-plugin-dir": true, "feature-gates": true, "v": true,
	"service-account-signing-key-file": true,
}

// meansTheSame reads the file as run does, and compares what each component is started
// with, flag by flag, with what its unit says.
func meansTheSame(t *testing.T, root string, c *Controller) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "khw-controller.yaml")
	if err := os.WriteFile(file, c.Config, 0o600); err != nil {
		t.Fatal(err)
	}
	var flags config.Flags
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.AddTo(fs)
	if err := fs.Parse([]string{"--config", file}); err != nil {
		t.Fatal(err)
	}
	adopted, err := flags.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for i, component := range lab.Components() {
		ours, err := lab.Resolve(component, lab.Values{AdvertiseAddress: adopted.AdvertiseAddress, EtcdServers: adopted.EtcdServers}, adopted.Args[component])
		if err != nil {
			t.Fatal(err)
		}
		mine, err := overrides(component, c.Units[i])
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := lab.Resolve(component, lab.Values{}, mine)
		if err != nil {
			t.Fatal(err)
		}
		got, want := settings(t, component, ours.Settings, nil), settings(t, component, theirs.Settings, []string{lab.FromLab})
		for name, value := range want {
			if got[name] != value && !allowed[name] {
				t.Errorf("%s --%s is %q, and %q in the unit", component, name, got[name], value)
			}
		}
	}
	if root == "" || adopted.AdvertiseAddress+strings.Join(adopted.EtcdServers, "") == "" {
		t.Error("neither an address nor etcd")
	}
}

// settings are a component's flags as it understands them, without those of a source.
func settings(t *testing.T, c lab.Component, all []lab.Setting, without []string) map[string]string {
	t.Helper()
	fs, err := flagSets[c]()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if plan.IsProcessWide(s.Name) || len(without) > 0 && s.Source == without[0] {
			continue
		}
		if err := fs.Lookup(s.Name).Value.Set(s.Value); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string]string{}
	fs.VisitAll(func(f *pflag.Flag) { out[f.Name] = f.Value.String() })
	return out
}

// TestReadChangesNothing looks at a tree twice.
func TestReadChangesNothing(t *testing.T) {
	root := labRoot(t)
	before := tree(t, root)
	read(t, root)
	if after := tree(t, root); !maps.Equal(before, after) {
		t.Errorf("got %v, want %v", after, before)
	}
}

func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if target, err := os.Readlink(path); err == nil {
			all[path] = "-> " + target
			return nil
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReadRefuses(t *testing.T) {
	const api = "/etc/systemd/system/kube-apiserver.service"
	start := func(line string) func(*testing.T, string) {
		return func(t *testing.T, root string) { put(t, root, api, "[Service]\nExecStart="+line+"\n") }
	}
	for name, test := range map[string]struct {
		change func(t *testing.T, root string)
		says   []string
	}{
		"no unit": {func(t *testing.T, root string) {
			for _, u := range []string{"kube-scheduler", "kube-apiserver"} {
				if err := os.Remove(filepath.Join(root, "/etc/systemd/system", u+".service")); err != nil {
					t.Fatal(err)
				}
			}
		}, []string{"kube-apiserver.service, kube-scheduler.service: not found"}},
		"a wrapper":          {start("/bin/sh -c 'exec kube-apiserver'"), []string{api, "runs /bin/sh and not kube-apiserver"}},
		"no ExecStart":       {func(t *testing.T, root string) { put(t, root, api, "[Service]\n") }, []string{api, "has 0 ExecStart="}},
		"not a unit file":    {func(t *testing.T, root string) { put(t, root, api, "[Service]\nhello\n") }, []string{api + ":2"}},
		"an unknown flag":    {start("/a/kube-apiserver --etcd-servers=http://a:1 --evnt-ttl=1h"), []string{api, "--evnt-ttl", "did you mean --event-ttl"}},
		"a word":             {start("/a/kube-apiserver --etcd-servers=http://a:1 word"), []string{api, `"word" is not a flag`}},
		"no etcd":            {start("/a/kube-apiserver --event-ttl=1h"), []string{api, "has no --etcd-servers"}},
		"a flag that cannot": {start("/a/kube-apiserver --etcd-servers=http://a:1 --insecure-port=8080"), []string{api, "--insecure-port=8080 cannot be honoured", "v1.24"}},
		"a wrong value":      {start("/a/kube-apiserver --etcd-servers=http://a:1 --event-ttl=soon"), []string{api, "--event-ttl=soon"}},
		"an open quote":      {start(`/a/kube-apiserver "--event-ttl=1h`), []string{api, "quote"}},
		"an odd specifier":   {start("/a/kube-apiserver --event-ttl=%I"), []string{api, "%I"}},
		"two of one file": {start("/a/kube-apiserver --etcd-servers=http://a:1 --encryption-provider-config=/a --experimental-encryption-provider-config=/b"),
			[]string{api, "are one flag with two values"}},
		"gates that differ": {func(t *testing.T, root string) {
			put(t, root, api, "[Service]\nExecStart=/a/kube-apiserver --etcd-servers=http://a:1 --feature-gates=A=true\n")
			put(t, root, "/etc/systemd/system/kube-scheduler.service", "[Service]\nExecStart=/a/kube-scheduler --feature-gates=A=false\n")
		}, []string{"kube-scheduler.service", "A=false", "the whole process"}},
		"formats that differ": {func(t *testing.T, root string) {
			put(t, root, api, "[Service]\nExecStart=/a/kube-apiserver --etcd-servers=http://a:1 --logging-format=json\n")
			put(t, root, "/etc/systemd/system/kube-scheduler.service", "[Service]\nExecStart=/a/kube-scheduler --logging-format=text\n")
		}, []string{"--logging-format is json in kube-apiserver.service and text in kube-scheduler.service"}},
		"an environment file that is not there": {func(t *testing.T, root string) {
			put(t, root, api, "[Service]\nEnvironmentFile=/etc/none\nExecStart=/a/kube-apiserver\n")
		}, []string{api, "/etc/none"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := labRoot(t)
			test.change(t, root)
			_, err := Read(context.Background(), Tree{root}, root)
			if err == nil {
				t.Fatal("it was read")
			}
			for _, text := range test.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
		})
	}
}

// TestSameMeaning spells the lab's values in other ways: nothing differs.
func TestSameMeaning(t *testing.T) {
	for _, flag := range []string{
		"--allow-privileged", "--allow_privileged=1", "--event-ttl=60m", "--event-ttl 3600s", "--event-ttl=5h --event-ttl=1h0m0s",
		"--enable-admission-plugins=NamespaceLifecycle,NodeRestriction,LimitRanger,ServiceAccount,DefaultStorageClass,ResourceQuota",
		"--runtime-config=api/all=true", "--audit-log-maxage=0x1e", "--kubelet-https", "--insecure-port=0",
	} {
		mine, err := overrides(lab.APIServer, Unit{Name: "u", argv: strings.Fields(flag)})
		if err != nil {
			t.Fatal(err)
		}
		found, _, err := differences(lab.APIServer, mine)
		if err != nil {
			t.Fatal(err)
		}
		name := lab.ParseArg(strings.Fields(flag)[0]).Name
		for _, d := range found {
			if d.flag.Name == name {
				t.Errorf("%s: %s differs from the lab's %s", flag, d.flag, d.lab)
			}
		}
		if len(found) == 0 {
			t.Error("the flags that are not there are not given up")
		}
	}
}

func TestMissingFilesAreNamed(t *testing.T) {
	root := labRoot(t)
	put(t, root, "/var/lib/kubernetes/ca.pem", "x")
	missing := strings.Join(read(t, root).Missing, "\n")
	if !strings.Contains(missing, "/var/lib/kubernetes/kubernetes.pem (--tls-cert-file of kube-apiserver.service)") || strings.Contains(missing, "/ca.pem") {
		t.Errorf("got %s", missing)
	}
}
