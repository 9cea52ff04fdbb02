// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Service is our own unit: what it would start, and as whom.
type Service struct{ unit Unit }

// ReadService reads it.
func ReadService(ctx context.Context, source Source, root string) (*Service, error) {
	u, err := source.Unit(ctx, OwnUnit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: is not installed; install the package, which brings it", OwnUnit)
	}
	if err == nil {
		err = u.read(root)
	}
	if err == nil && (len(u.argv) == 0 || u.argv[0] != "run") {
		err = fmt.Errorf("%s: ExecStart does not start khw-controller run", u.where())
	}
	return &Service{u}, err
}

// User is whom it runs as.
func (s *Service) User() string { return cmp.Or(last(s.unit.options, "User"), "root") }

// Flags are those that it gives to run.
func (s *Service) Flags() []string { return s.unit.argv[1:] }

// surroundings are the settings of a unit that decide what a process may do and see.
var surroundings = []string{
	"User", "Group", "SupplementaryGroups", "UMask", "LimitNOFILE", "Environment", "EnvironmentFile",
	"RuntimeDirectory", "StateDirectory", "StateDirectoryMode", "LogsDirectory", "LogsDirectoryMode",
	"AmbientCapabilities", "CapabilityBoundingSet", "NoNewPrivileges",
	"ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "BindPaths", "BindReadOnlyPaths",
	"ProtectSystem", "ProtectHome", "PrivateTmp", "ProtectProc",
}

// Command is a command line that runs a command of the service's program as the
// service runs: its user, its rights, what it sees of the file system.
func (s *Service) Command(args ...string) []string {
	line := []string{"systemd-run", "--quiet", "--pipe", "--wait", "--collect"}
	for _, o := range s.unit.options {
		if o.section == service && slices.Contains(surroundings, o.name) {
			line = append(line, "--property="+o.name+"="+o.value)
		}
	}
	line = append(line, "--", s.unit.Program)
	// A $ would be expanded once more, where systemd is old enough.
	for _, arg := range slices.Concat(args, s.Flags()) {
		line = append(line, strings.ReplaceAll(arg, "$", "$$"))
	}
	return line
}
