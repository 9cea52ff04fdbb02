// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// load reads file, as the default config file unless it is empty, and args.
func load(t *testing.T, file string, args ...string) (*Config, error) {
	t.Helper()
	root := t.TempDir()
	if file != "" {
		path := paths.Config.Below(root)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var f Flags
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	f.AddTo(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f.Load(root)
}

func args(overrides []lab.Override) []string {
	var out []string
	for _, o := range overrides {
		out = append(out, o.String())
	}
	return out
}

func TestAFlagBeatsTheFile(t *testing.T) {
	const file = `advertise-address: 10.240.0.10
etcd-servers: [https://10.240.0.10:2379, https://10.240.0.11:2379]
kube-apiserver-arg:
  - event-ttl=2h
  - v=3
kube-scheduler-arg: v=4
etcd-arg: []
v: 5
logging-format:
`
	c, err := load(t, file, "--advertise-address=10.240.0.99", "--etcd-servers", "https://a:1,https://b:2",
		"--kube-apiserver-arg", "event-ttl=3h", "--kube-apiserver-arg=--profiling=false")
	if err != nil {
		t.Fatal(err)
	}
	if c.AdvertiseAddress != "10.240.0.99" || c.Verbosity != "5" || c.LoggingFormat != "" || len(c.EtcdArgs) != 0 {
		t.Errorf("got %+v", c)
	}
	if want := []string{"https://a:1", "https://b:2"}; !slices.Equal(c.EtcdServers, want) {
		t.Errorf("etcd-servers: %v, want %v", c.EtcdServers, want)
	}
	want := []string{"--event-ttl=2h", "--v=3", "--event-ttl=3h", "--profiling=false"}
	if got := args(c.Args[lab.APIServer]); !slices.Equal(got, want) {
		t.Errorf("kube-apiserver-arg: %v, want %v", got, want)
	}
	if got := c.Args[lab.APIServer]; got[0].Source != c.File || got[2].Source != FromFlag {
		t.Errorf("the sources are %q and %q", got[0].Source, got[2].Source)
	}
	if got := args(c.Args[lab.Scheduler]); !slices.Equal(got, []string{"--v=4"}) {
		t.Errorf("kube-scheduler-arg: %v", got)
	}
}

func TestTheFileIsStrict(t *testing.T) {
	tests := map[string]struct {
		file string
		says []string
	}{
		"unknown key, near":   {"\nadvertise-addresss: 1.2.3.4\n", []string{":2:", "advertise-addresss;", "did you mean advertise-address?"}},
		"unknown key, far":    {"zzzzzzzzzz: 1\n", []string{":1:", "zzzzzzzzzz", "--help"}},
		"a key twice":         {"v: 1\nlogging-format: text\nv: 2\n", []string{":3:", "v is set already in line 1"}},
		"a list for a scalar": {"advertise-address:\n  - 1.2.3.4\n", []string{":2:", "advertise-address has to be a single IP"}},
		"a map for a list":    {"etcd-servers:\n  a: b\n", []string{":2:", "etcd-servers has to be a list"}},
		"a list in a list":    {"etcd-arg:\n  - [a]\n", []string{":2:", "each item of etcd-arg"}},
		"a second document":   {"v: 1\n---\nv: 2\n", []string{":2:", "second document"}},
		"no map":              {"- a\n", []string{":1:", "key: value"}},
		"no duration":         {"v: 2\nshutdown-delay: 10\n", []string{":2: shutdown-delay", "write it like 10s"}},
		"no threshold":        {"healthz-unhealthy-threshold: 0\n", []string{":1: healthz-unhealthy-threshold", "from 1 on"}},
		"no YAML":             {"a: [\n", []string{"khw-controller.yaml"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, test.file)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, s := range test.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

func TestHealthzBindAddressCanBeEmpty(t *testing.T) {
	for file, want := range map[string]string{"": "0.0.0.0:80", "healthz-bind-address: \"\"\n": "", "healthz-bind-address: 127.0.0.1:8080\n": "127.0.0.1:8080"} {
		c, err := load(t, file)
		if err != nil || c.HealthzBindAddress != want {
			t.Errorf("%q: got %q, %v, want %q", file, c.HealthzBindAddress, err, want)
		}
	}
	if c, err := load(t, "", "--healthz-bind-address="); err != nil || c.HealthzBindAddress != "" {
		t.Errorf("an empty flag: %q, %v", c.HealthzBindAddress, err)
	}
}

func TestAFlagIsUnsetInTheFileAndOnTheCommandLine(t *testing.T) {
	c, err := load(t, "kube-apiserver-arg: [authorization-mode-, event_ttl=2h]\n", "--kube-apiserver-arg=event-ttl-")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"--authorization-mode-", "--event-ttl=2h", "--event-ttl-"}
	if got := args(c.Args[lab.APIServer]); !slices.Equal(got, want) || !c.Args[lab.APIServer][0].Unset {
		t.Errorf("kube-apiserver-arg: %v, want %v", got, want)
	}
	if _, err := load(t, "etcd-arg: quota-backend-bytes-\n"); err == nil || !strings.Contains(err.Error(), "quota-backend-bytes-") || !strings.Contains(err.Error(), "write name=value") {
		t.Errorf("etcd-arg: %v", err)
	}
}

func TestANamedFileMustExist(t *testing.T) {
	if c, err := load(t, ""); err != nil || c.File != "" {
		t.Errorf("without the default file: %+v, %v", c, err)
	}
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	if _, err := load(t, "", "--config", missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v, want an error that names %s", err, missing)
	}
}

func TestEveryKeyIsDocumentedAndSettable(t *testing.T) {
	var reference strings.Builder
	if err := WriteMarkdown(&reference); err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		if k.Type == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s is not documented", k.Name)
		}
		if !strings.Contains(reference.String(), "\n## `"+k.Name+"`\n") {
			t.Errorf("%s is not in the reference", k.Name)
		}
		value := "a=b"
		switch k.Type {
		case strings.Join(profile.Names(), "|"):
			value = "edge"
		case "duration":
			value = "1s"
		case "number":
			value = "1"
		case "true|false":
			value = "true"
		case "URL":
			value = "https://192.0.2.1:9000"
			if _, err := load(t, "", "--"+k.Name, "192.0.2.1:9000"); err == nil || !strings.Contains(err.Error(), "--"+k.Name+`: "192.0.2.1:9000" is no URL`) {
				t.Errorf("without a scheme: %v", err)
			}
		}
		if _, err := load(t, k.Name+": "+value+"\n", "--"+k.Name, value); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("advertise-address: 10.240.0.10\netcd-servers: [a, b]\n"))
	f.Add([]byte("kube-apiserver-arg: &a [x=y]\nkube-scheduler-arg: *a\n"))
	f.Add([]byte("v: !!null\n"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		assignments, err := parse("file", data)
		if err != nil {
			if !strings.Contains(err.Error(), "file") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		c := &Config{Args: map[lab.Component][]lab.Override{}}
		for _, a := range assignments {
			if err := a.apply(c); err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		}
	})
}

// TestTheShutdownDelayIsLearnedUnlessSet tells a delay of nothing from none.
func TestTheShutdownDelayIsLearnedUnlessSet(t *testing.T) {
	c, err := load(t, "")
	if err != nil || c.ShutdownDelay != nil || c.HealthzUnhealthyThreshold != 2 {
		t.Errorf("unset it is %v, the threshold %d, %v", c.ShutdownDelay, c.HealthzUnhealthyThreshold, err)
	}
	c, err = load(t, "shutdown-delay: 0s\nhealthz-unhealthy-threshold: 3\n")
	if err != nil || c.ShutdownDelay == nil || *c.ShutdownDelay != 0 || c.HealthzUnhealthyThreshold != 3 {
		t.Errorf("set to nothing it is %v, the threshold %d, %v", c.ShutdownDelay, c.HealthzUnhealthyThreshold, err)
	}
}

func TestWithdraw(t *testing.T) {
	for line, want := range map[string]struct {
		found    bool
		profiles []string
	}{
		"":                             {false, []string{"edge"}}, // the file's
		"--profile=cis":                {true, []string{"edge"}},
		"--profile=edge":               {false, []string{"edge"}},
		"--profile=cis,edge":           {true, []string{"edge"}},
		"--profile=edge --profile=cis": {true, []string{"edge"}},
	} {
		root := t.TempDir()
		path := paths.Config.Below(root)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("profile: edge\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var f Flags
		fs := pflag.NewFlagSet("verify", pflag.ContinueOnError)
		f.AddTo(fs)
		if err := fs.Parse(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		found := f.Withdraw("profile", "cis")
		c, err := f.Load(root)
		if err != nil || found != want.found || !slices.Equal(c.Profiles, want.profiles) {
			t.Errorf("%q: %t, %v, %v", line, found, c.Profiles, err)
		}
	}
}
