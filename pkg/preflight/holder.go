// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// holder is who listens on a port, as far as can be told.
type holder struct {
	pid  string
	name string // the process's
	unit string // the systemd service, without its suffix
	// systemd tells that it is systemd itself, for a socket unit.
	systemd bool
}

// String completes "is taken".
func (h holder) String() string {
	who := ""
	switch {
	case h.systemd:
		who = " by a socket unit of systemd"
	case h.unit != "" && h.pid != "":
		who = fmt.Sprintf(" by %s (process %s of %s.service)", h.name, h.pid, h.unit)
	case h.unit != "":
		who = " by " + h.unit + ".service"
	case h.pid != "":
		who = fmt.Sprintf(" by %s (process %s)", h.name, h.pid)
	}
	return who
}

// fix says how to free the port.
func (h holder) fix() string {
	switch {
	case h.systemd:
		return "stop that unit (`systemctl list-sockets` names it)"
	case h.unit != "":
		return "stop it: systemctl disable --now " + h.unit
	case h.pid != "":
		return "stop it"
	}
	return "stop what listens there (`ss -ltnp` as root names it)"
}

// holderOf finds out who listens on the port of an address. Who may look into
// other users' processes finds the process; anybody finds the systemd service,
// by the control group that the kernel tells of every socket.
func holderOf(address string) holder {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return holder{}
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return holder{}
	}
	if pid := listenerProcess(uint16(port)); pid != "" {
		return ofProcess(pid)
	}
	group := listenerControlGroup(uint16(port))
	if group == "" {
		return holder{}
	}
	return holder{unit: unitOf(group), systemd: group == systemdGroup}
}

// systemdGroup is the control group of systemd itself, the first process.
const systemdGroup = "/init.scope"

// listenerProcess returns the id of a process that listens on port, if this
// user may see its files.
func listenerProcess(port uint16) string {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		data, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for _, inode := range listening(string(data), port) {
			sockets["socket:["+inode+"]"] = true
		}
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	if err != nil || len(sockets) == 0 {
		return ""
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && sockets[target] {
			return strings.Split(fd, "/")[2]
		}
	}
	return ""
}

// tcpListen is the state of a listening socket, in /proc/net/tcp and elsewhere.
const tcpListen = 10

// listening returns the inodes of the sockets in a /proc/net/tcp table that
// listen on port.
func listening(table string, port uint16) []string {
	var inodes []string
	suffix, state := fmt.Sprintf(":%04X", port), fmt.Sprintf("%02X", tcpListen)
	for line := range strings.SplitSeq(table, "\n") {
		f := strings.Fields(line)
		if len(f) > 9 && f[3] == state && strings.HasSuffix(f[1], suffix) {
			inodes = append(inodes, f[9])
		}
	}
	return inodes
}

// ofProcess names a process and its service. A process that has gone meanwhile
// has an id only.
func ofProcess(pid string) holder {
	h := holder{pid: pid, name: "process " + pid, systemd: pid == "1"}
	if name, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil {
		h.name = strings.TrimSpace(string(name))
	}
	groups, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return h
	}
	for line := range strings.SplitSeq(strings.TrimSpace(string(groups)), "\n") {
		// Such as 0::/system.slice/nginx.service; systemd's own hierarchy, of
		// whichever version, is the one that has units in it.
		if f := strings.SplitN(line, ":", 3); len(f) == 3 && h.unit == "" {
			h.unit = unitOf(f[2])
		}
	}
	return h
}

// unitOf returns the systemd service that a control group belongs to, without
// its suffix, or "". A user's own services are not to be stopped by root's
// systemctl.
func unitOf(group string) string {
	for dir := group; dir != "/" && dir != "." && dir != ""; dir = path.Dir(dir) {
		if unit, ok := strings.CutSuffix(path.Base(dir), ".service"); ok && !strings.Contains(group, "/user.slice/") {
			return unit
		}
	}
	return ""
}
