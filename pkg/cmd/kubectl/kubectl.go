// SPDX-License-Identifier: Apache-2.0

// Package kubectl is `khw-controller kubectl`: the kubectl that the lab
// downloads, which finds this controller's admin.kubeconfig by itself.
package kubectl

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // credential plugins, as in cmd/kubectl
	"k8s.io/client-go/tools/clientcmd"
	componentcli "k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// New returns the command. Its flags are kubectl's own, but for --root.
func New() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl",
		Short: "The kubectl that the lab downloads, with this controller's admin.kubeconfig",
		Long: `kubectl, as the lab downloads it. Without --kubeconfig and KUBECONFIG it uses this
controller's admin.kubeconfig (below --root, if that comes first).`,
		Example: `  khw-controller kubectl get componentstatuses
  khw-controller kubectl --root ~/khw get nodes`,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			root, args := takeRoot(args)
			if err := useAdmin(root, args); err != nil {
				return err
			}
			// Of kubectl's verbs some end by the signal itself, as proxy does, and others
			// catch it; none knows this program's context.
			signal.Reset(syscall.SIGINT, syscall.SIGTERM)
			Run(append([]string{"kubectl"}, args...))
			return nil
		},
	}
}

// Run runs kubectl with the process's own streams and ends the process on an
// error with kubectl's exit code.
func Run(args []string) {
	os.Args = args
	// A wrong level is reported by kubectl's own parsing of the same flag.
	_, _ = logs.GlogSetter(kubectlcmd.GetLogVerbosity(args))
	if err := componentcli.RunNoErrOutput(kubectlcmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}

// takeRoot takes --root off the front of kubectl's arguments.
func takeRoot(args []string) (root string, rest []string) {
	flag := "--" + cli.RootFlag
	if len(args) > 1 && args[0] == flag {
		return args[1], args[2:]
	}
	if len(args) > 0 && strings.HasPrefix(args[0], flag+"=") {
		return strings.TrimPrefix(args[0], flag+"="), args[1:]
	}
	return "", args
}

// useAdmin points kubectl at the admin's kubeconfig unless the user chose one,
// in the environment or in the arguments.
func useAdmin(root string, args []string) error {
	for _, a := range args {
		if a == "--" {
			break
		}
		if strings.HasPrefix(a, "--kubeconfig") {
			return nil
		}
	}
	if root == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != "" {
		return nil
	}
	if root == "" {
		if _, err := os.Stat(string(paths.AdminKubeconfig)); err != nil {
			return nil // kubectl's own default, ~/.kube/config
		}
	}
	path, err := filepath.Abs(paths.AdminKubeconfig.Below(root))
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w; run khw-controller run --%s %s first, or give --kubeconfig", err, cli.RootFlag, root)
	}
	return os.Setenv(clientcmd.RecommendedConfigPathEnvVar, path)
}
