// SPDX-License-Identifier: Apache-2.0

// Package notify tells the service manager how the service is doing
// (sd_notify(3)). Outside systemd every call does nothing.
package notify

import (
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready says that the service is up, and how it is.
func Ready(status string) { send(daemon.SdNotifyReady, statusLine(status)) }

// Status says in one line how the service is.
func Status(status string) { send(statusLine(status)) }

// Stopping says that the service has begun to stop, and how far it is.
func Stopping(status string) { send(daemon.SdNotifyStopping, statusLine(status)) }

// ExtendTimeout asks for that much more time, from now on, to start or stop in.
func ExtendTimeout(d time.Duration) { send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds())) }

func statusLine(s string) string { return "STATUS=" + strings.ReplaceAll(s, "\n", " ") }

// send sends assignments in one datagram. A service manager that cannot be
// reached is no reason for the service to do anything else.
func send(assignments ...string) {
	_, _ = daemon.SdNotify(false, strings.Join(assignments, "\n"))
}
