// SPDX-License-Identifier: Apache-2.0

package lbaws

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// maxSilence is the longest time without a word.
const maxSilence = 5 * time.Second

// TestHangingEndpoint never answers: that is said before anyone wonders, and the
// first interrupt ends it.
func TestHangingEndpoint(t *testing.T) {
	e := harness.New(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	e.Must(err)
	defer listener.Close()
	ctx, cancel := context.WithTimeout(e.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Binary(), "lb", "--cloud", "aws", "--region", "us-east-1")
	a := account{moto: &moto{Env: e, endpoint: "http://" + listener.Addr().String()}, region: "us-east-1", key: "test", token: "test"}
	cmd.Env = a.environment()
	errOut, err := cmd.StderrPipe()
	e.Must(err)
	started := time.Now()
	e.Must(cmd.Start())
	lines := bufio.NewReader(errOut)
	for _, want := range []string{"... ", "... "} {
		line, err := lines.ReadString('\n')
		if silent := time.Since(started); err != nil || silent > maxSilence || !strings.HasPrefix(line, want) {
			t.Errorf("after %s of silence it says %q, %v", silent, line, err)
		}
		started = time.Now()
	}
	e.Must(cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(lines)
	e.Must(err)
	if err := cmd.Wait(); err == nil || !strings.Contains(string(rest), "was interrupted") {
		t.Errorf("it ends with %v after %s", err, rest)
	}
}
