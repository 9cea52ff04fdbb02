// SPDX-License-Identifier: Apache-2.0

// Package activation takes the socket that systemd may listen on in our stead
// (sd_listen_fds(3)): with it, port 80 needs no privilege and is open before the
// service is started and while it is started again.
package activation

import (
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// Healthz is the name (FileDescriptorName=) of the socket for health checks.
const Healthz = "healthz"

// unit is the file that people correct.
const unit = "khw-controller.socket"

// Socket is a listening TCP socket that systemd made.
type Socket struct {
	file    *os.File
	address net.Addr
}

// Take returns the socket for health checks, or nil when none was passed, and
// takes systemd's variables out of the environment. Any other socket is an error:
// nobody would ever answer there.
func Take() (*Socket, error) {
	files := activation.Files(true)
	if len(files) == 0 {
		return nil, nil
	}
	if len(files) > 1 || files[0].Name() != Healthz {
		return nil, fmt.Errorf("systemd passed %s; want one socket with FileDescriptorName=%s and one ListenStream= in %s", list(files), Healthz, unit)
	}
	s := &Socket{file: files[0]}
	listens, err := unix.GetsockoptInt(int(s.file.Fd()), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 {
		return nil, fmt.Errorf("the socket %s that systemd passed does not listen; write ListenStream=80 and no Accept=yes into %s", Healthz, unit)
	}
	l, err := s.Listen()
	if err != nil {
		return nil, fmt.Errorf("the socket %s that systemd passed cannot be used: %w", Healthz, err)
	}
	defer l.Close()
	if s.address = l.Addr(); s.address.Network() != "tcp" {
		return nil, fmt.Errorf("the socket %s that systemd passed is %s, which is no TCP port; write ListenStream=80 into %s", Healthz, s.address, unit)
	}
	return s, nil
}

func list(files []*os.File) string {
	var names []string
	for _, f := range files {
		names = append(names, fmt.Sprintf("%q", f.Name()))
	}
	return "the sockets " + strings.Join(names, ", ")
}

// Address returns where the socket listens.
func (s *Socket) Address() net.Addr { return s.address }

// Listen returns a new listener on the socket. The socket outlives it: until the
// next one is there, connections wait in the kernel and are not refused.
func (s *Socket) Listen() (net.Listener, error) { return net.FileListener(s.file) }
