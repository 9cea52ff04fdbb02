// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/khw-controller/khw-controller/test/bench/subject"
)

// profiler gets profiles from the apiserver's port, as the admin.
type profiler struct {
	run *subject.Run
	dir string
}

// path is where a phase's profile is.
func (p *profiler) path(phase, kind string) string {
	return filepath.Join(p.dir, phase+"-"+kind+".pprof")
}

// during writes the CPU profile of what do does, and the others as they are then.
func (p *profiler) during(ctx context.Context, phase string, do func() error) error {
	recording, stop := context.WithCancel(ctx)
	defer stop()
	recorded := make(chan error, 1)
	go func() { recorded <- p.cpu(ctx, recording, phase) }()
	if err := do(); err != nil {
		return err
	}
	stop()
	if err := <-recorded; err != nil {
		return err
	}
	for kind, query := range map[string]string{"heap": "heap?gc=1", "allocs": "allocs", "goroutine": "goroutine"} {
		if err := p.get(ctx, query, p.path(phase, kind)); err != nil {
			return err
		}
	}
	return nil
}

// cpu records second after second until the end of recording, which nobody knows
// beforehand, and puts the seconds together. A start is recorded from when the port
// answers.
func (p *profiler) cpu(ctx, recording context.Context, phase string) error {
	dir, err := os.MkdirTemp(p.dir, phase+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var seconds []string
	for recording.Err() == nil {
		path := filepath.Join(dir, fmt.Sprint(len(seconds)))
		if err := p.get(ctx, "profile?seconds=1", path); err == nil {
			seconds = append(seconds, path)
		} else if len(seconds) > 0 {
			return err
		} else if err := subject.Rest(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	if len(seconds) == 0 {
		return errors.New("it was over before /debug/pprof/profile answered")
	}
	_, err = pprof(ctx, append([]string{"-proto", "-output=" + p.path(phase, "cpu")}, seconds...)...)
	return err
}

func (p *profiler) get(ctx context.Context, query, path string) error {
	data, err := p.run.Client.Discovery().RESTClient().Get().RequestURI("/debug/pprof/" + query).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("/debug/pprof/%s: %w", query, err)
	}
	return os.WriteFile(path, data, 0o644)
}

// pprof runs go tool pprof.
func pprof(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", append([]string{"tool", "pprof"}, args...)...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("go tool pprof: %w: %s", err, exit.Stderr)
	}
	return string(out), err
}
