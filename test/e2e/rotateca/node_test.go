// SPDX-License-Identifier: Apache-2.0

package rotateca

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

// serves returns whether a node's apiserver serves who has a kubeconfig.
func serves(n *trio.Node, kubeconfig string) error {
	n.Helper()
	_, err := n.ClientOf(kubeconfig).CoreV1().Namespaces().Get(n.Context(), metav1.NamespaceDefault, metav1.GetOptions{})
	return err
}

// phase is how far a rotation is on a node.
func phase(n *trio.Node, command string) string {
	n.Helper()
	var status struct{ Phase string }
	n.Must(json.Unmarshal([]byte(n.Do("certs", command, "--status", "-o", "json")), &status))
	return status.Phase
}

// awaitPhase waits for a rotation to come so far by itself.
func awaitPhase(n *trio.Node, command, want string) {
	n.Helper()
	n.WithinAlive(n.Process, harness.Patience, n.Name+" to be "+want, func(context.Context) error {
		if got := phase(n, command); got != want {
			return errors.New("it is " + got)
		}
		return nil
	})
}

// copyTo copies some of the lab's files to the same place on another node.
func copyTo(n, other *trio.Node, files ...string) {
	n.Helper()
	for _, name := range files {
		data, err := os.ReadFile(n.Lab(name))
		n.Must(err)
		n.Must(os.WriteFile(other.Lab(name), data, 0o600))
	}
}

// kept is a copy of a file as it is now.
func kept(n *trio.Node, name string) string {
	n.Helper()
	data, err := os.ReadFile(n.Lab(name))
	n.Must(err)
	path := n.Path(n.Name + "-kept-" + name)
	n.Must(os.WriteFile(path, data, 0o600))
	return path
}

// mustBeHealthy wants all of etcd's members, both leases, and every node's status to
// be as they should, and its next start not to be refused.
func mustBeHealthy(nodes []*trio.Node) {
	for _, n := range nodes {
		n.Helper()
		n.MustBeVoters()
		n.Eventually(n.Name+" to be healthy", func(ctx context.Context) error {
			health, err := n.Command(ctx, n.Binary(), "status", "--root", n.Root).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, health)
			}
			if strings.Contains(string(health), "will be refused") {
				return errors.New(string(health))
			}
			return cluster.BothHeld(ctx, n.Client())
		})
	}
}
