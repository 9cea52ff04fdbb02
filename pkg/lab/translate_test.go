// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func overrides(source string, args ...string) []Override {
	var out []Override
	for _, a := range args {
		out = append(out, Override{Arg: ParseArg(a), Source: source})
	}
	return out
}

func values() Values {
	return Values{Root: "/srv/khw", AdvertiseAddress: "10.240.0.10", EtcdServers: []string{"https://127.0.0.1:2379"}}
}

func resolve(t *testing.T, c Component, o []Override) ([]Setting, []string) {
	t.Helper()
	r, err := Resolve(c, values(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r.Settings, r.Notices
}

func TestTheLabsFlagsBecomeTodays(t *testing.T) {
	settings, notices := resolve(t, APIServer, overrides("file", labArgv(t, APIServer)...))
	if len(notices) != 5 {
		t.Errorf("%d notices, want one for each of the five flags that differ: %q", len(notices), notices)
	}
	for name, want := range map[string]string{
		"encryption-provider-config": "/var/lib/kubernetes/encryption-config.yaml",
		"enable-admission-plugins":   "NamespaceLifecycle,NodeRestriction,LimitRanger,ServiceAccount,DefaultStorageClass,ResourceQuota",
		"runtime-config":             "api/all=true",
		"service-account-issuer":     "https://kubernetes.default.svc.cluster.local",
	} {
		if got := Get(settings, name); got != want {
			t.Errorf("--%s is %q, want %q", name, got, want)
		}
	}
	for _, gone := range []string{"kubelet-https", "enable-swagger-ui", "experimental-encryption-provider-config"} {
		if slices.ContainsFunc(settings, func(s Setting) bool { return s.Name == gone }) {
			t.Errorf("--%s is passed on", gone)
		}
	}
}

func TestOverridesBeatTheLab(t *testing.T) {
	settings, _ := resolve(t, APIServer, append(
		overrides("file", "event-ttl=2h", "tls-sni-cert-key=a,b", "tls_sni_cert_key=c,d", "v=1"),
		overrides("flag", "--event-ttl=3h", "profiling=false")...))
	if got := Get(settings, "event-ttl"); got != "3h" {
		t.Errorf("event-ttl is %s: a flag beats the file", got)
	}
	var names []string
	for _, s := range settings {
		names = append(names, s.Name)
	}
	if i := slices.Index(names, "event-ttl"); i < 0 || names[i-1] != "etcd-servers" {
		t.Errorf("event-ttl left its place in the lab's order: %v", names)
	}
	if tail := names[len(names)-3:]; !slices.Equal(tail, []string{"tls-sni-cert-key", "tls-sni-cert-key", "profiling"}) {
		t.Errorf("the user's own flags at the end are %v", tail)
	}
	if got := Get(settings, "client-ca-file"); got != "/srv/khw/var/lib/kubernetes/ca.pem" {
		t.Errorf("client-ca-file is %s: the lab's paths go below the root", got)
	}
}

func TestWhatCannotBeHonouredIsAnError(t *testing.T) {
	tests := map[string]struct {
		args []string
		says []string
	}{
		"HTTP to kubelets": {[]string{"kubelet-https=false"}, []string{"--kubelet-https=false", "cannot be honoured", "v1.22", "HTTPS only"}},
		"two values for one flag": {
			[]string{"encryption-provider-config=/a", "experimental-encryption-provider-config=/b"},
			[]string{"--encryption-provider-config=/a", "--experimental-encryption-provider-config=/b", "one flag with two values"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Resolve(APIServer, values(), overrides("file", test.args...))
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

func TestOnlyInitializersIsNothingLeft(t *testing.T) {
	settings, _ := resolve(t, APIServer, overrides("file", "enable-admission-plugins=Initializers"))
	if got := Get(settings, "enable-admission-plugins"); strings.Contains(got, "Initializers") || got == "" {
		t.Errorf("enable-admission-plugins is %q", got)
	}
}

func TestExecStartLines(t *testing.T) {
	dir := t.TempDir()
	public := filepath.Join(dir, "service-account.pem")
	key := filepath.Join(dir, "service-account-key.pem")
	argv := labArgv(t, APIServer)
	for i, a := range argv {
		argv[i] = strings.ReplaceAll(a, "/var/lib/kubernetes", dir)
	}
	if _, _, err := TranslateArgv(APIServer, argv); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("without the signing key: %v, want an error that names %s", err, key)
	}
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, notices, err := TranslateArgv(APIServer, argv)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"--service-account-signing-key-file=" + key, "--service-account-key-file=" + public,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--runtime-config=api/all=true",
		"--encryption-provider-config=" + dir + "/encryption-config.yaml",
	} {
		if !slices.Contains(out, want) {
			t.Errorf("%s is missing in %v", want, out)
		}
	}
	if len(notices) != 7 {
		t.Errorf("%d notices, want 7: %q", len(notices), notices)
	}
}

func TestWordsOfACommandLine(t *testing.T) {
	tests := map[string]struct {
		component Component
		argv      []string
		want      []string
	}{
		"value in the next word":    {APIServer, []string{"--experimental-encryption-provider-config", "/f", "--v", "2"}, []string{"--encryption-provider-config=/f", "--v", "2"}},
		"boolean before a word":     {APIServer, []string{"--kubelet-https", "--v=2"}, []string{"--v=2"}},
		"underscores":               {APIServer, []string{"--kubelet_https=true"}, nil},
		"help":                      {APIServer, []string{"--help"}, []string{"--help"}},
		"another component's flags": {Scheduler, []string{"--concurrent-service-syncs=1"}, []string{"--concurrent-service-syncs=1"}},
		"the controller-manager's":  {ControllerManager, []string{"--address", "0.0.0.0"}, []string{"--bind-address=0.0.0.0"}},
		"a flag at the very end":    {ControllerManager, []string{"--address"}, []string{"--bind-address"}},
		"no flag":                   {ControllerManager, []string{"word", "--", "--address=1.2.3.4"}, []string{"word", "--", "--bind-address=1.2.3.4"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, _, err := TranslateArgv(test.component, test.argv)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}
