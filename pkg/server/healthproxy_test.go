// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/activation"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lifecycle"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// asService makes this test binary be a service that was given a socket.
const asService = "KHW_TEST_HEALTH_PROXY"

func TestMain(m *testing.M) {
	if root := os.Getenv(asService); root != "" {
		serveTwice(root)
		return
	}
	os.Exit(m.Run())
}

// serveTwice runs the health proxy on the socket, and again after its end, as
// supervisor.WithRestart does. A run ends with a byte of its input, and then says
// so.
func serveTwice(root string) {
	socket, err := activation.Take()
	if err != nil || socket == nil {
		panic(err)
	}
	p, err := plan.New(context.Background(), &config.Config{Root: root, AdvertiseAddress: "192.0.2.10", HealthzBindAddress: socket.Address().String()})
	if err != nil {
		panic(err)
	}
	p.HealthSocket = socket
	for _, port := range p.Listeners() {
		if port.Flag == "--healthz-bind-address" {
			panic("systemd's own socket is checked for being taken")
		}
	}
	if err := p.GenerateMissing(); err != nil {
		panic(err)
	}
	for range 2 {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			defer cancel()
			if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
				panic(err)
			}
		}()
		if err := newHealthProxy(p, "", new(lifecycle.Readiness).NotReady, nil).Run(ctx, func(supervisor.State, string) {}); err != nil {
			panic(err)
		}
		fmt.Println("ended")
	}
}

func TestTheHealthProxyKeepsSystemdsSocketOverARestart(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // the service's is the only one now
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0"`, self)
	cmd.Env = append(os.Environ(), asService+"="+t.TempDir(), "LISTEN_FDS=1", "LISTEN_FDNAMES="+activation.Healthz)
	cmd.ExtraFiles = []*os.File{f}
	var out strings.Builder
	cmd.Stderr = &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	said := bufio.NewScanner(stdout)
	for run := range 2 {
		resp, err := client.Get("http://" + l.Addr().String() + "/healthz")
		if err != nil {
			t.Fatalf("run %d: %v; %s", run+1, err, &out)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("run %d answers %s", run+1, resp.Status)
		}
		if _, err := stdin.Write([]byte{'\n'}); err != nil {
			t.Fatal(err)
		}
		if !said.Scan() || said.Text() != "ended" {
			t.Fatalf("run %d: %q, %v; %s", run+1, said.Text(), said.Err(), &out)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, &out)
	}
}
