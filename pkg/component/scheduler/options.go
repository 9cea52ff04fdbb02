// SPDX-License-Identifier: Apache-2.0

// Package scheduler runs kube-scheduler from its public options and its Run
// function, in terms that begin and end with its leader lease.
package scheduler

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"

	"github.com/khw-controller/khw-controller/pkg/component/flagset"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Options are the parsed flags of one kube-scheduler.
type Options struct {
	*options.Options
	argv []string
}

// Parse parses a kube-scheduler command line.
func Parse(argv []string) (*Options, error) {
	o := options.NewOptions()
	if err := flagset.Parse(lab.Scheduler, flagset.Join(lab.Scheduler, *o.Flags), argv); err != nil {
		return nil, err
	}
	return &Options{Options: o, argv: argv}, nil
}

// Flags returns kube-scheduler's flags at their defaults.
func Flags() (*pflag.FlagSet, error) {
	return flagset.Join(lab.Scheduler, *options.NewOptions().Flags), nil
}

// fresh returns the same options anew: they keep the listener that they have
// opened, so each run and each term parses its own.
func (o *Options) fresh() (*options.Options, error) {
	f, err := Parse(o.argv)
	if err != nil {
		return nil, fmt.Errorf("parsing its flags again: %w", err)
	}
	f.ComponentConfig, err = latest.Default()
	return f.Options, err
}
