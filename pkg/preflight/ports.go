// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// checkPorts tries to listen where the components will, everywhere at once.
func checkPorts(in Input) []Finding {
	var found []Finding
	var listening []Value
	for _, p := range in.Ports {
		l, err := net.Listen("tcp", p.Value)
		if err != nil {
			found = append(found, explainPort(p, err, listening)...)
			continue
		}
		defer l.Close()
		listening = append(listening, p)
	}
	return found
}

// samePort returns which of others has p's port.
func samePort(p Value, others []Value) (same Value, ok bool) {
	_, port, err := net.SplitHostPort(p.Value)
	if err != nil || port == "0" {
		return Value{}, false
	}
	for _, o := range others {
		if _, other, err := net.SplitHostPort(o.Value); err == nil && other == port {
			return o, true
		}
	}
	return Value{}, false
}

func explainPort(p Value, err error, ours []Value) []Finding {
	same, isOurs := samePort(p, ours)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && isOurs:
		return failure(p.Value, "is wanted by "+same.Flag+" too", "move one of the two with "+p.Flag+" or "+same.Flag)
	case errors.Is(err, syscall.EADDRINUSE):
		by, fix := explainOwner(portOwner(p.Value))
		return failure(p.Value, "is taken"+by, fix+", or move the port with "+p.Flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return failure(p.Value, "is not an address of this machine", "correct "+p.Flag)
	case errors.Is(err, syscall.EACCES):
		return failure(p.Value, "needs the right to use ports below 1024", "run as root or with CAP_NET_BIND_SERVICE, or move the port with "+p.Flag)
	}
	return failure(p.Value, "cannot be listened on: "+oneLine(err.Error()), "correct "+p.Flag)
}

// explainOwner says who has a port, and how it becomes free.
func explainOwner(owner string) (by, fix string) {
	switch owner {
	case "":
		return "", "stop what listens there"
	case "systemd (process 1)":
		return " by " + owner, "if that is khw-controller.socket, systemctl start khw-controller takes it over; else stop the socket unit"
	}
	return " by " + owner, "stop it"
}

// portOwner names the process that listens on a port, if /proc tells.
func portOwner(address string) string {
	_, portText, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return ""
	}
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for _, inode := range listening(string(data), port) {
			inodes["socket:["+inode+"]"] = true
		}
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	if err != nil || len(inodes) == 0 {
		return ""
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && inodes[target] {
			return processName(strings.Split(fd, "/")[2])
		}
	}
	return ""
}

// tcpListen is the state of a listening socket in /proc/net/tcp.
const tcpListen = "0A"

// listening returns the inodes of the sockets in a /proc/net/tcp table that
// listen on port.
func listening(table string, port int) []string {
	var inodes []string
	suffix := fmt.Sprintf(":%04X", port)
	for _, line := range strings.Split(table, "\n") {
		f := strings.Fields(line)
		if len(f) > 9 && f[3] == tcpListen && strings.HasSuffix(f[1], suffix) {
			inodes = append(inodes, f[9])
		}
	}
	return inodes
}

func processName(pid string) string {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		return "process " + pid
	}
	return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
}
