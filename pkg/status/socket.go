// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxSocketPath is how long a socket's path may be for bind and connect, in bytes:
// unix(7) has room for 108 with the zero at the end.
const maxSocketPath = 107

// withShort calls use with a path of the socket at path that bind and connect take:
// in a directory that is deep down it goes by that directory's descriptor, which is
// open meanwhile.
func withShort(path string, use func(short string) error) error {
	if len(path) <= maxSocketPath {
		return use(path)
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	defer unix.Close(fd)
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path)))
}

// listener removes its socket by the path that it really has.
type listener struct {
	*net.UnixListener
	path string
}

// Close removes the socket and ends the listening.
func (l *listener) Close() error {
	_ = os.Remove(l.path) // gone already when it is closed twice
	return l.UnixListener.Close()
}

func listenUnix(path string) (net.Listener, error) {
	l := &listener{path: path}
	err := withShort(path, func(short string) (err error) {
		l.UnixListener, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return l, nil
}

func dialUnix(ctx context.Context, path string) (conn net.Conn, err error) {
	err = withShort(path, func(short string) (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", short)
		return err
	})
	return conn, err
}
