// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

// noCloud takes both metadata services away.
func noCloud(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
	t.Setenv("CLOUDSDK_CONFIG", t.TempDir()) // nor what gcloud is configured with
}

// run runs the command with a standard input that is no terminal.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := New()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetIn(strings.NewReader(""))
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestWrongUsage(t *testing.T) {
	noCloud(t)
	for says, args := range map[string]string{
		"say --cloud gcp or --cloud aws":                      "",
		"--cloud \"azure\" is not known":                      "--cloud azure",
		"--delete and --wait exclude":                         "--cloud aws --delete --wait",
		"--dry-run and --wait exclude":                        "--cloud aws --dry-run --wait",
		"--yes goes with --delete only":                       "--cloud aws --yes",
		"leave out --dry-run, --wait and --yes":               "--cloud aws --print-commands --dry-run",
		"leave out -o json":                                   "--cloud aws --print-commands -o json",
		"--load-balancer \"a_b\" is no name":                  "--cloud aws --load-balancer a_b",
		"--region \"virginia\" is no AWS region":              "--cloud aws --region virginia",
		"--idle-timeout 2h0m0s is not in whole seconds":       "--cloud aws --idle-timeout 2h",
		"--firewall-rule is for --cloud gcp, and this is aws": "status --cloud aws --firewall-rule mine",
		"--instances has to name":                             "--cloud aws --instances=",
		"--instances names controller-0 twice":                "--cloud aws --instances controller-0,controller-0",
		"--port 0 is not a port":                              "--cloud aws --port 0",
		"--network is for --cloud gcp, and this is aws":       "--cloud aws --network mine",
		"--profile is for --cloud aws, and this is gcp":       "--cloud gcp --profile lab",
		"--type \"backend-service\" is not known on aws; use": "--cloud aws --type backend-service",
		"--type \"nlb\" is not known on gcp; use":             "--cloud gcp --type nlb",
		"--subnet: \"=10.0.0.0/24\" has no name":              "--cloud aws --subnet =10.0.0.0/24",
		"--health-check-target: \"80\" is no target":          "--cloud aws --health-check-target 80",
		"--health-check-path: \"healthz\" is not a path":      "--cloud gcp --health-check-path healthz",
	} {
		out, err := run(t, strings.Fields(args)...)
		var usage cli.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), says) || out != "" {
			t.Errorf("%s: got %v and %q, want %q", args, err, out, says)
		}
	}
}

func TestPrintIAMPolicyNeedsNoCredentials(t *testing.T) {
	noCloud(t)
	for args, want := range map[string]string{
		"--cloud aws": "elasticloadbalancing:ConfigureHealthCheck",
		"--cloud aws --delete --create --type nlb":        "elasticloadbalancing:DeleteTargetGroup",
		"--cloud aws --prune":                             "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
		"--cloud aws --wait":                              "elasticloadbalancing:DescribeInstanceHealth",
		"status --cloud aws":                              "elasticloadbalancing:DescribeInstanceHealth",
		"--cloud aws --load-balancer api --region cn-x-1": "arn:aws-cn:elasticloadbalancing:cn-x-1:*:loadbalancer/api",
		"--cloud gcp":                                     "compute.targetPools.create",
		"--cloud gcp --type backend-service":              "compute.regionBackendServices.create",
	} {
		out, err := run(t, append(strings.Fields(args), "--print-iam-policy")...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, %q is not in\n%s", args, err, want, out)
		}
	}
	for _, args := range []string{"--cloud aws --dry-run", "--cloud aws --print-commands --create", "status --cloud aws"} {
		if out, err := run(t, append(strings.Fields(args), "--print-iam-policy")...); err != nil || strings.Contains(out, "Create") || strings.Contains(out, "Register") {
			t.Errorf("%s: %v, it changes something:\n%s", args, err, out)
		}
	}
}

// terminal returns the two ends of a pseudo-terminal: the user's and the
// program's.
func terminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return user, program
}

func TestConfirm(t *testing.T) {
	for answer, want := range map[string]error{"yes\n": nil, "no\n": errDeclined, "\n": errDeclined, "y\n": errDeclined, "yes please\n": errDeclined} {
		user, program := terminal(t)
		if _, err := user.WriteString(answer); err != nil {
			t.Fatal(err)
		}
		var asked bytes.Buffer
		if err := confirm(t.Context(), program, &asked, 3); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", answer, err, want)
		}
		if asked.String() != "Delete these 3? Type yes: " {
			t.Errorf("it asks %q", asked.String())
		}
	}
	var usage cli.UsageError
	if err := confirm(t.Context(), strings.NewReader("yes\n"), &bytes.Buffer{}, 3); !errors.As(err, &usage) || !strings.Contains(err.Error(), "add --yes") {
		t.Errorf("without a terminal: %v", err)
	}
}

