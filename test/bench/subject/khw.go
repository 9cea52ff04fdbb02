// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"fmt"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// stopPatience is how long an orderly end of a process may take.
const stopPatience = time.Minute

// khw is khw-controller with its embedded etcd.
type khw struct {
	Site
	process *process.Process
}

func (k *khw) Start() error {
	path, err := harness.Binary()
	if err != nil {
		return err
	}
	args := append([]string{"run", "--root", k.root(), "--advertise-address", advertise}, k.Ports.ControllerArgs(true)...)
	for _, arg := range k.EtcdArgs {
		args = append(args, "--etcd-arg", arg)
	}
	k.process, err = process.Start(process.Spec{Path: path, Args: args, Log: k.Log("khw-controller")})
	return err
}

func (k *khw) PIDs() []int                  { return []int{k.process.PID()} }
func (k *khw) CPUSeconds() (float64, error) { return CPUSeconds(k.PIDs()) }

func (k *khw) Failed() error { return ended("khw-controller", k.process) }
func (k *khw) Stop() error   { return stop("khw-controller", k.process) }

func (k *khw) Kill() {
	if k.process != nil {
		k.process.Kill()
	}
}

// ended returns an error when p runs no more.
func ended(name string, p *process.Process) error {
	if p.Running() {
		return nil
	}
	return fmt.Errorf("%s ended with exit code %d: %s", name, p.ExitCode(), p.Tail(1))
}

// stop ends p in order.
func stop(name string, p *process.Process) error {
	code, err := p.Stop(stopPatience)
	if err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	if code > 0 { // etcd ends itself by the signal that it was sent
		return fmt.Errorf("%s ended with exit code %d after SIGTERM: %s", name, code, p.Tail(1))
	}
	return nil
}
