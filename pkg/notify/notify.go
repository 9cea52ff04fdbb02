// SPDX-License-Identifier: Apache-2.0

// Package notify tells the service manager how the service is doing
// (sd_notify(3)). Outside systemd every call does nothing.
package notify

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// socketVariable is where systemd names its socket.
const socketVariable = "NOTIFY_SOCKET"

// Notifier sends to one service manager. The zero value sends nothing.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// Take returns the Notifier for the socket in the environment, and takes it out
// of there: k8s.io/apiserver sends a READY=1 of its own when its port is open
// (k8s.io/apiserver/pkg/server/genericapiserver.go, NonBlockingRunWithContext), which is long before the service is ready,
// and unsets the variable for everybody.
//
// The watchdog's variables go with it: what they ask of this process they do not
// ask of its children.
func Take() Notifier {
	n := Notifier{socket: os.Getenv(socketVariable)}
	_ = os.Unsetenv(socketVariable) // fails for malformed names only
	// An interval that systemd would not write is none.
	n.watchdog, _ = daemon.SdWatchdogEnabled(true)
	return n
}

// Managed reports whether a service manager is there to be told.
func (n Notifier) Managed() bool { return n.socket != "" }

// WatchdogInterval is how long the service manager waits for Alive before it
// ends the service; 0 is for ever.
func (n Notifier) WatchdogInterval() time.Duration { return n.watchdog }

// Alive says to the service manager's watchdog that the service works.
func (n Notifier) Alive() { n.send(daemon.SdNotifyWatchdog) }

// Reloading says that the configuration is being read again. Ready ends it.
func (n Notifier) Reloading() { n.send(daemon.SdNotifyReloading, daemon.SdNotifyMonotonicUsec()) }

// Ready says that the service is up, and how it is.
func (n Notifier) Ready(status string) { n.send(daemon.SdNotifyReady, statusLine(status)) }

// Status says in one line how the service is.
func (n Notifier) Status(status string) { n.send(statusLine(status)) }

// Stopping says that the service has begun to stop, and how far it is.
func (n Notifier) Stopping(status string) { n.send(daemon.SdNotifyStopping, statusLine(status)) }

// ExtendTimeout asks for that much more time, from now on, to start or stop in.
func (n Notifier) ExtendTimeout(d time.Duration) {
	n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

func statusLine(s string) string { return "STATUS=" + strings.ReplaceAll(s, "\n", " ") }

// send sends assignments in one datagram. A service manager that cannot be
// reached is no reason for the service to do anything else.
func (n Notifier) send(assignments ...string) {
	if n.socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(strings.Join(assignments, "\n")))
}