// TestConfirmEndsWithTheFirstInterrupt, though nobody answers.
func TestConfirmEndsWithTheFirstInterrupt(t *testing.T) {
	_, program := terminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- confirm(ctx, program, io.Discard, 3) }()
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, errInterrupted) {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it still asks")
	}
}

// show has a progress show one run.
func show(p *progress) {
	s := lb.Step{Action: lb.Create, Kind: "listener", Name: "tcp/6443", Outcome: lb.Doing}
	p.onStep(s)
	s.Outcome = lb.Done
	p.onStep(s)
	late := lb.InstanceHealth{Name: "controller-0", State: "OutOfService", Ours: true}
	p.onHealth([]lb.InstanceHealth{late})
	p.onHealth([]lb.InstanceHealth{late})
	late.State, late.InService = "InService", true
	p.onHealth([]lb.InstanceHealth{late})
	p.close()
}

func TestProgress(t *testing.T) {
	var piped, notes bytes.Buffer
	show(newProgress(&piped, &notes, false))
	if want := "created listener tcp/6443\ncontroller-0 OutOfService\ncontroller-0 InService\n"; piped.String() != want || notes.Len() > 0 {
		t.Errorf("in a pipe it shows %q and notes %q, want %q", piped.String(), notes.String(), want)
	}
	piped.Reset()
	if show(newProgress(&piped, &notes, true)); piped.Len()+notes.Len() > 0 {
		t.Errorf("quietly it shows %q, %q", piped.String(), notes.String())
	}

	user, program := terminal(t)
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 20}); err != nil {
		t.Fatal(err)
	}
	show(newProgress(program, &notes, false))
	const wipe = "\r\x1b[K"
	want := wipe + "... create listener" + wipe + "created listener tcp/6443\r\n" +
		"controller-0 OutOfService\r\n" + wipe + "... waiting for con" + wipe + "... waiting for con" + wipe + "controller-0 InService\r\n"
	if got := read(t, user, len(want)); got != want {
		t.Errorf("on a terminal it shows %q, want %q", got, want)
	}
}

// read reads as much from a terminal.
func read(t *testing.T, user *os.File, length int) string {
	t.Helper()
	got := make([]byte, 0, length)
	if err := user.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for len(got) < length {
		buffer := make([]byte, 1024)
		n, err := user.Read(buffer)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got = append(got, buffer[:n]...)
	}
	return string(got)
}

// TestSilenceIsBroken by saying what is waited for, and for how long.
func TestSilenceIsBroken(t *testing.T) {
	var out, notes bytes.Buffer
	p := newProgress(&out, &notes, false)
	defer p.close()
	start := time.Now()
	at := func(after time.Duration) string {
		notes.Reset()
		p.remind(start.Add(after))
		return notes.String()
	}
	if said := at(time.Minute); said != "" {
		t.Errorf("with nothing to wait for it says %q", said)
	}
	p.doing("ec2:DescribeVpcs")
	p.doing("ec2:DescribeVpcs, attempt 2")
	if said := at(time.Second); said != "" {
		t.Errorf("after a second it says %q", said)
	}
	if said := at(silence); said != "... ec2:DescribeVpcs, attempt 2, 4 s\n" && said != "... ec2:DescribeVpcs, attempt 2, 3 s\n" {
		t.Errorf("after a while it says %q", said)
	}
	p.onStep(lb.Step{Action: lb.Delete, Kind: "security group", Name: "a", Outcome: lb.Doing})
	p.doing("ec2:DeleteSecurityGroup")
	if said := at(2*silence + time.Second); !strings.HasPrefix(said, "... delete security group a: ec2:DeleteSecurityGroup, ") {
		t.Errorf("in a step it says %q", said)
	}
	p.pause()
	if said := at(time.Hour); said != "" || out.Len() > 0 {
		t.Errorf("during a question it says %q", said)
	}
}

// TestATerminalIsDrawnAnew with what is waited for.
func TestATerminalIsDrawnAnew(t *testing.T) {
	user, program := terminal(t)
	p := newProgress(program, io.Discard, false)
	defer p.close()
	p.doing("ec2:DescribeVpcs")
	p.remind(time.Now().Add(time.Minute))
	const want = "\r\x1b[K... ec2:DescribeVpcs, "
	if got := read(t, user, len(want)); !strings.HasPrefix(got, want) {
		t.Errorf("it draws %q, want %q", got, want)
	}
}
