// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/coreos/go-systemd/v22/dbus"
)

// Manager is the service manager, as far as it is needed to put one unit in the
// place of others.
type Manager interface {
	Source
	Start(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	Reload(ctx context.Context, name string) error
	Enable(ctx context.Context, name string) error
	Disable(ctx context.Context, name string) error
}

// Systemd is the one that runs here.
type Systemd struct{ conn *dbus.Conn }

// ConnectSystemd connects to it; it takes root.
func ConnectSystemd(ctx context.Context) (*Systemd, error) {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking systemd: %w", err)
	}
	return &Systemd{conn}, nil
}

// Close ends the connection.
func (s *Systemd) Close() { s.conn.Close() }

// Unit asks for a unit's files and states.
func (s *Systemd) Unit(ctx context.Context, name string) (Unit, error) {
	u := Unit{Name: name}
	properties, err := s.conn.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return u, fmt.Errorf("asking systemd for %s: %w", name, err)
	}
	load, _ := properties["LoadState"].(string)
	switch load {
	case "loaded":
	case "not-found":
		return u, &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
	case "masked":
		return u, fmt.Errorf("%s is masked; systemctl unmask %s", name, name)
	default:
		return u, fmt.Errorf("%s is %s; see systemctl status %s", name, load, name)
	}
	u.Path, _ = properties["FragmentPath"].(string)
	u.DropIns, _ = properties["DropInPaths"].([]string)
	u.Active, _ = properties["ActiveState"].(string)
	u.Enabled, _ = properties["UnitFileState"].(string)
	if changed, _ := properties["NeedDaemonReload"].(bool); changed {
		return u, fmt.Errorf("%s: its files are not what systemd has loaded; systemctl daemon-reload", name)
	}
	return u, nil
}

// job waits for the end of a job that begin starts.
func job(ctx context.Context, what, name string, begin func(ctx context.Context, name, mode string, done chan<- string) (int, error)) error {
	done := make(chan string, 1)
	if _, err := begin(ctx, name, "replace", done); err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s %s: %w", what, name, context.Cause(ctx))
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("%s %s: the result is %q; see journalctl --unit=%s", what, name, result, name)
		}
	}
	return nil
}

// Start starts a unit and returns when it is up.
func (s *Systemd) Start(ctx context.Context, name string) error {
	return job(ctx, "starting", name, s.conn.StartUnitContext)
}

// Stop stops a unit and returns when it has ended. One that has failed is so no
// more.
func (s *Systemd) Stop(ctx context.Context, name string) error {
	if err := job(ctx, "stopping", name, s.conn.StopUnitContext); err != nil {
		return err
	}
	// There is nothing to reset where nothing has failed.
	_ = s.conn.ResetFailedUnitContext(ctx, name)
	return nil
}

// Reload has a unit that runs read its files again.
func (s *Systemd) Reload(ctx context.Context, name string) error {
	return job(ctx, "reloading", name, s.conn.ReloadUnitContext)
}

// Enable has a unit start at boot.
func (s *Systemd) Enable(ctx context.Context, name string) error {
	if _, _, err := s.conn.EnableUnitFilesContext(ctx, []string{name}, false, false); err != nil {
		return fmt.Errorf("enabling %s: %w", name, err)
	}
	return s.conn.ReloadContext(ctx)
}

// Disable has it not do so.
func (s *Systemd) Disable(ctx context.Context, name string) error {
	if _, err := s.conn.DisableUnitFilesContext(ctx, []string{name}, false); err != nil {
		return fmt.Errorf("disabling %s: %w", name, err)
	}
	return s.conn.ReloadContext(ctx)
}
