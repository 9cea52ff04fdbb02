// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"maps"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// member is one of a kind of bad input: `check` refuses it, `run` ends with the
// same words, and neither changes anything.
type member struct {
	// name of it; for flags, what is typed.
	name string
	// args are added to `run` and `check`.
	args []string
	// spoil changes a root with all of the lab's files.
	spoil func(c *harness.Controller)
	// says is a word of the refusal: the file, the flag or the fault.
	says string
}

// kinds are what people give us, by what reads it.
func kinds() map[string][]member {
	return map[string][]member{
		"flags of the components":   componentFlags(),
		"feature gates":             featureGates(),
		"admission plugins":         admissionPlugins(),
		"API groups and versions":   apiGroups(),
		"files that options name":   optionFiles(),
		"CA bundles":                bundles(),
		"private keys":              privateKeys(),
		"kubeconfigs":               kubeconfigs(),
		"scheduler configurations":  schedulerConfigs(),
		"URLs of etcd":              etcdURLs(),
		"addresses and ranges":      addresses(),
		"ports":                     ports(),
		"keys of the config file":   configFiles(),
		"what is no file":           noFiles(),
		"encryption configurations": encryptionConfigs(),
	}
}

// TestEveryKindIsJudgedOnce wants what check says to be what run says.
func TestEveryKindIsJudgedOnce(t *testing.T) {
	good := goodRoot(t) // its keys are made once
	for kind, members := range kinds() {
		t.Run(kind, func(t *testing.T) {
			if len(members) < 10 {
				t.Errorf("%d members, want 10", len(members))
			}
			for _, m := range members {
				t.Run(m.name, func(t *testing.T) {
					t.Parallel()
					e := harness.New(t)
					c := e.Controller("controller", e.FreePorts())
					c.CopyPKI(good)
					mustBeJudgedOnce(c, m)
				})
			}
		})
	}
}

func mustBeJudgedOnce(c *harness.Controller, m member) {
	c.Helper()
	if m.spoil != nil {
		m.spoil(c)
	}
	for _, arg := range m.args {
		c.Args = append(c.Args, strings.ReplaceAll(arg, "ROOT", c.Root))
	}
	before := c.Tree(c.Root)
	out, checked := c.Check("--quiet")
	if checked == 0 {
		c.Fatalf("check accepts it: %s", out)
	}
	c.Start()
	if code := c.Process.ExitCode(); code != checked {
		c.Errorf("check ends with %d, run with %d", checked, code)
	}
	refusal := finding(strings.Join(c.Process.Lines(), "\n"))
	if found := finding(out); found != refusal {
		c.Errorf("check says\n%s\nrun says\n%s", found, refusal)
	}
	if want := strings.ReplaceAll(m.says, "ROOT", c.Root); !strings.Contains(refusal, want) {
		c.Errorf("%q does not contain %q", refusal, want)
	}
	if after := c.Tree(c.Root); !maps.Equal(before, after) {
		c.Errorf("the refused start changed the root:\nbefore %v\nafter  %v", before, after)
	}
}

// of returns members that are each one value of a flag; says is for all of them.
func of(flag, says string, values ...string) []member {
	var all []member
	for _, v := range values {
		name := strings.TrimSpace(flag + " " + v)
		all = append(all, member{name: name, args: append(strings.Fields(flag), v), says: says})
	}
	return all
}

const (
	apiArg       = "--kube-apiserver-arg"
	kcmArg       = "--kube-controller-manager-arg"
	schedulerArg = "--kube-scheduler-arg"
	etcdArg      = "--etcd-arg"
)

// each returns members that put each of some texts in one place.
func each(put func(c *harness.Controller, text string), says string, texts map[string]string) []member {
	var all []member
	for name, text := range texts {
		all = append(all, member{name: name, spoil: func(c *harness.Controller) { put(c, text) }, says: says})
	}
	return all
}
