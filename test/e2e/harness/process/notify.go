// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// Notice is one sd_notify(3) assignment and when it came.
type Notice struct {
	Time       time.Time
	Key, Value string
}

// NotifySocket stands in for the service manager's: it keeps what it is told.
type NotifySocket struct {
	// Env is to be added to the environment of the process that notifies.
	Env string

	conn *net.UnixConn
	mu   sync.Mutex
	all  []Notice
}

// ListenNotify opens a notify socket at path.
func ListenNotify(path string) (*NotifySocket, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("opening a notify socket: %w", err)
	}
	s := &NotifySocket{Env: "NOTIFY_SOCKET=" + path, conn: conn}
	go s.read()
	return s, nil
}

// Close closes the socket. What was received can still be read.
func (s *NotifySocket) Close() { s.conn.Close() }

func (s *NotifySocket) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		now := time.Now()
		s.mu.Lock()
		for line := range strings.SplitSeq(string(buf[:n]), "\n") {
			if k, v, ok := strings.Cut(line, "="); ok {
				s.all = append(s.all, Notice{now, k, v})
			}
		}
		s.mu.Unlock()
	}
}

// All returns what was received, in order.
func (s *NotifySocket) All() []Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Notice(nil), s.all...)
}

// First returns the first assignment of key, value for which match is true.
func (s *NotifySocket) First(key string, match func(value string) bool) (Notice, bool) {
	for _, n := range s.All() {
		if n.Key == key && match(n.Value) {
			return n, true
		}
	}
	return Notice{}, false
}

// Last returns the last value of key, or "".
func (s *NotifySocket) Last(key string) string {
	last := ""
	for _, n := range s.All() {
		if n.Key == key {
			last = n.Value
		}
	}
	return last
}
