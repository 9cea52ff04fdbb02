// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/khw-controller/khw-controller/pkg/verify"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// loadBalancers goes through load balancers that are as they should be, and some
// that are not.
func loadBalancers(c *harness.Controller) {
	c.Helper()
	apiServer := fmt.Sprintf("127.0.0.1:%d", c.Ports.APIServer)
	good, misnamed := balance(c, "127.0.0.1:0", apiServer), balance(c, "127.0.0.2:0", apiServer)
	if r := steps(c, "--address", good)["version"]; r.Outcome != verify.Passed {
		c.Errorf("through a load balancer: %+v", r)
	}
	empty := balance(c, "127.0.0.1:0", "127.0.0.1:1") // no target answers
	// With a label so long it is no name: nobody is asked for it, there may be no resolver.
	unknown := strings.Repeat("x", 64) + ".invalid"
	health := fmt.Sprintf("127.0.0.1:%d", c.Ports.Health)
	for address, says := range map[string]string{
		"127.0.0.2": "refuses the connection", // at 6443, where the apiserver is on another address
		unknown:     "is not a name that can be resolved",
		misnamed:    "the certificate names kubernetes, kubernetes.default",
		empty:       "ends the connection without a word",
		health:      "does not speak TLS",
	} {
		mustFail(c, steps(c, "--address", address), map[string]string{"version": says})
	}
}

// balance listens on address and passes TCP through to target, until the test is
// over, as the lab's load balancer does.
func balance(c *harness.Controller, address, target string) string {
	c.Helper()
	l, err := net.Listen("tcp", address)
	c.Must(err)
	var wg sync.WaitGroup
	c.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { pass(conn, target) })
		}
	})
	return l.Addr().String()
}

func pass(conn net.Conn, target string) {
	defer conn.Close()
	there, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer there.Close()
	go func() {
		// Whichever side ends first, both end.
		_, _ = io.Copy(there, conn)
		there.Close()
	}()
	_, _ = io.Copy(conn, there)
}
