// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asChild is set in the environment of the children that receive hangups.
const asChild = "KHW_TEST_HANGUPS"

// TestMain has this test binary be a process that says on its descriptor 3 what it
// takes hangups for.
func TestMain(m *testing.M) {
	if os.Getenv(asChild) == "" {
		os.Exit(m.Run())
	}
	out := os.NewFile(3, "report")
	if os.Getenv(asChild) == "nohup" {
		signal.Ignore(syscall.SIGHUP)
	}
	outliveReaders()
	ctx, end := context.WithTimeout(context.Background(), time.Minute)
	reloads := hangups(ctx, end)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	fmt.Fprintln(out, "started")
	for {
		select {
		case <-reloads:
			fmt.Fprintln(os.Stdout, "a line")
			fmt.Fprintln(os.Stderr, "a line")
			fmt.Fprintln(out, "reloads")
		case <-ctx.Done():
			fmt.Fprintln(out, "ends")
			return
		case <-terminated:
			fmt.Fprintln(out, "terminated")
			return
		}
	}
}

// terminal opens a new pseudoterminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// child is a process that receives hangups.
type child struct {
	*exec.Cmd
	t    *testing.T
	says *bufio.Scanner
}

// start starts a child whose outputs nobody reads, at a terminal if that is not
// nil.
func start(t *testing.T, how string, tty *os.File) *child {
	t.Helper()
	// The tests may themselves be run under nohup, which is inherited.
	cmd := exec.Command("env", "--default-signal=HUP", os.Args[0])
	cmd.Env = append(os.Environ(), asChild+"="+how)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if tty != nil {
		cmd.Stdin, cmd.SysProcAttr.Setctty = tty, true
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	unread, lost, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = lost, lost, []*os.File{write}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{unread, lost, write} {
		f.Close()
	}
	c := &child{Cmd: cmd, t: t, says: bufio.NewScanner(read)}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		read.Close()
	})
	c.mustSay("started")
	return c
}

func (c *child) mustSay(want string) {
	c.t.Helper()
	c.says.Scan()
	if got := strings.TrimSpace(c.says.Text()); got != want {
		c.t.Fatalf("it says %q, want %q (%v)", got, want, c.says.Err())
	}
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

func TestATerminalThatClosesEndsIt(t *testing.T) {
	master, slave := terminal(t)
	c := start(t, "shell", slave)
	c.signal(syscall.SIGHUP)
	c.mustSay("reloads")
	master.Close()
	c.mustSay("ends")
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// ignoresHangups matches the state of a process that ignores the first signal.
var ignoresHangups = regexp.MustCompile(`(?m)^SigIgn:\t[0-9a-f]*[13579bdf]$`)

func TestNohupOutlivesItsTerminal(t *testing.T) {
	master, slave := terminal(t)
	c := start(t, "nohup", slave)
	if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid)); err != nil || !ignoresHangups.Match(state) {
		t.Errorf("SIGHUP is not ignored any more: %v, %s", err, state)
	}
	master.Close()
	c.signal(syscall.SIGHUP)
	c.signal(syscall.SIGTERM)
	c.mustSay("terminated")
}

func TestASignalWithoutATerminalReloads(t *testing.T) {
	c := start(t, "service", nil)
	for range 3 {
		c.signal(syscall.SIGHUP)
		c.mustSay("reloads")
	}
}
