// SPDX-License-Identifier: Apache-2.0

// Package controllermanager runs kube-controller-manager from its public
// options and functions, in terms that begin and end with its leader lease.
//
// The stock app.Run cannot be used for that: it may run once per process (the
// name of its informers is never released) and keeps no cache warm while it
// stands by. What it does is composed here from the same exported parts:
// app.BuildControllers and app.RunControllers do the work.
package controllermanager

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/transport"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/config"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/options"

	"github.com/khw-controller/khw-controller/pkg/component/flagset"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Options are the parsed flags of one kube-controller-manager. They keep the
// listener that they have opened, so each run parses its own.
type Options struct {
	*options.KubeControllerManagerOptions
	argv  []string
	flags cliflag.NamedFlagSets
}

// Parse parses a kube-controller-manager command line.
func Parse(argv []string) (*Options, error) {
	s, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return nil, err
	}
	sets := s.Flags(app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases())
	if err := flagset.Parse(lab.ControllerManager, flagset.Join(lab.ControllerManager, sets), argv); err != nil {
		return nil, err
	}
	s.ParsedFlags = &sets
	return &Options{KubeControllerManagerOptions: s, argv: argv, flags: sets}, nil
}

// Flags returns kube-controller-manager's flags at their defaults.
func Flags() (*pflag.FlagSet, error) {
	s, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return nil, err
	}
	return flagset.Join(lab.ControllerManager, s.Flags(app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases())), nil
}

// configure opens the secure port and makes the configuration that all terms
// share. All of its clients go through wrap, which may be nil.
func (o *Options) configure(ctx context.Context, wrap transport.WrapperFunc) (*config.CompletedConfig, error) {
	fresh, err := Parse(o.argv)
	if err != nil {
		return nil, fmt.Errorf("parsing its flags again: %w", err)
	}
	fresh.Authentication.WithCustomRoundTripper(wrap)
	fresh.Authorization.WithCustomRoundTripper(wrap)
	c, err := fresh.Config(ctx, app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases())
	if err != nil {
		return nil, fmt.Errorf("configuring: %w", err)
	}
	c.Kubeconfig.Wrap(wrap)
	if c.Client, err = clientset.NewForConfig(c.Kubeconfig); err != nil {
		return nil, err
	}
	return c.Complete(), nil
}
