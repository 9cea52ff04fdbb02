// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Binary returns the khw-controller under test: KHW_CONTROLLER, or
// bin/khw-controller of this repository.
func Binary() (string, error) {
	if path := os.Getenv("KHW_CONTROLLER"); path != "" {
		return present(path, "correct KHW_CONTROLLER")
	}
	return built("khw-controller", "make build")
}

// StockBinary returns a stock program built from the same modules.
func StockBinary(name string) (string, error) {
	return built(filepath.Join("stock", name), "make stock")
}

// Binary is the function of that name; a missing one fails the test.
func (e *Env) Binary() string {
	e.Helper()
	path, err := Binary()
	e.Must(err)
	return path
}

// StockBinary is the function of that name; a missing one fails the test.
func (e *Env) StockBinary(name string) string {
	e.Helper()
	path, err := StockBinary(name)
	e.Must(err)
	return path
}

// WorkerProgram is what make worker has built; a missing one fails the test.
func (e *Env) WorkerProgram(name string) string {
	e.Helper()
	path, err := built(filepath.Join("worker", name), "make worker")
	e.Must(err)
	return path
}

// SkewProgram is what make skew has built; a missing one fails the test.
func (e *Env) SkewProgram(name string) string {
	e.Helper()
	path, err := built(filepath.Join("skew", name), "make skew")
	e.Must(err)
	return path
}

// ConformanceProgram is what make conformance-tests has built; a missing one fails the test.
func (e *Env) ConformanceProgram(name string) string {
	e.Helper()
	path, err := built(filepath.Join("conformance", name), "make conformance-tests")
	e.Must(err)
	return path
}

func built(name, command string) (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	return present(filepath.Join(root, "bin", name), "run "+command)
}

// repository finds the sources above the working directory: `go test` runs in the
// package's directory, and `go run` is called somewhere inside.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod in this directory or above; run this inside the repository, or set KHW_CONTROLLER")
		}
	}
}

func present(path, fix string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", fmt.Errorf("%w; %s", err, fix)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("%s is not a program; %s", abs, fix)
	}
	return abs, nil
}

// Prometheus returns a program of Prometheus', prometheus or promtool: the one in PATH, or
// that of hack/install-test-deps. A missing one fails the test.
func (e *Env) Prometheus(program string) string {
	e.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	root, err := repository()
	e.Must(err)
	path, err := present(filepath.Join(root, "bin", program), "run make deps")
	e.Must(err)
	return path
}
