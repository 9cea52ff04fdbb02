// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	componentversion "k8s.io/component-base/version"

	"github.com/khw-controller/khw-controller/pkg/adopt"
	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/preflight"
	verification "github.com/khw-controller/khw-controller/pkg/verify"
)

// child runs a command of this program that prints JSON, and reads that. The command
// may exit with 1 when it has printed it.
func child(ctx context.Context, line []string, into any) error {
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if json.Unmarshal(stdout.Bytes(), into) == nil {
		return nil
	}
	if err == nil {
		err = errors.New("it printed no JSON")
	}
	said := strings.TrimPrefix(strings.TrimSpace(stderr.String()), "khw-controller: ")
	return fmt.Errorf("%s: %w: %s", filepath.Base(line[0]), err, said)
}

// check asks the service's program for its checks, as the service runs.
func check(ctx context.Context, service *adopt.Service, insteadOf []string) (adopt.Findings, error) {
	var said struct {
		Findings []preflight.Finding
		Denied   []string
	}
	line := service.Command("check", "--output=json", "--instead-of="+strings.Join(insteadOf, ","))
	if err := child(ctx, line, &said); err != nil {
		return adopt.Findings{}, err
	}
	found := adopt.Findings{Denied: said.Denied}
	for _, f := range said.Findings {
		if f.IsError() || f.IsWait() {
			found.Stops = append(found.Stops, f.String())
		}
	}
	return found, nil
}

// verify goes through the lab's verification with a config file.
func verify(ctx context.Context, service *adopt.Service, config, kubeconfig string) (map[string]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var said struct{ Steps []verification.Result }
	line := slices.Concat([]string{self, "verify", "--output=json", "--kubeconfig=" + kubeconfig}, service.Flags(), []string{"--config=" + config})
	if err := child(ctx, line, &said); err != nil {
		return nil, err
	}
	failed := map[string]string{}
	for _, r := range said.Steps {
		for _, f := range r.Failures {
			failed[r.Step] = f.Problem + "; " + f.Next
		}
	}
	return failed, nil
}

// findKubeconfig finds the admin's, which the lab leaves where one works.
func (c *command) findKubeconfig() (string, error) {
	if c.kubeconfig != "" {
		_, err := os.Stat(c.kubeconfig)
		return c.kubeconfig, err
	}
	admin := string(paths.AdminKubeconfig)
	tried := []string{admin, filepath.Base(admin)}
	for _, name := range []string{os.Getenv("SUDO_USER"), "root"} {
		if u, err := user.Lookup(name); err == nil {
			tried = append(tried, filepath.Join(u.HomeDir, filepath.Base(admin)))
		}
	}
	for _, path := range tried {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("--kubeconfig: the admin's kubeconfig is needed to verify with, and is not at %s; name it", strings.Join(tried, ", "))
}

func userID(name string) (int, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("%s runs as the user %s: %w; install the package, which makes it", adopt.OwnUnit, name, err)
	}
	return strconv.Atoi(u.Uid)
}

// programVersion asks the apiserver's program for its version.
func programVersion(ctx context.Context, found *adopt.Controller) (string, error) {
	program := found.Units[0].Program
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s: %s --version: %s", found.Units[0].Name, program, connerr.OneLine(err))
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "Kubernetes "), nil
}

func ownVersion() string { return componentversion.Get().GitVersion }
