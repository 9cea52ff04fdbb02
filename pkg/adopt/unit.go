// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Unit is a service as systemd has it.
type Unit struct {
	Name string `json:"name"`
	// Path is its file, and DropIns what is added to that, in order.
	Path    string   `json:"path"`
	DropIns []string `json:"dropIns,omitempty"`
	// Active and Enabled are its states in systemd's words; empty where no systemd
	// was asked.
	Active  string `json:"active,omitempty"`
	Enabled string `json:"enabled,omitempty"`
	// Program is what it starts.
	Program string `json:"program,omitempty"`

	// argv are the program's arguments, and options all that the files say.
	argv    []string
	options []option
	root    string
}

// read reads the unit's files, below a root, and its command line.
func (u *Unit) read(root string) error {
	u.root = root
	for _, path := range append([]string{u.Path}, u.DropIns...) {
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		options, err := parseUnit(path, string(data))
		if err != nil {
			return err
		}
		u.options = append(u.options, options...)
	}
	starts := list(u.options, "ExecStart")
	if len(starts) != 1 {
		return fmt.Errorf("%s: has %d ExecStart= in force, want 1", u.where(), len(starts))
	}
	env, err := u.environment()
	if err != nil {
		return err
	}
	if u.Program, u.argv, err = command(starts[0], env); err != nil {
		return fmt.Errorf("%s: ExecStart: %w", u.where(), err)
	}
	return nil
}

// where names the unit's files.
func (u *Unit) where() string { return strings.Join(append([]string{u.Path}, u.DropIns...), ", ") }

// environment is what systemd gives the command line: Environment=, and
// EnvironmentFile= over it.
func (u *Unit) environment() (environment, error) {
	env := environment{variables: map[string]string{}, specifiers: u.specifiers()}
	for _, line := range list(u.options, "Environment") {
		all, err := words(line)
		if err != nil {
			return env, fmt.Errorf("%s: Environment: %w", u.where(), err)
		}
		for _, assignment := range all {
			if assignment, err = env.specify(assignment); err != nil {
				return env, fmt.Errorf("%s: Environment: %w", u.where(), err)
			}
			name, value, _ := strings.Cut(assignment, "=")
			env.variables[name] = value
		}
	}
	for _, file := range list(u.options, "EnvironmentFile") {
		path, optional := strings.CutPrefix(file, "-")
		data, err := os.ReadFile(filepath.Join(u.root, path))
		if errors.Is(err, os.ErrNotExist) && optional {
			continue
		}
		if err != nil {
			return env, fmt.Errorf("%s: EnvironmentFile: %w", u.where(), err)
		}
		variables, err := environmentFile(string(data))
		if err != nil {
			return env, fmt.Errorf("%s: %w", path, err)
		}
		maps.Copy(env.variables, variables)
	}
	return env, nil
}

// environmentFile reads lines NAME=value, whose values may be in quotes
// (systemd.exec(5)).
func environmentFile(text string) (map[string]string, error) {
	variables := map[string]string{}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue // as systemd does
		}
		if value = strings.TrimSpace(value); strings.HasPrefix(value, `"`) || strings.HasPrefix(value, "'") {
			all, err := words(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			value = strings.Join(all, " ")
		}
		variables[strings.TrimSpace(name)] = value
	}
	return variables, nil
}

// specifiers are the %-letters that can be told without asking systemd.
func (u *Unit) specifiers() map[byte]string {
	prefix := strings.TrimSuffix(u.Name, ".service")
	known := map[byte]string{'%': "%", 'n': u.Name, 'N': prefix, 'p': prefix, 't': "/run", 'S': "/var/lib", 'C': "/var/cache", 'L': "/var/log", 'E': "/etc"}
	if host := u.hostname(); host != "" {
		known['H'] = host
		known['l'], _, _ = strings.Cut(host, ".")
	}
	return known
}

func (u *Unit) hostname() string {
	if u.root != "" {
		data, err := os.ReadFile(filepath.Join(u.root, "etc/hostname"))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// notTaken are settings of a unit that a flag cannot carry over: what they do has to
// be done for khw-controller.service.
var notTaken = []string{"ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost", "User", "Environment", "EnvironmentFile"}

// leftBehind names what the unit has and khw-controller.service will not. Names of
// variables are told, values never.
func (u *Unit) leftBehind() []string {
	var notices []string
	for _, name := range notTaken {
		values := list(u.options, name)
		if name == "User" && slices.Equal(values, []string{"root"}) || len(values) == 0 {
			continue
		}
		notice := u.Name + ": " + name + "= is not taken over"
		switch name {
		case "User":
			notice += "; " + OwnUnit + " runs as " + User
		case "Environment", "EnvironmentFile":
			notice += " but for what ExecStart refers to; what the process itself needs of it goes into a drop-in of " + OwnUnit
		default:
			notice += "; what it does goes into a drop-in of " + OwnUnit
		}
		notices = append(notices, notice)
	}
	return notices
}
