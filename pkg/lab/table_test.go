// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"os"
	"slices"
	"strings"
	"testing"

	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllermanageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// labText is chapter 8's text, as far as it is about the three units.
func labText(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/units.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// labArgv returns the flags of a unit's ExecStart in the lab's text.
func labArgv(t *testing.T, c Component) []string {
	t.Helper()
	_, line, found := strings.Cut(labText(t), "ExecStart=/usr/local/bin/"+string(c)+" \\\\\n")
	if !found {
		t.Fatalf("the lab has no ExecStart for %s", c)
	}
	line, _, _ = strings.Cut(line, "\nRestart=")
	return strings.Fields(strings.ReplaceAll(line, "\\\\\n", " "))
}

func TestTheTableIsTheLab(t *testing.T) {
	for _, c := range Components() {
		var got []string
		for _, f := range Flags(c) {
			if f.Status != Added {
				got = append(got, "--"+f.Name+"="+f.Value)
			}
		}
		if want := labArgv(t, c); !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", c, got, want)
		}
	}
}

// currentFlags are the flags that this Kubernetes has.
func currentFlags(t *testing.T, c Component) *pflag.FlagSet {
	t.Helper()
	var sets cliflag.NamedFlagSets
	switch c {
	case APIServer:
		sets = apiserveroptions.NewServerRunOptions().Flags()
	case ControllerManager:
		o, err := controllermanageroptions.NewKubeControllerManagerOptions()
		if err != nil {
			t.Fatal(err)
		}
		sets = o.Flags(controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases())
	case Scheduler:
		sets = *scheduleroptions.NewOptions().Flags
	}
	all := pflag.NewFlagSet(string(c), pflag.ContinueOnError)
	all.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	return all
}

func TestEveryRowIsTrueOfThisKubernetes(t *testing.T) {
	for _, c := range Components() {
		known := currentFlags(t, c)
		for _, f := range Flags(c) {
			was, is := known.Lookup(f.Name), known.Lookup(f.Current)
			switch f.Status {
			case Kept, Changed, Added:
				if is == nil || is.Deprecated != "" {
					t.Errorf("%s --%s is said to be %s; this Kubernetes does not have it or deprecates it", c, f.Current, f.Status)
				}
			case Deprecated:
				if is == nil || is.Deprecated == "" {
					t.Errorf("%s --%s is said to be deprecated and is not", c, f.Current)
				}
			case Renamed:
				if was != nil || is == nil {
					t.Errorf("%s --%s is said to be --%s now: old %v, new %v", c, f.Name, f.Current, was, is)
				}
			case Ignored:
				if was != nil {
					t.Errorf("%s --%s is said to be gone and is there", c, f.Name)
				}
			}
			// One flag is kept and means less: the log is not that of four daemons.
			if (f.Status == Kept && f.Name != "v") != (f.Why == "") {
				t.Errorf("%s --%s is %s, and the reason is %q", c, f.Name, f.Status, f.Why)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"advertise-address", "event-ttl", "v"}
	for name, want := range map[string]string{
		"adverise-address": "advertise-address",
		"event_ttl":        "event-ttl", "eventttl": "event-ttl", "nothing-like-it": "", "": "v",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
