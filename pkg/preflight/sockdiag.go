// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/machine"
)

// From linux/inet_diag.h.
const (
	sizeofInetDiagReqV2 = 56
	sizeofInetDiagMsg   = 72
	inetDiagCgroupID    = 21 // since Linux 5.8
)

// listenerControlGroup returns the control group of a socket that listens on
// port, as a path below the root of the control groups, or "". It needs no
// right to look into the process that has the socket.
func listenerControlGroup(port uint16) string {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		messages, err := listeners(family)
		if err != nil {
			continue
		}
		for _, m := range messages {
			if id := groupOf(m.Data, port); id != 0 {
				return controlGroup(id)
			}
		}
	}
	return ""
}

// listeners asks the kernel for all listening TCP sockets of an address family
// (sock_diag(7)).
func listeners(family uint8) ([]syscall.NetlinkMessage, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, listRequest(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var all []syscall.NetlinkMessage
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return nil, err
		}
		// The messages refer to the bytes that they were parsed from.
		messages, err := syscall.ParseNetlinkMessage(append([]byte(nil), buf[:n]...))
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return all, nil
			case unix.NLMSG_ERROR:
				return nil, errors.New("the kernel does not list sockets")
			}
			all = append(all, m)
		}
	}
}

// listRequest is a nlmsghdr followed by an inet_diag_req_v2.
func listRequest(family uint8) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+sizeofInetDiagReqV2)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b[unix.SizeofNlMsghdr] = family
	b[unix.SizeofNlMsghdr+1] = unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+4:], 1<<tcpListen)
	return b
}

// groupOf returns the id of the control group of the socket that an
// inet_diag_msg describes, or 0 when it listens on another port or the kernel
// does not say.
func groupOf(message []byte, port uint16) uint64 {
	if len(message) < sizeofInetDiagMsg || binary.BigEndian.Uint16(message[4:]) != port {
		return 0
	}
	for attrs := message[sizeofInetDiagMsg:]; len(attrs) >= unix.SizeofRtAttr; {
		size, kind := int(binary.NativeEndian.Uint16(attrs)), binary.NativeEndian.Uint16(attrs[2:])
		if size < unix.SizeofRtAttr || size > len(attrs) {
			return 0
		}
		if value := attrs[unix.SizeofRtAttr:size]; kind == inetDiagCgroupID && len(value) == int(unsafe.Sizeof(uint64(0))) {
			return binary.NativeEndian.Uint64(value)
		}
		attrs = attrs[min((size+3)&^3, len(attrs)):]
	}
	return 0
}

// controlGroup returns the control group with an id, which is the number of its
// directory's inode.
func controlGroup(id uint64) string {
	for _, root := range machine.ControlGroupRoots {
		found := ""
		// A group that goes away meanwhile is not the one looked for.
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil
			}
			var st unix.Stat_t
			if unix.Stat(path, &st) == nil && st.Ino == id && onControlGroups(path) {
				found = path[len(root):]
				return filepath.SkipAll
			}
			return nil
		})
		if found != "" {
			return found
		}
	}
	return ""
}

// onControlGroups reports whether a directory is one of version 2.
func onControlGroups(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
}
