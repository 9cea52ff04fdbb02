// SPDX-License-Identifier: Apache-2.0

// Package machine boots whole machines for scenarios: Debian with systemd in
// containers (systemd-nspawn), joined by a bridge. Every network interface,
// address and mount is in a namespace that a process of the test holds; they go
// with the processes, whatever becomes of the test. It takes root.
package machine
