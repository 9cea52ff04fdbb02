// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestEdit(t *testing.T) {
	for name, test := range map[string]struct{ in, want, says string }{
		"nothing there":       {"", "etcd-servers: [https://a:1, https://b:2]\n", ""},
		"at the end":          {"v: 0 # few", "v: 0 # few\netcd-servers: [https://a:1, https://b:2]\n", ""},
		"in place of comment": {"# Members.\n#etcd-servers: [URL]\n\nv: 0\n", "# Members.\netcd-servers: [https://a:1, https://b:2]\n\nv: 0\n", ""},
		"in place":            {"# x\netcd-servers: https://c:3\n# y\nv: 0\n", "# x\netcd-servers: [https://a:1, https://b:2]\n# y\nv: 0\n", ""},
		"in place of lines":   {"etcd-servers:\n  # one\n  - https://c:3\n  - https://d:4\n# y\nv: 0\n", "etcd-servers: [https://a:1, https://b:2]\n# y\nv: 0\n", ""},
		"in place of brackets": {"etcd-servers: [\n  https://c:3,\n  https://d:4,\n  ]\nv: 0\n",
			"etcd-servers: [https://a:1, https://b:2]\nv: 0\n", ""},
		"braces":      {"{v: 0}\n", "", "without braces"},
		"unknown key": {"vv: 0\n", "", "there is no key vv"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Edit("file", []byte(test.in), "etcd-servers", []string{"https://a:1", "https://b:2"})
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %q, %v, want an error with %q", got, err, test.says)
				}
				return
			}
			if err != nil || string(got) != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// TestEditTheExample sets a key in the file that the packages install.
func TestEditTheExample(t *testing.T) {
	before, err := Read("file", Example())
	if err != nil {
		t.Fatal(err)
	}
	values := slices.Concat(before["kube-apiserver-arg"], []string{"event-ttl=2h", "a=[b, c]"})
	edited, err := Edit("file", Example(), "kube-apiserver-arg", values)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Read("file", edited)
	if err != nil {
		t.Fatal(err)
	}
	before["kube-apiserver-arg"] = values
	if !maps.EqualFunc(before, after, slices.Equal) {
		t.Errorf("got %v, want %v", after, before)
	}
	if lines := bytes.Count(edited, []byte("\n")); lines != bytes.Count(Example(), []byte("\n"))-1 {
		t.Errorf("the comments have changed:\n%s", edited)
	}
}

func FuzzEdit(f *testing.F) {
	f.Add("# x\netcd-servers:\n  - https://c:3\n# y\nv: 0\n", "https://a:1")
	f.Add("etcd-servers: [a,\n b]\nv: 0", "a=[b]")
	f.Fuzz(func(t *testing.T, text, value string) {
		before, err := Read("file", []byte(text))
		if err != nil {
			return
		}
		edited, err := Edit("file", []byte(text), "etcd-servers", []string{value})
		if err != nil {
			return
		}
		after, err := Read("file", edited)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, edited, err)
		}
		delete(before, "etcd-servers")
		delete(after, "etcd-servers")
		if !maps.EqualFunc(before, after, slices.Equal) {
			t.Errorf("%q became %q: %v became %v", text, edited, before, after)
		}
	})
}
