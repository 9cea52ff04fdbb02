// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/khw-controller/khw-controller/pkg/evaluation"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// Evaluation returns what the components are asked to evaluate, with the lab's
// files and the profiles' in place: where they are to be made, others are made for this
// in a temporary directory, which done removes.
func (p *Plan) Evaluation() (r evaluation.Request, done func(), err error) {
	r = evaluation.Request{Argv: map[lab.Component][]string{
		lab.APIServer:         lab.Argv(p.Flags[lab.APIServer]),
		lab.ControllerManager: lab.Argv(p.Flags[lab.ControllerManager]),
		lab.Scheduler:         p.schedulerFlags(),
	}, SchedulerConfig: p.schedulerConfig}
	missing := p.missingFiles()
	if !p.Fresh() && len(missing) == 0 {
		return r, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "khw-check-")
	if err != nil {
		return r, nil, err
	}
	done = func() { os.RemoveAll(dir) }
	if p.Fresh() {
		err = p.substitute(&r, dir)
	}
	other := map[string]string{}
	for _, f := range missing {
		path := filepath.Join(dir, filepath.Base(string(f.Path)))
		other[p.Path(f.Path)], err = path, errors.Join(err, os.WriteFile(path, f.Data, 0o600))
	}
	if err != nil {
		done()
		return r, nil, fmt.Errorf("making files to check with: %w", err)
	}
	rename(r.Argv, other)
	return r, done, nil
}

// rename has command lines name other files.
func rename(argvs map[lab.Component][]string, other map[string]string) {
	for _, argv := range argvs {
		for i, arg := range argv {
			if a := lab.ParseArg(arg); a.Value != "" && other[a.Value] != "" {
				a.Value = other[a.Value]
				argv[i] = a.String()
			}
		}
	}
}

// substitute makes the lab's files in dir, and has r name those.
func (p *Plan) substitute(r *evaluation.Request, dir string) error {
	spec, err := p.pkiSpec()
	if err != nil {
		return err
	}
	others := pki.FilesIn(dir)
	spec.Journal = others.Journal()
	if err := pki.Generate(others, spec); err != nil {
		return err
	}
	f := p.Files
	rename(r.Argv, map[string]string{
		f.CA: others.CA, f.CAKey: others.CAKey, f.Cert: others.Cert, f.Key: others.Key,
		f.ServiceAccount: others.ServiceAccount, f.ServiceAccountKey: others.ServiceAccountKey,
		f.EncryptionConfig:            others.EncryptionConfig,
		f.ControllerManagerKubeconfig: others.ControllerManagerKubeconfig,
		f.SchedulerKubeconfig:         others.SchedulerKubeconfig,
	})
	r.SchedulerConfig = bytes.ReplaceAll(r.SchedulerConfig, []byte(f.SchedulerKubeconfig), []byte(others.SchedulerKubeconfig))
	return nil
}
