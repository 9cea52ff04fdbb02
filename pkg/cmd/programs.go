// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	componentcli "k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // as in the stock commands
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserverapp "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanagerapp "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	schedulerapp "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/cmd/kubectl"
	"github.com/khw-controller/khw-controller/pkg/component/flagset"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// programs are what this binary is under other names.
var programs = map[string]func(cli.Streams, []string) int{
	string(lab.APIServer): func(s cli.Streams, args []string) int {
		return component(s, lab.APIServer, args, apiserverapp.NewAPIServerCommand)
	},
	string(lab.ControllerManager): func(s cli.Streams, args []string) int {
		return component(s, lab.ControllerManager, args, controllermanagerapp.NewControllerManagerCommand)
	},
	string(lab.Scheduler): func(s cli.Streams, args []string) int {
		return component(s, lab.Scheduler, args, func() *cobra.Command { return schedulerapp.NewSchedulerCommand() })
	},
	"kubectl": func(_ cli.Streams, args []string) int {
		kubectl.Run(args)
		return 0
	},
}

// component runs a stock component with a command line in the lab's spelling.
func component(s cli.Streams, c lab.Component, args []string, stock func() *cobra.Command) int {
	argv, notices, err := lab.TranslateArgv(c, args[1:])
	if err == nil && c == lab.Scheduler {
		var more []string
		argv, more, err = plan.TranslateSchedulerConfig(argv)
		notices = append(notices, more...)
	}
	for _, n := range notices {
		fmt.Fprintln(s.Err, n)
	}
	if err != nil {
		fmt.Fprintf(s.Err, "%s: %v\n", c, err)
		return 1
	}
	command := stock()
	command.SilenceUsage = true // 300 lines would hide the error
	command.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return flagset.Explain(cmd.Flags(), err)
	})
	// The stock commands read the process's arguments a second time for --help.
	os.Args = append([]string{args[0]}, argv...)
	command.SetArgs(argv)
	return componentcli.Run(command)
}
