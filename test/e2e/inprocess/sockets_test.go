// SPDX-License-Identifier: Apache-2.0

package inprocess

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// balancer leads connections to a port of this machine, as a load balancer does.
type balancer struct{ connections atomic.Int32 }

// listen leads them to port until the test ends, and returns from where.
func (b *balancer) listen(t *testing.T, port int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go b.lead(client, fmt.Sprintf("127.0.0.1:%d", port))
		}
	}()
	return "https://" + l.Addr().String()
}

func (b *balancer) lead(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return // nobody is there yet
	}
	defer server.Close()
	b.connections.Add(1)
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client) // until either side has enough
	}()
	_, _ = io.Copy(client, server)
}

// established is a TCP connection's state in the kernel's list.
const established = "01"

// connections counts those of a process to a port of this machine.
func connections(pid, port int) (int, error) {
	own := map[string]bool{}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil { // it may be closed already
			own[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
		}
	}
	count := 0
	for _, list := range []string{"tcp", "tcp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, list))
		if err != nil {
			return 0, err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// number, local address, remote address, state, …, inode
			fields := strings.Fields(lines.Text())
			if len(fields) > 9 && fields[3] == established && strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", port)) && own[fields[9]] {
				count++
			}
		}
		if err := lines.Err(); err != nil {
			return 0, err
		}
	}
	return count, nil
}
