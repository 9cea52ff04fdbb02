// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"fmt"
	"os"
	"slices"

	kubeschedulerv1 "k8s.io/kube-scheduler/config/v1"
	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/memfd"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// schedulerArgv makes the scheduler's configuration from its file and returns
// the command line with which the scheduler reads the result.
func (p *Plan) schedulerArgv() ([]string, error) {
	settings := p.Flags[lab.Scheduler]
	path := lab.Get(settings, "config")
	var file []byte
	var err error
	if path != "" { // given up with config-
		file, err = readFile(path)
	}
	byDefault := slices.ContainsFunc(settings, func(s lab.Setting) bool { return s.Name == "config" && s.Source == lab.FromLab })
	if err != nil && (!byDefault || !errors.Is(err, os.ErrNotExist)) {
		return nil, fmt.Errorf("--kube-scheduler-arg config: %w", err)
	}
	// What the scheduler ignores next to --config is written into its configuration.
	flags, fallback := map[string]string{}, lab.ClientLimits()
	for _, s := range settings {
		switch {
		case !lab.IsInSchedulerConfig(s.Name):
		case profile.IsSource(s.Source):
			fallback[s.Name] = s.Value
		default:
			flags[s.Name] = s.Value
		}
	}
	if flags["kubeconfig"] == "" && len(file) == 0 {
		flags["kubeconfig"] = p.Files.SchedulerKubeconfig
	}
	converted, err := p.convertSchedulerConfig(file, flags, fallback)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	lab.LookUpCallersWith(p.Files.SchedulerKubeconfig, p.Files.CA, settings)
	if err := p.yieldToSchedulerConfig(converted); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	effective, err := memfd.New("kube-scheduler.yaml", converted)
	if err != nil {
		return nil, err
	}
	p.documents, p.schedulerConfig = append(p.documents, effective), converted
	return append(p.schedulerFlags(), "--config="+effective.Path()), nil
}

// schedulerFlags is the scheduler's command line but for --config and what is
// written into that file.
func (p *Plan) schedulerFlags() []string {
	var argv []string
	for _, s := range p.Flags[lab.Scheduler] {
		if s.Name != "config" && !lab.IsInSchedulerConfig(s.Name) {
			argv = append(argv, s.String())
		}
	}
	return argv
}

// SchedulerProfiling reports whether the scheduler shows profiles, as its configuration
// in force says; it does where nobody says.
func (p *Plan) SchedulerProfiling() (bool, error) {
	var c kubeschedulerv1.KubeSchedulerConfiguration
	if err := yaml.Unmarshal(p.schedulerConfig, &c); err != nil {
		return false, err
	}
	return c.EnableProfiling == nil || *c.EnableProfiling, nil
}

// convertSchedulerConfig takes the lab's own kubeconfig path for one below the
// root, like every other lab path.
func (p *Plan) convertSchedulerConfig(file []byte, flags, fallback map[string]string) ([]byte, error) {
	converted, notices, err := lab.SchedulerConfig(file, flags, fallback)
	if err != nil {
		return nil, err
	}
	path, err := kubeconfigIn(converted)
	if err != nil {
		return nil, err
	}
	if below := p.Path(paths.SchedulerKubeconfig); path == string(paths.SchedulerKubeconfig) && path != below {
		flags["kubeconfig"] = below
		return p.convertSchedulerConfig(file, flags, fallback)
	}
	p.Notices = append(p.Notices, notices...)
	p.Files.SchedulerKubeconfig = path
	return converted, nil
}

func kubeconfigIn(config []byte) (string, error) {
	var c kubeschedulerv1.KubeSchedulerConfiguration
	if err := yaml.Unmarshal(config, &c); err != nil {
		return "", err
	}
	if c.ClientConnection.Kubeconfig == "" {
		return "", errors.New("clientConnection.kubeconfig is not set; the scheduler needs one")
	}
	return c.ClientConnection.Kubeconfig, nil
}

// TranslateSchedulerConfig replaces the file behind --config in a kube-scheduler
// command line by its form for today's scheduler, in memory.
func TranslateSchedulerConfig(argv []string) (out, notices []string, err error) {
	for i := 0; i < len(argv); i++ {
		a := lab.ParseArg(argv[i])
		if a.Name != "config" {
			out = append(out, argv[i])
			continue
		}
		if !a.HasValue && i+1 < len(argv) {
			i++
			a.Value = argv[i]
		}
		file, err := os.ReadFile(a.Value)
		if err != nil {
			return nil, nil, fmt.Errorf("--config: %w", err)
		}
		converted, more, err := lab.SchedulerConfig(file, nil, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", a.Value, err)
		}
		today, err := memfd.New("kube-scheduler.yaml", converted)
		if err != nil {
			return nil, nil, err
		}
		notices = append(notices, more...)
		out = append(out, "--config="+today.Path())
	}
	return out, notices, nil
}
