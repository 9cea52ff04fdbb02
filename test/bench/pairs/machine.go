// SPDX-License-Identifier: Apache-2.0

package pairs

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// Machine is where it was measured.
type Machine struct {
	Cores    int    `json:"cores"`
	MemoryMB uint64 `json:"memoryMB"`
	Kernel   string `json:"kernel"`
	Arch     string `json:"arch"`
}

// String returns all of it in a few words.
func (m Machine) String() string {
	return fmt.Sprintf("%d cores, %d MB, Linux %s, %s", m.Cores, m.MemoryMB, m.Kernel, m.Arch)
}

func readMachine() (Machine, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return Machine{}, fmt.Errorf("sysinfo: %w", err)
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return Machine{}, fmt.Errorf("uname: %w", err)
	}
	return Machine{
		Cores:    runtime.NumCPU(),
		MemoryMB: info.Totalram * uint64(info.Unit) >> 20,
		Kernel:   unix.ByteSliceToString(name.Release[:]),
		Arch:     runtime.GOARCH,
	}, nil
}

// Versions are those of the programs.
type Versions struct {
	KHWController string `json:"khwController"`
	Kubernetes    string `json:"kubernetes"`
	Etcd          string `json:"etcd"`
	Go            string `json:"go"`
}

func readVersions(ctx context.Context) (Versions, error) {
	v := Versions{Go: runtime.Version()}
	for _, p := range []struct {
		version *string
		find    func() (string, error)
		arg     string
	}{
		{&v.KHWController, harness.Binary, "version"},
		{&v.Kubernetes, func() (string, error) { return harness.StockBinary("kube-apiserver") }, "--version"},
		{&v.Etcd, func() (string, error) { return harness.StockBinary("etcd") }, "--version"},
	} {
		path, err := p.find()
		if err != nil {
			return v, err
		}
		out, err := exec.CommandContext(ctx, path, p.arg).Output()
		if err != nil {
			return v, fmt.Errorf("%s %s: %w", path, p.arg, err)
		}
		*p.version, _, _ = strings.Cut(string(out), "\n")
	}
	return v, nil
}
