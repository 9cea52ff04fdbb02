// SPDX-License-Identifier: Apache-2.0

// Package rotateca has another CA, and another key of service account tokens, take
// the place of those in use: on one controller, and on three while somebody writes.
package rotateca

import (
	"context"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

const (
	rotateCA  = "rotate-ca"
	rotateKey = "rotate-service-account-key"
)

// writers are so many at once that the database stays small.
const writers = 2

func TestRotateCAOfThree(t *testing.T) {
	e := harness.New(t)
	nodes := trio.Started(e)
	first, second, third := nodes[0], nodes[1], nodes[2]
	old := kept(first, "admin.kubeconfig")
	writes := trio.StartWritesAs(second, old, writers)
	writes.AwaitMore(e, 100)
	goesOn := func() {
		t.Helper()
		mustBeHealthy(nodes)
		for _, n := range nodes {
			n.Must(serves(n, old))
			n.Must(serves(n, n.Lab("admin.kubeconfig")))
		}
		writes.AwaitMore(e, 50)
	}

	first.Refuses("no rotation has begun here", "certs", rotateCA)
	first.Do("certs", rotateCA, "--begin")
	if got := phase(first, rotateCA); got != "trusting" {
		t.Errorf("with one of three, it is %s", got)
	}
	goesOn()
	first.Refuses("controller-1 (https://10.240.0.11:6443) does not trust it", "certs", rotateCA)
	first.Refuses("shows a certificate of the old CA", "certs", rotateCA, "--finish")
	second.Refuses("controller-0 trusts a CA that is not in", "certs", rotateCA, "--begin")

	// On one of them, the command is killed in the middle, again and again.
	for _, n := range nodes[1:] {
		copyTo(first, n, "next-ca.pem", "next-ca-key.pem")
	}
	killed(second, "certs", rotateCA)
	_, _ = second.Try("certs", rotateCA) // which has something to do, or waits for the third
	second.Refuses("controller-2 (https://10.240.0.12:6443) does not trust it", "certs", rotateCA)
	goesOn()
	third.Do("certs", rotateCA)
	for _, n := range nodes {
		awaitPhase(n, rotateCA, "signing")
	}
	goesOn()
	first.Refuses("certificates here are signed by the next CA already", "certs", rotateCA, "--undo")
	first.Refuses("systemctl restart khw-controller", "certs", rotateCA, "--finish")

	for i, n := range nodes {
		n.Restart()
		goesOn()
		if i == 0 {
			n.Refuses("controller-1 (https://10.240.0.11:2379) does not trust the next CA; there: systemctl restart khw-controller", "certs", rotateCA, "--finish")
		}
	}
	for i, n := range nodes {
		finish(n)
		mustBeHealthy(nodes)
		n.Restart()
		mustBeHealthy(nodes)
		if i == 0 {
			writes.Stop() // the old kubeconfig is good on no node for ever
			writes.MustAllBeOn(third)
			writes = trio.StartWritesAs(second, third.Lab("admin.kubeconfig"), writers)
			writes.AwaitMore(e, 50)
		}
	}
	for _, n := range nodes {
		var unknown x509.UnknownAuthorityError
		if err := serves(n, old); !errors.As(err, &unknown) {
			t.Errorf("%s: with the old kubeconfig: %v", n.Name, err)
		}
		for _, o := range nodes {
			n.Must(serves(n, o.Lab("admin.kubeconfig")))
		}
		if got := phase(n, rotateCA); got != "none" {
			t.Errorf("%s: it is %s", n.Name, got)
		}
	}
	writes.Stop()
	writes.MustAllBeOn(first)
}

// finish takes the last step as soon as pods are told of the next CA.
func finish(n *trio.Node) {
	n.Helper()
	n.Eventually("the last step on "+n.Name, func(context.Context) error {
		out, err := n.Try("certs", rotateCA, "--finish")
		if err != nil {
			return errors.New(out)
		}
		return nil
	})
}

// killed runs a command and kills it at random moments, later each time.
func killed(n *trio.Node, command ...string) {
	n.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 12 {
		args := append(append([]string{}, command...), "--root", n.Root)
		cmd := n.Command(n.Context(), n.Binary(), append(args, n.Args...)...)
		n.Must(cmd.Start())
		after := time.Duration(i)*40*time.Millisecond + time.Duration(random.IntN(40))*time.Millisecond
		time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		n.Must(serves(n, n.Lab("admin.kubeconfig")))
	}
}

func TestRotateServiceAccountKeyOfThree(t *testing.T) {
	e := harness.New(t)
	nodes := trio.Started(e)
	first := nodes[0]
	old := token(first)
	secret := legacyToken(first)
	accepted := func(tokens ...string) {
		t.Helper()
		for _, n := range nodes {
			for _, token := range tokens {
				n.Must(knows(n, token))
			}
		}
	}
	accepted(old, secret)

	first.Do("certs", rotateKey, "--begin")
	first.Refuses("controller-1 (https://10.240.0.11:6443) does not accept its tokens yet", "certs", rotateKey)
	first.Restart()
	nodes[1].Refuses("controller-0 accepts tokens of other keys", "certs", rotateKey, "--begin")
	for _, n := range nodes[1:] {
		copyTo(first, n, "next-service-account.pem", "next-service-account-key.pem")
		n.Do("certs", rotateKey)
		n.Restart()
	}
	accepted(old, secret, token(nodes[2]))
	for _, n := range nodes {
		n.Do("certs", rotateKey)
		first.Refuses("signs with the old key", "certs", rotateKey, "--finish", "--token-lifetime", "0s")
		n.Restart()
		accepted(old, secret, token(n))
	}
	first.Refuses("tokens of the old one may be in use for 25h0m0s", "certs", rotateKey, "--finish")
	first.Refuses("in the Secrets default/legacy;", "certs", rotateKey, "--finish", "--token-lifetime", "0s")
	secret = renewLegacyToken(first)
	next := token(first)
	for _, n := range nodes {
		n.Do("certs", rotateKey, "--finish", "--token-lifetime", "0s")
		n.Restart()
		accepted(secret, next)
	}
	for _, n := range nodes {
		if err := knows(n, old); !apierrors.IsUnauthorized(err) {
			t.Errorf("%s: a token of the old key: %v", n.Name, err)
		}
	}
	mustBeHealthy(nodes)
}
