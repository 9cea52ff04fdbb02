// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/component-base/compatibility"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

func args(values ...string) []lab.Override {
	var out []lab.Override
	for _, v := range values {
		out = append(out, lab.Override{Arg: lab.ParseArg(v), Source: config.FromFlag})
	}
	return out
}

func last(overrides []lab.Override, name string) string {
	value := ""
	for _, o := range overrides {
		if o.Name == name {
			if value = o.Value; o.Unset {
				value = "unset"
			}
		}
	}
	return value
}

func TestProcessWide(t *testing.T) {
	type byComponent = map[lab.Component][]lab.Override
	tests := map[string]struct {
		config config.Config
		flag   string
		want   map[lab.Component]string
		err    string
	}{
		"nothing asked for": {flag: "v", want: map[lab.Component]string{lab.APIServer: "", lab.Scheduler: ""}},
		"own key holds for all": {
			config: config.Config{Verbosity: "4"}, flag: "v",
			want: map[lab.Component]string{lab.APIServer: "4", lab.ControllerManager: "4", lab.Scheduler: "4"},
		},
		"one component's request holds for all": {
			config: config.Config{Args: byComponent{lab.Scheduler: args("v=5")}}, flag: "v",
			want: map[lab.Component]string{lab.APIServer: "5", lab.ControllerManager: "5", lab.Scheduler: "5"},
		},
		"the last of one component counts": {
			config: config.Config{Args: byComponent{lab.Scheduler: args("v=5", "v=3")}}, flag: "v",
			want: map[lab.Component]string{lab.APIServer: "3", lab.Scheduler: "3"},
		},
		"two requests": {
			config: config.Config{Args: byComponent{lab.Scheduler: args("v=5"), lab.APIServer: args("v=3")}},
			err:    "--kube-apiserver-arg v=3 and --kube-scheduler-arg v=5 disagree",
		},
		"own key and a component's request": {
			config: config.Config{LoggingFormat: "json", Args: byComponent{lab.APIServer: args("logging-format=text")}},
			err:    "--logging-format=json and --kube-apiserver-arg logging-format=text disagree",
		},
		"what one component gives up, all do": {
			config: config.Config{Args: byComponent{lab.Scheduler: args("v-")}}, flag: "v",
			want: map[lab.Component]string{lab.APIServer: "unset", lab.ControllerManager: "unset", lab.Scheduler: "unset"},
		},
		"own key beats what a component gives up": {
			config: config.Config{Verbosity: "4", Args: byComponent{lab.Scheduler: args("v-")}}, flag: "v",
			want: map[lab.Component]string{lab.APIServer: "4", lab.Scheduler: "4"},
		},
		"gates are merged and told once": {
			config: config.Config{FeatureGates: "B=true", Args: byComponent{lab.Scheduler: args("feature-gates=A=false,B=true")}}, flag: featureGates,
			want: map[lab.Component]string{lab.APIServer: "A=false,B=true", lab.ControllerManager: "", lab.Scheduler: ""},
		},
		"a version is told once": {
			config: config.Config{Args: byComponent{lab.ControllerManager: args("emulated-version=1.36")}}, flag: "emulated-version",
			want: map[lab.Component]string{lab.APIServer: "1.36", lab.ControllerManager: "", lab.Scheduler: ""},
		},
		"versions disagree": {
			config: config.Config{Args: byComponent{lab.APIServer: args("emulated-version=1.36"), lab.Scheduler: args("emulated-version=1.37")}},
			err:    "--kube-apiserver-arg emulated-version=1.36 and --kube-scheduler-arg emulated-version=1.37 disagree",
		},
		"gates disagree": {
			config: config.Config{Args: byComponent{lab.APIServer: args("feature-gates=A=true"), lab.ControllerManager: args("feature-gates=A=false")}},
			err:    "disagree on A",
		},
		"gate without a value": {
			config: config.Config{FeatureGates: "A"},
			err:    `"A" is not name=true or name=false`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := processWide(&test.config)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for component, want := range test.want {
				if value := last(got[component], test.flag); value != want {
					t.Errorf("%s --%s is %q, want %q", component, test.flag, value, want)
				}
			}
		})
	}
}

// TestWhatTheComponentsShareIsProcessWide goes through the flags behind which there is one
// of something in the process: the registry of versions and feature gates, and the log. One
// that is not known here would silently be what the last component was told.
func TestWhatTheComponentsShareIsProcessWide(t *testing.T) {
	fs := pflag.NewFlagSet("shared", pflag.ContinueOnError)
	compatibility.NewComponentGlobalsRegistry().AddFlags(fs)
	logsapi.AddFlags(logsapi.NewLoggingConfiguration(), fs)
	fs.VisitAll(func(f *pflag.Flag) {
		if !IsProcessWide(f.Name) {
			t.Errorf("--%s holds for the whole process, and each component may be told another value", f.Name)
		}
	})
}
