// SPDX-License-Identifier: Apache-2.0

// Package scheduler runs kube-scheduler from its public options and its Run
// function, in terms that begin and end with its leader lease.
package scheduler

import (
	"fmt"

	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/server/flagset"
)

// Options are the parsed flags of one kube-scheduler. They can be parsed any
// number of times: each term needs options of its own.
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

// forTerm returns fresh options without a secure port: that outlives the term.
func (o *Options) forTerm() (*options.Options, error) {
	fresh, err := Parse(o.argv)
	if err != nil {
		return nil, fmt.Errorf("parsing its flags again: %w", err)
	}
	fresh.SecureServing.BindPort = 0
	return fresh.Options, nil
}
