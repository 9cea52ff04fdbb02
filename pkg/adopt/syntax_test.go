// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"slices"
	"strings"
	"testing"
)

func TestParseUnit(t *testing.T) {
	const text = "# a comment\n[Unit]\nDescription = two words \n\n[Service]\r\nExecStart=/a \\\n  # between\n  --b \\\n; and this\n  --c\\\\\n  Restart=no\nExecStart=\n"
	got, err := parseUnit("u", text)
	want := []option{
		{"Unit", "Description", "two words"},
		{"Service", "ExecStart", `/a    --b    --c\\`},
		{"Service", "Restart", "no"},
		{"Service", "ExecStart", ""},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if all := list(got, "ExecStart"); len(all) != 0 {
		t.Errorf("an empty value leaves %q", all)
	}
	if v := last(got, "Restart") + last(got, "Description"); v != "no" {
		t.Errorf("got %q", v)
	}
}

func TestCommand(t *testing.T) {
	env := environment{
		variables:  map[string]string{"A": "one 'two three'", "EMPTY": "", "IP": "10.0.0.1"},
		specifiers: map[byte]string{'%': "%", 'H': "host.example"},
	}
	for line, want := range map[string][]string{
		`/p --a=1 --b 2`:                    {"/p", "--a=1", "--b", "2"},
		`-@/p name --a`:                     {"/p", "--a"},
		`:/p --a=$A ${IP}`:                  {"/p", "--a=$A", "${IP}"},
		`/p $A ${A} x${IP}y --c=$IP $EMPTY`: {"/p", "one", "two three", "one 'two three'", "x10.0.0.1y", "--c=$IP"},
		`/p $$A $${A} $1 $`:                 {"/p", "$A", "${A}", "$1", "$"},
		`/p "a b"c 'd "e' --f="g h"`:        {"/p", "a bc", `d "e`, "--f=g h"},
		`/p \x41\101\u00e9\s\t\" ""`:        {"/p", "AAé \t\"", ""},
		`/p --h=%H 100%%`:                   {"/p", "--h=host.example", "100%"},
	} {
		program, argv, err := command(line, env)
		if got := append([]string{program}, argv...); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{"", "-", `/p "a`, `/p a\`, `/p \q`, `/p \x4`, `/p \x00`, "/p %Z", "/p a ; /q", "/%Z"} {
		if program, argv, err := command(line, env); err == nil {
			t.Errorf("%s: got %s %q", line, program, argv)
		}
	}
}

// FuzzWords has any text come back as the one word that it is when it is quoted.
func FuzzWords(f *testing.F) {
	f.Add(`--a=b c "d" \ 'e' é`)
	f.Fuzz(func(t *testing.T, text string) {
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
		got, err := words("first " + quoted + "\tlast")
		if want := []string{"first", text, "last"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", quoted, got, err, want)
		}
		// As it is, it is split or refused.
		if _, _, err := command(text, environment{}); err == nil && strings.Trim(text, execPrefixes+" \t\r\n") == "" {
			t.Errorf("%q starts something", text)
		}
	})
}

// FuzzParseUnit has every assignment of a file it can read be of that file.
func FuzzParseUnit(f *testing.F) {
	f.Add("[Service]\nExecStart=/a \\\n  # x\n  --b\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseUnit("u", text)
		if err != nil && len(all) > 0 {
			t.Errorf("%v, and %q", err, all)
		}
		for _, o := range all {
			if !strings.Contains(text, o.name) || strings.Contains(o.value, "\n") {
				t.Errorf("%q is not in %q", o, text)
			}
		}
	})
}
