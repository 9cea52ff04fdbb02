// SPDX-License-Identifier: Apache-2.0

package flagset

import (
	"strings"
	"testing"

	cliflag "k8s.io/component-base/cli/flag"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

func sets(value *string) cliflag.NamedFlagSets {
	var s cliflag.NamedFlagSets
	s.FlagSet("generic").StringVar(value, "event-ttl", "1h", "")
	return s
}

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		argv []string
		want string
		says []string
	}{
		"known":        {[]string{"--event-ttl=2h"}, "2h", nil},
		"underscores":  {[]string{"--event_ttl=3h"}, "3h", nil},
		"unknown":      {[]string{"--event-tl=2h"}, "", []string{"--kube-apiserver-arg event-tl: ", "did you mean --kube-apiserver-arg event-ttl?"}},
		"far from any": {[]string{"--zzzzzzzzzz"}, "", []string{"--kube-apiserver-arg zzzzzzzzzz: there is no such flag"}},
		"no value":     {[]string{"--event-ttl"}, "", []string{"--kube-apiserver-arg: ", "event-ttl"}},
		"a word":       {[]string{"word"}, "", []string{"--kube-apiserver-arg: \"word\" is not a flag; write name=value"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			err := Parse(lab.APIServer, Join(lab.APIServer, sets(&got)), test.argv)
			if test.says == nil {
				if err != nil || got != test.want {
					t.Errorf("got %q, %v, want %q", got, err, test.want)
				}
				return
			}
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

func TestExplainKeepsOtherErrors(t *testing.T) {
	var value string
	fs := Join(lab.APIServer, sets(&value))
	if err := Explain(fs, fs.Parse([]string{"--event-tl=1h"})); err == nil || err.Error() != "--event-tl: there is no such flag; did you mean --event-ttl?" {
		t.Errorf("unknown: %v", err)
	}
	other := fs.Parse([]string{"--event-ttl"})
	if got := Explain(fs, other); got == nil || got.Error() != other.Error() {
		t.Errorf("another error became %v", got)
	}
}
