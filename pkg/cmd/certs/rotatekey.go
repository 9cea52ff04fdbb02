// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/rotation"
)

// rotateKey is `certs rotate-service-account-key`.
type rotateKey struct {
	rotate
	tokenLifetime time.Duration
	now           *certs.KeyRotation
}

// tokensOfPods is for how long tokens of pods may be in use: kubelets replace them
// when 24 hours have passed at the latest (pkg/kubelet/token/token_manager.go,
// maxTTL).
const tokensOfPods = 25 * time.Hour

func newRotateKey() *cobra.Command {
	r := &rotateKey{rotate: rotate{next: [2]paths.Path{paths.NextServiceAccount, paths.NextServiceAccountKey}}}
	cmd := &cobra.Command{
		Use:   "rotate-service-account-key",
		Short: "Have another key sign service account tokens",
		Long: `Have another key sign service account tokens, one controller after the other,
while everything runs. It takes the flags of run. The apiserver reads these keys
at a start only: after each step, restart the controller.

With --begin, on one controller, the next key is made: next-service-account.pem
and next-service-account-key.pem beside service-account.pem, which has both
public keys from then on. Copy the two files to the same place on every other
controller, and run the command there, without --begin. When every controller
accepts tokens of the next key, run it once more on each: new tokens are of the
next key. Then take the last step on each, with --finish: tokens of the old key
are good no more.

That is refused until every controller has signed with the next key for 25 hours
(--token-lifetime): kubelets replace the tokens of pods within 24. Tokens that
people have asked for with a longer life (kubectl create token --duration) end
with it. It is refused, too, while a Secret has a token of the old key: nobody
replaces those, and the error says how.

What was interrupted is finished by the same command or by the next start. The
old files stay beside, with a date in their names. Until the next key signs,
--undo gives it up.`,
		Example: `  sudo khw-controller certs rotate-service-account-key --begin     # on one controller
  sudo khw-controller certs rotate-service-account-key             # on each, after each restart
  sudo khw-controller certs rotate-service-account-key --status
  sudo khw-controller certs rotate-service-account-key --finish    # on each, a day later`,
		Args: cli.NoArgs,
	}
	r.addTo(cmd)
	cmd.Flags().DurationVar(&r.tokenLifetime, "token-lifetime", tokensOfPods, "With --finish, for how long tokens of the old key may be in use after the next one signs.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if r.tokenLifetime < 0 {
			return cli.Usagef("--token-lifetime %s: want no time or some", r.tokenLifetime)
		}
		return r.run(cmd, r)
	}
	return cmd
}

func (r *rotateKey) read() (certs.Phase, error) {
	var err error
	if r.now, err = certs.ReadKeyRotation(r.plan); err != nil {
		return "", err
	}
	return r.now.Phase, nil
}

func (r *rotateKey) beginHere() error {
	if err := rotation.MayBeginTokens(r.cmd.Context(), r.plan); err != nil {
		return err
	}
	if err := r.do(certs.BeginKeyRotation(r.plan, time.Now())); err != nil {
		return err
	}
	r.result.Next = []string{
		restartCommand,
		"where there are other controllers, copy " + r.nextFiles() + " to " + r.nextDir() + " there,",
		"  and then there: khw-controller certs rotate-service-account-key && " + restartCommand,
		"and then on each once more: khw-controller certs rotate-service-account-key",
	}
	return r.show()
}

// goOn takes the step that comes next.
func (r *rotateKey) goOn() error {
	switch r.now.Phase {
	case certs.Finished:
		return errors.New("the last step was interrupted; take it again: khw-controller certs rotate-service-account-key --finish")
	case certs.Copied:
		if err := r.do(r.now.Trust()); err != nil {
			return err
		}
		r.result.Next = []string{restartCommand, "then once more: khw-controller certs rotate-service-account-key"}
		return r.show()
	case certs.Trusting:
		tokens, err := rotation.OpenTokens(r.cmd.Context(), r.plan, r.now)
		if err != nil {
			return err
		}
		if err := tokens.MaySign(tokens.Evidence(r.cmd.Context())); err != nil {
			return err
		}
	}
	if err := r.do(r.now.Sign()); err != nil {
		return err
	}
	r.result.Next = []string{
		restartCommand,
		"then, when all tokens of the old key are replaced: khw-controller certs rotate-service-account-key --finish",
	}
	return r.show()
}

func (r *rotateKey) finishHere() error {
	if r.now.Phase != certs.Finished {
		tokens, err := rotation.OpenTokens(r.cmd.Context(), r.plan, r.now)
		if err != nil {
			return err
		}
		if err := tokens.MayFinish(r.cmd.Context(), tokens.Evidence(r.cmd.Context()), r.tokenLifetime); err != nil {
			return err
		}
	}
	if err := r.do(r.now.Finish()); err != nil {
		return err
	}
	r.result.Next = []string{restartCommand}
	return r.show()
}

func (r *rotateKey) undoHere() error {
	if r.now.Phase == certs.Trusting {
		tokens, err := rotation.OpenTokens(r.cmd.Context(), r.plan, r.now)
		if err != nil {
			return err
		}
		if err := tokens.MayUndo(tokens.Evidence(r.cmd.Context())); err != nil {
			return err
		}
	}
	if err := r.do(r.now.Undo()); err != nil {
		return err
	}
	r.result.Next = []string{restartCommand}
	return r.show()
}

// showEvidence shows how far it is on every controller.
func (r *rotateKey) showEvidence() error {
	tokens, err := rotation.OpenTokens(r.cmd.Context(), r.plan, r.now)
	if err != nil {
		return err
	}
	evidence := tokens.Evidence(r.cmd.Context())
	rows := [][]string{{"CONTROLLER", "APISERVER", "ACCEPTS THE NEXT KEY", "SIGNS WITH IT", "PROBLEM"}}
	for _, e := range evidence {
		signs := yes(e.Signs)
		if e.Signs {
			signs += ", since " + e.Since.UTC().Format(time.RFC3339)
		}
		rows = append(rows, []string{e.Controller, e.Of, yes(e.Verifies), signs, e.Problem})
	}
	return r.showTable(evidence, rows)
}
