// SPDX-License-Identifier: Apache-2.0

// Package crash leaves a report of an end that nothing could prevent: a panic
// on a goroutine that is nobody's to guard, a runtime error, or a library that
// insists on leaving the process.
package crash

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// keep is how many reports are kept.
const keep = 5

// Reporter writes reports to one file. After an orderly run there is none.
type Reporter struct {
	path string
	file *os.File
}

// Enable has the runtime write its last words to path (0600) from now on. A
// report that is there already must have been taken away with Previous.
func Enable(path string) (*Reporter, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		f.Close()
		return nil, err
	}
	return &Reporter{path: path, file: f}, nil
}

// Record writes a report of an end that is about to happen.
func (r *Reporter) Record(reason string, stack []byte) error {
	_, err := fmt.Fprintf(r.file, "%s\n\ntime: %s\n\n%s\n", reason, time.Now().Format(time.RFC3339), stack)
	return errors.Join(err, r.file.Sync())
}

// Close ends the reporting and removes the file when it is empty.
func (r *Reporter) Close() error {
	err := debug.SetCrashOutput(nil, debug.CrashOptions{})
	info, statErr := r.file.Stat()
	err = errors.Join(err, statErr, r.file.Close())
	if statErr == nil && info.Size() == 0 {
		err = errors.Join(err, os.Remove(r.path))
	}
	return err
}

// Previous looks for a report that an earlier run left at path. It returns its
// first line and moves it to a name of its own, which it returns too; older
// reports beyond the newest five go.
func Previous(path string) (summary, report string, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	if info.Size() == 0 {
		return "", "", nil
	}
	summary, err = Summary(path)
	if err != nil {
		return "", "", err
	}
	report = path + "." + info.ModTime().UTC().Format("20060102T150405.000")
	if err := os.Rename(path, report); err != nil {
		return "", "", err
	}
	return summary, report, prune(path)
}

// Summary returns the reason that the report at path gives, or "" where there is
// no report.
func Summary(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if line := strings.TrimSpace(s.Text()); line != "" {
			return line, nil
		}
	}
	return "", s.Err()
}

func prune(path string) error {
	reports, err := filepath.Glob(path + ".*")
	if err != nil {
		return err
	}
	slices.Sort(reports)
	for len(reports) > keep {
		if err := os.Remove(reports[0]); err != nil {
			return err
		}
		reports = reports[1:]
	}
	return nil
}
