// SPDX-License-Identifier: Apache-2.0

// Package secretsencrypt is `khw-controller secrets-encrypt`.
package secretsencrypt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/encryption"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/secretsencrypt"
)

// New returns the command.
func New() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets-encrypt",
		Short: "Rotate the key that Secrets are encrypted with in etcd",
		Long: `See with which keys of encryption-config.yaml things are stored in etcd, and move
to another key or provider while all controllers serve.`,
		Example: `  sudo khw-controller secrets-encrypt status
  sudo khw-controller secrets-encrypt rotate`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStatus(), newRotate())
	return cmd
}

// access is how the control plane is reached: by the settings of run, as an admin.
type access struct {
	config.Flags
	kubeconfig string
}

func (a *access) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.kubeconfig, "kubeconfig", "", "The kubeconfig `file` of an admin. (default "+string(paths.AdminKubeconfig)+" below the root)")
	a.AddTo(cmd.Flags())
}

// withRotator calls do with a Rotator for the control plane of the flags.
func withRotator(cmd *cobra.Command, a *access, told io.Writer, do func(context.Context, *secretsencrypt.Rotator) error) error {
	p, err := cli.Plan(cmd, &a.Flags)
	if err != nil {
		return err
	}
	defer p.Close()
	ctx := cmd.Context()
	kubeconfig := cmp.Or(a.kubeconfig, p.Files.AdminKubeconfig)
	r, err := rotator(p, kubeconfig)
	if err != nil {
		return err
	}
	client, err := p.EtcdAccess.Client(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	r.Etcd = encryption.Etcd{KV: client, Prefix: p.EtcdPrefix}
	r.Say = func(format string, args ...any) { fmt.Fprintf(told, format+"\n", args...) }
	r.Progress = progress(cmd.ErrOrStderr())
	return explain(do(ctx, r), kubeconfig)
}

// rotator is the Rotator of a plan, as the admin.
func rotator(p *plan.Plan, kubeconfig string) (*secretsencrypt.Rotator, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("the admin's kubeconfig: %s; point to it with --kubeconfig", connerr.OneLine(err))
	}
	config.WarningHandler = restclient.NoWarnings{}
	config.QPS = -1 // API Priority and Fairness protects the apiserver
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kubeconfig, err)
	}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kubeconfig, err)
	}
	return secretsencrypt.NewRotator(secretsencrypt.Rotator{
		Client: client, Discovery: client.Discovery(), Metadata: meta,
		Controllers: p.Controllers, Path: p.EncryptionConfig.Path, SigningKey: p.TokenSigningKey.Path,
	}), nil
}

// explain puts an error of a connection to the apiserver into words.
func explain(err error, kubeconfig string) error {
	var connection *url.Error
	if !errors.As(err, &connection) {
		return err
	}
	reason, words := connerr.Explain(connection)
	fix := "see khw-controller status"
	if reason == connerr.Refused {
		fix = "start khw-controller here"
	}
	u, parsed := url.Parse(connection.URL)
	if parsed != nil {
		return err
	}
	return fmt.Errorf("the apiserver at %s (%s) %s; %s", u.Host, kubeconfig, words, fix)
}

// progress shows on a terminal how much of a resource is rewritten.
func progress(w io.Writer) func(string, int, int) {
	if !cli.IsTerminal(w) {
		return func(string, int, int) {}
	}
	const clear = "\r\x1b[K"
	return func(resource string, done, total int) {
		switch {
		case done >= total:
			fmt.Fprint(w, clear)
		case done%20 == 0:
			fmt.Fprintf(w, "%s%s: %d of %d rewritten", clear, resource, done, total)
		}
	}
}
