// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	cliflag "k8s.io/component-base/cli/flag"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controllermanageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
)

func TestUnset(t *testing.T) {
	tests := map[string]struct {
		component   Component
		file, flags []string
		name        string
		passed      []string // values of name
		dropped     string   // the source that gave it up
		notice      string
	}{
		"a flag of the lab, by a flag":          {component: APIServer, flags: []string{"authorization-mode-"}, name: "authorization-mode", dropped: "flag"},
		"a flag of the lab, by the file":        {component: APIServer, file: []string{"authorization-mode-"}, name: "authorization-mode", dropped: "file"},
		"with dashes and underscores":           {component: APIServer, flags: []string{"--authorization_mode-"}, name: "authorization-mode", dropped: "flag"},
		"an added flag":                         {component: ControllerManager, flags: []string{"kube-api-qps-"}, name: "kube-api-qps", dropped: "flag"},
		"the scheduler's":                       {component: Scheduler, flags: []string{"client-ca-file-"}, name: "client-ca-file", dropped: "flag"},
		"a flag beats the file's value":         {component: APIServer, file: []string{"event-ttl=2h"}, flags: []string{"event-ttl-"}, name: "event-ttl", dropped: "flag"},
		"a flag beats the file's unset":         {component: APIServer, file: []string{"event-ttl-"}, flags: []string{"event-ttl=2h"}, name: "event-ttl", passed: []string{"2h"}},
		"a value that only the file has":        {component: APIServer, file: []string{"goaway-chance=0.1"}, flags: []string{"goaway-chance-"}, name: "goaway-chance", dropped: "flag"},
		"every value of a list":                 {component: APIServer, file: []string{"tls-sni-cert-key=a,b", "tls-sni-cert-key=c,d"}, flags: []string{"tls-sni-cert-key-"}, name: "tls-sni-cert-key", dropped: "flag"},
		"twice":                                 {component: APIServer, flags: []string{"event-ttl-", "event-ttl-"}, name: "event-ttl", dropped: "flag"},
		"under the lab's old name":              {component: APIServer, flags: []string{"experimental-encryption-provider-config-"}, name: "encryption-provider-config", dropped: "flag"},
		"what is not set":                       {component: APIServer, flags: []string{"goaway-chance-"}, name: "goaway-chance", notice: "kube-apiserver --goaway-chance is not set; there is nothing to unset"},
		"a typo":                                {component: APIServer, flags: []string{"authorisation-mode-"}, name: "authorisation-mode", notice: "did you mean authorization-mode-?"},
		"a flag of another component":           {component: Scheduler, flags: []string{"authorization-mode-"}, name: "authorization-mode", notice: "not set"},
		"what Kubernetes does not know":         {component: APIServer, flags: []string{"kubelet-https-"}, name: "kubelet-https", notice: "--kubelet-https was removed in v1.22; there is nothing to unset"},
		"a value that ends in a dash, no unset": {component: APIServer, flags: []string{"event-ttl=-"}, name: "event-ttl", passed: []string{"-"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := Resolve(test.component, values(), append(overrides("file", test.file...), overrides("flag", test.flags...)...))
			if err != nil {
				t.Fatal(err)
			}
			var passed []string
			for _, s := range r.Settings {
				if s.Name == test.name {
					passed = append(passed, s.Value)
				}
			}
			if !slices.Equal(passed, test.passed) {
				t.Errorf("passed on: %q, want %q", passed, test.passed)
			}
			var by string
			for _, d := range r.Dropped {
				if d.Name == test.name && d.Status == Unset {
					by += d.Source
				}
			}
			if by != test.dropped {
				t.Errorf("unset by %q, want %q", by, test.dropped)
			}
			if got := strings.Join(r.Notices, "\n"); !strings.Contains(got, test.notice) || (test.notice == "") != (got == "") {
				t.Errorf("notices: %q, want %q", got, test.notice)
			}
		})
	}
}

func TestSetAndUnsetInOneSourceIsAnError(t *testing.T) {
	for _, args := range [][]string{
		{"event-ttl=2h", "event-ttl-"}, {"event-ttl-", "event-ttl=2h"},
		{"encryption-provider-config=/a", "experimental-encryption-provider-config-"},
	} {
		_, err := Resolve(APIServer, values(), overrides("file", args...))
		if err == nil || !strings.Contains(err.Error(), "both set and unset") || !strings.Contains(err.Error(), "--"+args[0]) || !strings.Contains(err.Error(), "--"+args[1]) {
			t.Errorf("%v: %v, want an error that names both", args, err)
		}
	}
}

