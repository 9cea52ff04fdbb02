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

// rotateCA is `certs rotate-ca`.
type rotateCA struct {
	rotate
	ca, caKey string
	now       *certs.CARotation
}

func newRotateCA() *cobra.Command {
	r := &rotateCA{rotate: rotate{next: [2]paths.Path{paths.NextCA, paths.NextCAKey}}}
	cmd := &cobra.Command{
		Use:   "rotate-ca",
		Short: "Have another CA take the place of the cluster's",
		Long: `Have another CA take the place of the cluster's, one controller after the other,
while everything runs. It takes the flags of run.

With --begin, on one controller, the next CA is made (or is yours, with --ca and
--ca-key): next-ca.pem and next-ca-key.pem beside ca.pem, which has both CAs from
then on, as have the kubeconfigs. Copy the two files to the same place on every
other controller, and run the command there, without --begin. As soon as every
controller trusts the next CA, it signs: each controller's certificates are of
the next CA then, and shown with the old one's signature, so that who knows the
old CA only is served as before. The running controllers see to that by
themselves, and so does the command.

Then give the next CA to everybody outside, kubelets and people (the command says
what), restart each controller, and take the last step on each, with --finish:
the old CA is trusted no more. Restart it once more then.

No step is taken before the one before it is in force on every controller, as
asked over the network. What was interrupted is finished by the same command or
by the next start. The old files stay beside, with a date in their names. Until
the next CA signs, --undo gives it up.

An etcd of its own with files of its own, in --etcd-servers, is left alone where
its CA is another one. Where it is this one, its files are yours to replace: it
has to trust both before --finish, and to have a certificate of the next CA.`,
		Example: `  sudo khw-controller certs rotate-ca --begin     # on one controller
  sudo khw-controller certs rotate-ca             # on each other one, with its two files
  sudo khw-controller certs rotate-ca --status
  sudo khw-controller certs rotate-ca --finish    # on each, one after the other`,
		Args: cli.NoArgs,
	}
	r.addTo(cmd)
	cmd.Flags().StringVar(&r.ca, "ca", "", "With --begin, a `file` with the CA that is to be the next one.")
	cmd.Flags().StringVar(&r.caKey, "ca-key", "", "The `file` with its key.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if (r.ca == "") != (r.caKey == "") || r.ca != "" && !r.begin {
			return cli.Usagef("--ca and --ca-key go together, and with --begin")
		}
		return r.run(cmd, r)
	}
	return cmd
}

func (r *rotateCA) read() (certs.Phase, error) {
	var err error
	if r.now, err = certs.ReadCARotation(r.plan); err != nil {
		return "", err
	}
	return r.now.Phase, nil
}

func (r *rotateCA) beginHere() error {
	if err := rotation.MayBegin(r.cmd.Context(), r.plan); err != nil {
		return err
	}
	next, err := cli.Authority(r.ca, r.caKey)
	if err != nil {
		return err
	}
	if err := r.do(certs.BeginCARotation(r.plan, next, time.Now())); err != nil {
		return err
	}
	if r.dryRun {
		return r.show()
	}
	return r.sign()
}

// goOn takes the step that comes next.
func (r *rotateCA) goOn() error {
	switch r.now.Phase {
	case certs.Finished:
		return errors.New("the last step was interrupted; take it again: khw-controller certs rotate-ca --finish")
	case certs.Copied:
		if err := r.do(r.now.Trust()); err != nil {
			return err
		}
		if r.dryRun {
			return r.show()
		}
	}
	return r.sign()
}

// sign has the next CA sign as soon as every controller trusts it.
func (r *rotateCA) sign() error {
	now, err := certs.ReadCARotation(r.plan)
	if err != nil {
		return err
	}
	ca, err := rotation.OpenCA(r.cmd.Context(), r.plan, now)
	if err == nil {
		err = ca.AwaitTrust(r.cmd.Context())
	}
	if err != nil {
		if err := r.waits(err); err != nil {
			return err
		}
		r.trusting(ca)
		return r.show()
	}
	if err := r.do(now.Sign(time.Now())); err != nil {
		return err
	}
	r.result.Next = []string{
		"give the next CA to who is outside: " + r.plan.Files.CA + " has both; to kubelets as client CA and in their kubeconfigs,",
		"  to other kubeconfigs, to an etcd that trusts this CA; and certificates of the next CA to whom the old one had signed some",
		"restart each controller, one after the other: " + restartCommand,
		"then on each: khw-controller certs rotate-ca --finish",
	}
	return r.show()
}

// trusting says what to do while not all controllers trust the next CA.
func (r *rotateCA) trusting(ca *rotation.CA) {
	if ca == nil || len(ca.Others()) == 0 {
		r.result.Next = []string{"once more, later: khw-controller certs rotate-ca"}
		return
	}
	r.result.Next = []string{
		"copy " + r.nextFiles() + " to " + r.nextDir() + " on " + names(ca.Others()),
		"and run there: khw-controller certs rotate-ca",
	}
}

func (r *rotateCA) finishHere() error {
	if r.now.Phase != certs.Finished {
		ca, err := rotation.OpenCA(r.cmd.Context(), r.plan, r.now)
		if err != nil {
			return err
		}
		if err := ca.MayFinish(r.cmd.Context(), ca.Evidence(r.cmd.Context())); err != nil {
			return err
		}
	}
	if err := r.do(r.now.Finish()); err != nil {
		return err
	}
	r.result.Next = []string{restartCommand}
	return r.show()
}

func (r *rotateCA) undoHere() error {
	if r.now.Phase == certs.Trusting {
		ca, err := rotation.OpenCA(r.cmd.Context(), r.plan, r.now)
		if err != nil {
			return err
		}
		if err := ca.MayUndo(ca.Evidence(r.cmd.Context())); err != nil {
			return err
		}
	}
	if err := r.do(r.now.Undo()); err != nil {
		return err
	}
	return r.show()
}

// showEvidence shows how far it is on every controller.
func (r *rotateCA) showEvidence() error {
	ca, err := rotation.OpenCA(r.cmd.Context(), r.plan, r.now)
	if err != nil {
		return err
	}
	evidence := ca.Evidence(r.cmd.Context())
	rows := [][]string{{"CONTROLLER", "PORT", "TRUSTS THE NEXT CA", "SHOWS ITS CERTIFICATE", "PROBLEM"}}
	for _, e := range evidence {
		rows = append(rows, []string{e.Controller, e.Of, yes(e.Trusts), yes(e.Shows), e.Problem})
	}
	return r.showTable(evidence, rows)
}
