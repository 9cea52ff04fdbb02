// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports that are handed out are below those that the kernel gives to connections
// (net.ipv4.ip_local_port_range), so that none takes one before who is to listen
// there is started.
const (
	firstPort = 20000
	lastPort  = 32000
)

// next is where the search for free ports goes on: no port is handed out twice.
var next = struct {
	sync.Mutex
	port int
}{port: firstPort + rand.IntN(lastPort-firstPort)}

// FreePorts returns n ports of 127.0.0.1 that nobody listens on, and that were not
// returned before.
func FreePorts(n int) ([]int, error) {
	next.Lock()
	defer next.Unlock()
	var ports []int
	for range lastPort - firstPort {
		if len(ports) == n {
			return ports, nil
		}
		port := next.port
		next.port++
		if next.port == lastPort {
			next.port = firstPort
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("fewer than %d of the ports from %d to %d are free", n, firstPort, lastPort)
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