// validate returns what a component's own validation says about a command line.
func validate(t *testing.T, c Component, argv []string) string {
	t.Helper()
	parse := func(sets cliflag.NamedFlagSets) {
		fs := pflag.NewFlagSet(string(c), pflag.ContinueOnError)
		fs.SetOutput(io.Discard) // deprecations
		for _, set := range sets.FlagSets {
			fs.AddFlagSet(set)
		}
		if err := fs.Parse(argv); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if c == APIServer {
		o := apiserveroptions.NewServerRunOptions()
		parse(o.Flags())
		err = utilerrors.NewAggregate(o.Validate())
	} else {
		o, newErr := controllermanageroptions.NewKubeControllerManagerOptions()
		if newErr != nil {
			t.Fatal(newErr)
		}
		known, disabled, aliases := controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases()
		parse(o.Flags(known, disabled, aliases))
		err = o.Validate(known, disabled, aliases)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

type exclusionTest struct {
	component Component
	set       []string // name=value
	refusal   string   // Kubernetes' own words
	replaced  []string
}

// TestWhatKubernetesExcludesStepsBack asks Kubernetes itself: it refuses the
// lab's flag beside the user's, and says nothing of it once the lab's has
// stepped back.
func TestWhatKubernetesExcludesStepsBack(t *testing.T) {
	tests := map[string]exclusionTest{
		"authorization-config":  {APIServer, []string{"authorization-config=/a.yaml"}, "can not be specified when --authorization-mode", []string{"authorization-mode"}},
		"admission-control":     {APIServer, []string{"admission-control=NodeRestriction"}, "admission-control and enable-admission-plugins", []string{enableAdmission}},
		"a signing endpoint":    {APIServer, []string{"service-account-signing-endpoint=@signer"}, "They are mutually exclusive", []string{"service-account-key-file", "service-account-signing-key-file"}},
		"disabled plugin":       {APIServer, []string{"disable-admission-plugins=NodeRestriction"}, "overlapped", nil},
		"all plugins disabled":  {APIServer, []string{"disable-admission-plugins=" + currentAdmission}, "overlapped", nil},
		"disabled, twice":       {APIServer, []string{"disable-admission-plugins=LimitRanger", "disable-admission-plugins=ResourceQuota"}, "overlapped", nil},
		"a signer for serving":  {ControllerManager, []string{"cluster-signing-kubelet-serving-cert-file=/c", "cluster-signing-kubelet-serving-key-file=/k"}, "cannot specify --cluster-signing-{cert,key}-file and other", signingFiles},
		"a signer for kubelets": {ControllerManager, []string{"cluster-signing-kubelet-client-cert-file=/c", "cluster-signing-kubelet-client-key-file=/k"}, "cannot specify --cluster-signing-{cert,key}-file and other", signingFiles},
		"a signer for clients":  {ControllerManager, []string{"cluster-signing-kube-apiserver-client-cert-file=/c", "cluster-signing-kube-apiserver-client-key-file=/k"}, "cannot specify --cluster-signing-{cert,key}-file and other", signingFiles},
		"a signer for the rest": {ControllerManager, []string{"cluster-signing-legacy-unknown-cert-file=/c", "cluster-signing-legacy-unknown-key-file=/k"}, "cannot specify --cluster-signing-{cert,key}-file and other", signingFiles},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stock, err := Resolve(test.component, values(), nil)
			if err != nil {
				t.Fatal(err)
			}
			both := Argv(stock.Settings)
			for _, s := range test.set {
				both = append(both, "--"+s)
			}
			if got := validate(t, test.component, both); !strings.Contains(got, test.refusal) {
				t.Fatalf("Kubernetes does not refuse it: %q", got)
			}
			r, err := Resolve(test.component, values(), overrides("flag", test.set...))
			if err != nil {
				t.Fatal(err)
			}
			if got := validate(t, test.component, Argv(r.Settings)); strings.Contains(got, test.refusal) {
				t.Errorf("still refused: %s", got)
			}
			var replaced []string
			for _, d := range r.Dropped {
				if d.Status != Replaced || d.Source != "flag" || d.By == "" || d.Why == "" {
					t.Errorf("dropped: %+v", d)
				}
				replaced = append(replaced, d.Name)
			}
			if !slices.Equal(replaced, test.replaced) {
				t.Errorf("replaced: %v, want %v", replaced, test.replaced)
			}
		})
	}
	for _, e := range exclusions {
		if !slices.ContainsFunc(slices.Collect(maps.Values(tests)), func(test exclusionTest) bool {
			return ParseArg(test.set[0]).Name == e.set
		}) {
			t.Errorf("the rule of --%s is not tested", e.set)
		}
	}
}

func TestNoReplacementWithoutAValue(t *testing.T) {
	for name, args := range map[string][]string{
		"empty":            {"authorization-config="},
		"unset":            {"authorization-config-"},
		"both by the user": {"authorization-config=/a.yaml", "authorization-mode=RBAC"},
		"another file":     {"authorization-webhook-config-file=/w"},
	} {
		r, err := Resolve(APIServer, values(), overrides("flag", args...))
		if err != nil || Get(r.Settings, "authorization-mode") == "" {
			t.Errorf("%s: authorization-mode is gone: %v", name, err)
		}
	}
}

// TestWhatYieldsStepsBackLikeTheLabs has a value below the user's drop out, or lose a
// plugin, where Kubernetes would refuse it beside the user's.
func TestWhatYieldsStepsBackLikeTheLabs(t *testing.T) {
	below := []Override{{Arg: ParseArg("enable-admission-plugins=NodeRestriction,EventRateLimit"), Source: "profile", Yields: true}}
	for set, want := range map[string]string{
		"event-ttl=2h": "NodeRestriction,EventRateLimit", "disable-admission-plugins=EventRateLimit": "NodeRestriction",
		"admission-control=NodeRestriction": "", "enable-admission-plugins=LimitRanger": "LimitRanger", "enable-admission-plugins-": "",
	} {
		r, err := Resolve(APIServer, values(), append(below, overrides("flag", set)...))
		if err != nil {
			t.Fatal(err)
		}
		if got := Get(r.Settings, enableAdmission); got != want {
			t.Errorf("%s: %q, want %q", set, got, want)
		}
	}
	// A user's own list is not touched.
	r, err := Resolve(APIServer, values(), overrides("flag", "enable-admission-plugins=EventRateLimit", "disable-admission-plugins=EventRateLimit"))
	if err != nil || Get(r.Settings, enableAdmission) != "EventRateLimit" {
		t.Errorf("%q, %v", Get(r.Settings, enableAdmission), err)
	}
}
