// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var release = regexp.MustCompile(`^v1\.([0-9]+)$`)

func TestEveryRemovedFlagIsGoneAndExplained(t *testing.T) {
	for _, c := range Components() {
		known := currentFlags(t, c)
		seen := map[string]bool{}
		for _, r := range RemovedFlags(c) {
			if seen[r.Name] {
				t.Errorf("%s --%s is in the table twice", c, r.Name)
			}
			seen[r.Name] = true
			if known.Lookup(r.Name) != nil {
				t.Errorf("%s --%s is said to be gone and is there", c, r.Name)
			}
			if r.Current != "" && (known.Lookup(r.Current) == nil || len(r.Harmless) > 0) {
				t.Errorf("%s --%s is said to be --%s now, which is not there, or both renamed and ignored", c, r.Name, r.Current)
			}
			if m := release.FindStringSubmatch(r.Release); m == nil || !afterV110(m[1]) {
				t.Errorf("%s --%s was removed in %q", c, r.Name, r.Release)
			}
			if !strings.HasSuffix(r.Why, ".") || strings.Contains(r.Why, "\n") {
				t.Errorf("%s --%s: why is %q", c, r.Name, r.Why)
			}
			if r.Current == "" && !slices.Contains(r.Harmless, anyValue) && len(r.Harmless) == 0 {
				t.Errorf("%s --%s: no value of it is harmless, not even an empty one", c, r.Name)
			}
		}
	}
}

func afterV110(minor string) bool {
	n, err := strconv.Atoi(minor)
	return err == nil && n > 10 && n <= 37
}

func TestRemovedFlags(t *testing.T) {
	tests := map[string]struct {
		component Component
		arg       string
		passed    string   // what becomes of it; empty: nothing
		says      []string // the notice, or the error
		refused   bool
	}{
		"off, as today":             {APIServer, "insecure-port=0", "", []string{"--insecure-port", "v1.24", "ignored", "--secure-port"}, false},
		"the same, by its old name": {APIServer, "port=0", "", []string{"--port", "v1.24", "ignored"}, false},
		"a plain-HTTP port":         {APIServer, "insecure-port=8080", "", []string{"--insecure-port=8080", "v1.24", "HTTPS is served at --secure-port"}, true},
		"its address":               {APIServer, "insecure_bind_address=127.0.0.1", "", []string{"--bind-address"}, false},
		"the scheduler's port, off": {Scheduler, "port=-1", "", []string{"ignored"}, false},
		"the manager's port":        {ControllerManager, "port=10252", "", []string{"--port=10252", "v1.24"}, true},
		"true without a value":      {APIServer, "kubelet-https", "", []string{"ignored", "v1.22"}, false},
		"true in other words":       {APIServer, "kubelet-https=T", "", []string{"ignored"}, false},
		"false in other words":      {APIServer, "kubelet-https=0", "", []string{"--kubelet-https=0", "cannot be honoured"}, true},
		"no boolean":                {APIServer, "kubelet-https=perhaps", "", []string{"--kubelet-https=perhaps"}, true},
		"renamed":                   {APIServer, "service-account-api-audiences=a", "--api-audiences=a", []string{"v1.25", "--api-audiences"}, false},
		"renamed, a boolean":        {APIServer, "enable-inflight-quota-handler", "--enable-priority-and-fairness", []string{"v1.18"}, false},
		"renamed, the lab's":        {ControllerManager, "address=0.0.0.0", "--bind-address=0.0.0.0", []string{"v1.24"}, false},
		"the scheduler's lock":      {Scheduler, "lock-object-name=a", "--leader-elect-resource-name=a", []string{"v1.28"}, false},
		"passwords":                 {APIServer, "basic-auth-file=/p", "", []string{"v1.19", "--token-auth-file"}, true},
		"a cloud":                   {APIServer, "cloud-provider=aws", "", []string{"v1.33", "cloud-controller-manager"}, true},
		"no cloud of the tree":      {APIServer, "cloud-provider=external", "", []string{"v1.33", "ignored"}, false},
		"a policy file":             {Scheduler, "policy-config-file=/p.json", "", []string{"--policy-config-file=/p.json", "v1.23", "profile", "--config"}, true},
		"the default provider":      {Scheduler, "algorithm-provider=DefaultProvider", "", []string{"ignored"}, false},
		"another provider":          {Scheduler, "algorithm-provider=ClusterAutoscalerProvider", "", []string{"MostAllocated"}, true},
		"eviction as it is":         {ControllerManager, "pod-eviction-timeout=5m0s", "", []string{"ignored"}, false},
		"a faster eviction":         {ControllerManager, "pod-eviction-timeout=30s", "", []string{"--default-not-ready-toleration-seconds"}, true},
		"logs to stderr":            {Scheduler, "logtostderr=true", "", []string{"v1.26", "ignored"}, false},
		"logs to files":             {ControllerManager, "log_dir=/var/log", "", []string{"--log-dir=/var/log", "v1.26", "standard error"}, true},
		"an old lock":               {ControllerManager, "leader-elect-resource-lock=endpoints", "--leader-elect-resource-lock=leases", []string{"leases are the only lock"}, false},
		"today's lock":              {Scheduler, "leader-elect-resource-lock=leases", "--leader-elect-resource-lock=leases", nil, false},
		"another component's":       {Scheduler, "insecure-port=0", "--insecure-port=0", nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := Resolve(test.component, values(), overrides("flag", test.arg))
			said := strings.Join(r.Notices, "\n")
			if (err != nil) != test.refused {
				t.Fatalf("refused: %v, want %v", err, test.refused)
			}
			if err != nil {
				said = err.Error()
			}
			for _, s := range test.says {
				if !strings.Contains(said, s) {
					t.Errorf("%q does not say %q", said, s)
				}
			}
			if strings.Contains(said, "\n") || (said == "") != (test.says == nil) {
				t.Errorf("it says %q", said)
			}
			var passed string
			for _, s := range r.Settings {
				if s.Source == "flag" {
					passed += s.String()
				}
			}
			if passed != test.passed {
				t.Errorf("passed on: %q, want %q", passed, test.passed)
			}
			// Under the daemon's own name, it is the same.
			argv, _, err := TranslateArgv(test.component, []string{"--" + test.arg})
			if (err != nil) != test.refused || strings.Join(argv, " ") != test.passed {
				t.Errorf("on a command line: %q, %v", argv, err)
			}
		})
	}
}
