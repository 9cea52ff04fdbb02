// SPDX-License-Identifier: Apache-2.0

// Package version is `khw-controller version`.
package version

import (
	"fmt"

	"github.com/spf13/cobra"
	etcdversion "go.etcd.io/etcd/api/v3/version"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	kubeversion "k8s.io/component-base/version"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// Info is what the command prints.
type Info struct {
	Kubernetes apimachineryversion.Info `json:"kubernetes"`
	Etcd       string                   `json:"etcd"`
}

// New returns the command.
func New() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of what is inside",
		Example: "  khw-controller version\n  khw-controller version -o json",
		Args:    cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		info := Info{Kubernetes: kubeversion.Get(), Etcd: "v" + etcdversion.Version}
		if output.String() == "json" {
			return cli.WriteJSON(cmd.OutOrStdout(), info)
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "Kubernetes %s\netcd %s\n%s %s\n",
			info.Kubernetes.GitVersion, info.Etcd, info.Kubernetes.GoVersion, info.Kubernetes.Platform)
		return err
	}
	return cmd
}
