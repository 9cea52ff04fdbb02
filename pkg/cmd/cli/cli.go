// SPDX-License-Identifier: Apache-2.0

// Package cli is what the verbs of khw-controller have in common: streams,
// errors with exit codes, the --root and -o flags, and the plan that run, check
// and flags make of the same flags.
package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/khw-controller/khw-controller/pkg/address"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// RootFlag is the flag that every command has.
const RootFlag = "root"

// Streams are a command's input and outputs.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// UsageError is an error for which the program exits with 2.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the error inside.
func (e UsageError) Unwrap() error { return e.Err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Exit ends the program with a code after everything was said.
type Exit struct{ Code int }

func (e Exit) Error() string { return fmt.Sprintf("exit %d", e.Code) }

// FlagError turns cobra's flag errors into a UsageError that names the nearest
// known flag.
func FlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return UsageError{err}
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := lab.Nearest(unknown.GetSpecifiedName(), known); near != "" {
		return Usagef("there is no flag --%s; did you mean --%s?", unknown.GetSpecifiedName(), near)
	}
	return Usagef("there is no flag --%s; see %s --help", unknown.GetSpecifiedName(), cmd.CommandPath())
}

// NoArgs refuses arguments.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usagef("%s takes no arguments, but was given %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// Root returns the value of --root as an absolute path, or "".
func Root(cmd *cobra.Command) (string, error) {
	root, err := cmd.Flags().GetString(RootFlag)
	if err != nil || root == "" {
		return "", err
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("--root: %w", err)
	}
	return abs, nil
}

// Config reads the config file and the flags of cmd.
func Config(cmd *cobra.Command, flags *config.Flags) (*config.Config, error) {
	root, err := Root(cmd)
	if err != nil {
		return nil, err
	}
	c, err := flags.Load(root)
	if err != nil {
		return nil, UsageError{err}
	}
	return c, nil
}

// Plan reads the config file and the flags of cmd, and plans what they ask for.
func Plan(cmd *cobra.Command, flags *config.Flags) (*plan.Plan, error) {
	c, err := Config(cmd, flags)
	if err != nil {
		return nil, err
	}
	return PlanOf(cmd, c)
}

// PlanOf plans what a configuration asks for.
func PlanOf(cmd *cobra.Command, c *config.Config) (*plan.Plan, error) {
	p, err := plan.New(cmd.Context(), c)
	if err != nil && !errors.Is(err, address.ErrNotFound) {
		err = UsageError{err}
	}
	return p, err
}
