// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// clock sets the clocks of a node's processes.
func (n *node) clock(ahead time.Duration) func() {
	n.Helper()
	var undo []func() error
	for _, v := range n.services() {
		back, err := process.SetClock(v.pid(), ahead)
		n.Must(err)
		undo = append(undo, back)
	}
	return func() {
		for _, back := range undo {
			if err := back(); err != nil { // of a process that has ended
				n.Logf("%s: its clock: %v", n.Name, err)
			}
		}
	}
}

// percent of one core is what a slow node has.
const percent = 20

// slow leaves a node's processes that much of a core, together.
func (n *node) slow() func() {
	n.Helper()
	group, quota := "", ""
	const period = 100_000 // microseconds
	limit := strconv.Itoa(period * percent / 100)
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		n.Must(os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+cpu"), 0))
		group, quota, limit = "/sys/fs/cgroup", "cpu.max", fmt.Sprintf("%s %d", limit, period)
	} else {
		group, quota = "/sys/fs/cgroup/cpu", "cpu.cfs_quota_us"
	}
	group = filepath.Join(group, filepath.Base(n.Dir)+"-"+n.Name)
	n.Must(os.MkdirAll(group, 0o755))
	n.Must(os.WriteFile(filepath.Join(group, quota), []byte(limit), 0))
	move := func(to string) {
		for _, v := range n.services() {
			if err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(strconv.Itoa(v.pid())), 0); err != nil {
				n.Logf("%s: moving %s: %v", n.Name, v.called, err)
			}
		}
	}
	move(group)
	return func() {
		move(filepath.Dir(group))
		n.Eventually("the control group to be empty", func(context.Context) error { return os.Remove(group) })
	}
}

// diskSize holds etcd's data of these scenarios, with room for some more: six files of
// the WAL of 64 MB each, and what stock etcd repairs after it has run out of room.
const diskSize = "1g"

// disk is where a member's data are for a while: a small file system in a mount
// namespace, which goes with the process that holds it.
type disk struct {
	*node
	holder *process.Process
}

// smallDisk gives the leader's member a disk of its own.
func smallDisk(s *site) func() {
	s.Helper()
	n := s.leader()
	v := n.member()
	v.stop()
	d := &disk{node: n}
	d.holder = s.Start(fmt.Sprintf("disk-%d", s.served), process.Spec{
		Path: "/usr/bin/unshare",
		Args: []string{"--mount", "--propagation=slave", "/bin/sh", "-ec",
			`cp -a "$0" "$0.before"; mount -t tmpfs -o size="$1",mode=700 tmpfs "$0"; cp -a "$0.before/." "$0"; rm -r "$0.before"; echo up; exec sleep infinity`,
			n.Etcd(), diskSize},
	})
	s.await("a small disk", func(context.Context) error {
		if d.holder.Tail(1) != "up" {
			return errors.New(d.holder.Tail(3))
		}
		return nil
	})
	v.under = []string{"/usr/bin/nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", d.holder.PID())}
	v.start()
	s.disk = d
	return func() {
		v.stop()
		after := n.Etcd() + ".after"
		if out, err := exec.CommandContext(n.Context(), "cp", "-a", d.inside(n.Etcd()), after).CombinedOutput(); err != nil {
			n.Fatalf("%v: %s", err, out)
		}
		n.Must(os.RemoveAll(n.Etcd()))
		n.Must(os.Rename(after, n.Etcd()))
		d.holder.Kill()
		v.under = nil
		v.start()
	}
}

// inside is a path as the mount namespace has it.
func (d *disk) inside(path string) string {
	return fmt.Sprintf("/proc/%d/root%s", d.holder.PID(), path)
}

// fillDisk leaves nothing of the small disk, on whose node etcd leads, and has somebody
// write until more would be needed.
func fillDisk(s *site) func() {
	s.Helper()
	d := s.disk
	s.await("etcd to lead on "+d.Name, func(ctx context.Context) error { return s.leadEtcd(ctx, d.node) })
	path := filepath.Join(d.inside(d.Etcd()), "fill")
	f, err := os.Create(path)
	s.Must(err)
	defer f.Close()
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	writeMuch := s.writeMuch()
	return func() {
		writeMuch()
		s.Must(os.Remove(path))
	}
}

// slowDisk has every fsync of the leader's member take half a second more, by
// strace, under which it is started anew, and without which again. It leads then, where
// it answers at all.
func slowDisk(s *site) func() {
	s.Helper()
	n := s.leader()
	v := n.member()
	v.stop()
	v.traced = true
	v.under = []string{"/usr/bin/strace", "--follow-forks", "--seccomp-bpf", "--quiet=all", "--output=/dev/null",
		"--trace=fsync,fdatasync", "--inject=fsync,fdatasync:delay_exit=500000"}
	v.start()
	// It may be behind all the time: each lease that runs out costs it a commit, which is
	// two fsyncs and more.
	ctx, cancel := context.WithTimeout(s.Context(), bound)
	defer cancel()
	if err := process.WaitFor(ctx, time.Second, "the member with a slow disk to answer", func(ctx context.Context) error {
		s.tend()
		return n.hasQuorum(ctx)
	}); err != nil {
		s.Logf("%s is behind: %v", n.Name, err)
	} else if err := s.leadEtcd(s.Context(), n); err != nil {
		s.Logf("%s: it does not lead: %v", n.Name, err)
	}
	return func() {
		v.stop()
		v.traced, v.under = false, nil
		v.start()
	}
}

// coldStart starts all controllers while there is no etcd.
func coldStart(s *site) func() {
	s.Helper()
	var members []*service
	for _, n := range s.nodes {
		stop(n)
		members = append(members, n.etcd)
	}
	for _, m := range members {
		m.kill()
	}
	for _, n := range s.nodes {
		start(n.control)
	}
	return func() { start(members) }
}

// toxiproxy is a proxy that delays, as a process of a group of its own.
func toxiproxy(s *site) process.Spec {
	s.Helper()
	host, port, _ := strings.Cut(proxyControl, ":")
	return process.Spec{Path: "/usr/bin/setpriv", Args: []string{
		fmt.Sprintf("--regid=%d", proxyGroup), "--clear-groups", s.StockBinary("toxiproxy"), "-host", host, "-port", port,
	}}
}
