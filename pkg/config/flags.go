// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/khw-controller/khw-controller/pkg/paths"
)

// Flags are the keys as flags of a command.
type Flags struct {
	requested []assignment
	file      string
}

// assignment is one value for one key.
type assignment struct {
	key    Key
	source string
	value  string
	// at is where it was made, for errors: a flag, or a line of the file.
	at string
}

func (a assignment) apply(c *Config) error {
	if err := a.key.set(c, a.source, a.value); err != nil {
		return fmt.Errorf("%s: %w", a.at, err)
	}
	c.remember(a)
	return nil
}

// AddTo registers every key, and --config, with fs.
func (f *Flags) AddTo(fs *pflag.FlagSet) {
	fs.StringVar(&f.file, "config", "", "The config file; each of its keys is one of these flags. (default "+string(paths.Config)+" below the root, if it is there)")
	for _, k := range Keys() {
		fs.Var(&flagValue{flags: f, key: k}, k.Name, usage(k))
	}
}

// Withdraw takes a value back out of a list that was set on the command line, and reports
// whether it was there: a command for which it means something else asks before Load.
func (f *Flags) Withdraw(name, value string) bool {
	found := false
	var rest []assignment
	for _, a := range f.requested {
		if a.key.Name == name {
			values := slices.DeleteFunc(strings.Split(a.value, ","), func(v string) bool {
				is := strings.TrimSpace(v) == value
				found = found || is
				return is
			})
			if len(values) == 0 {
				continue // the file's counts
			}
			a.value = strings.Join(values, ",")
		}
		rest = append(rest, a)
	}
	f.requested = rest
	return found
}

func usage(k Key) string {
	doc := strings.ReplaceAll(k.Doc, "`", "") // pflag takes what is quoted for the type
	if k.Default == "" {
		return doc
	}
	return doc + " (default " + k.Default + ")"
}

// flagValue is a pflag.Value that remembers what it was set to, in order.
type flagValue struct {
	flags *Flags
	key   Key
}

func (v *flagValue) Set(s string) error {
	v.flags.requested = append(v.flags.requested, assignment{key: v.key, source: FromFlag, value: s, at: "--" + v.key.Name})
	return nil
}

func (v *flagValue) Type() string { return v.key.Type }

func (v *flagValue) String() string {
	if v.flags == nil {
		return ""
	}
	var values []string
	for _, a := range v.flags.requested {
		if a.key.Name == v.key.Name {
			values = append(values, a.value)
		}
	}
	return strings.Join(values, ",")
}
