// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"net"
)

// FreePorts returns n ports of 127.0.0.1 that nobody listens on.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		// All stay open until the last is found, so that no two are the same.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// Listening reports whether somebody listens on a port of 127.0.0.1.
func Listening(port int) bool {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// HostAddress returns the address of this machine that its default route leaves
// from. Nothing is sent.
func HostAddress() (net.IP, error) {
	conn, err := net.Dial("udp", "198.51.100.1:9")
	if err != nil {
		return nil, fmt.Errorf("no default route, and with it no address to advertise; add one with ip route add default: %w", err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).IP, nil
}
