// SPDX-License-Identifier: Apache-2.0

// Package flagset parses a component's command line as the component itself
// would, and says more when it cannot.
package flagset

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/cli/globalflag"
	"k8s.io/component-base/logs"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Join puts a component's named flag sets and the flags that its stock command
// adds to them into one set.
func Join(component lab.Component, sets cliflag.NamedFlagSets) *pflag.FlagSet {
	globalflag.AddGlobalFlags(sets.FlagSet("global"), string(component), logs.SkipLoggingConfigurationFlags())
	fs := pflag.NewFlagSet(string(component), pflag.ContinueOnError)
	fs.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	for _, set := range sets.FlagSets {
		fs.AddFlagSet(set)
	}
	fs.Usage = func() {}
	fs.SetOutput(io.Discard) // deprecations are in the table of package lab
	return fs
}

// Parse parses a component's command line. The error names the option of `run`
// that carries the flag, and the nearest known flag for an unknown one.
func Parse(component lab.Component, fs *pflag.FlagSet, argv []string) error {
	err := fs.Parse(argv)
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &unknown):
		return notFound(fs, fmt.Sprintf("--%s-arg ", component), unknown.GetSpecifiedName())
	case err != nil:
		return fmt.Errorf("--%s-arg: %w", component, err)
	case fs.NArg() > 0:
		return fmt.Errorf("--%s-arg: %q is not a flag; write name=value", component, fs.Arg(0))
	}
	return nil
}

// Explain adds the nearest known flag to the error for an unknown one.
func Explain(fs *pflag.FlagSet, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	return notFound(fs, "--", unknown.GetSpecifiedName())
}

// notFound is the error for a flag that fs does not have; prefix is what the
// user writes before its name.
func notFound(fs *pflag.FlagSet, prefix, name string) error {
	var known []string
	fs.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if nearest := lab.Nearest(name, known); nearest != "" {
		return fmt.Errorf("%s%s: there is no such flag; did you mean %s%s?", prefix, name, prefix, nearest)
	}
	return fmt.Errorf("%s%s: there is no such flag", prefix, name)
}
