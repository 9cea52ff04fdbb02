// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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

func built(name, command string) (string, error) {
	_, self, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(self) {
		return "", errors.New("where the sources are is not known; build the tests without -trimpath, or set KHW_CONTROLLER")
	}
	return present(filepath.Join(filepath.Dir(self), "../../../bin", name), "run "+command)
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
