// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/khw-controller/khw-controller/pkg/certs"
)

// TestKubelets asks kubelets that know clients of the old CA only, and of both, one
// that is away and one that has never said where it is.
func TestKubelets(t *testing.T) {
	p := controller(t)
	old := read(t, p.Files.CA)
	change, err := certs.BeginCARotation(p, nil, time.Now())
	write(t, change, err)
	probe, err := newProbe(current(t, p), old)
	if err != nil {
		t.Fatal(err)
	}
	var nodes []runtime.Object
	for name, address := range map[string]string{
		"old": server(t, p, old, false), "both": server(t, p, read(t, p.Files.CA), false), "away": "127.0.0.1:1", "new": "",
	} {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if address != "" {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			number, err := strconv.Atoi(port)
			if err != nil {
				t.Fatal(err)
			}
			n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeInternalIP, Address: host}}
			n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(number)
		}
		nodes = append(nodes, n)
	}
	lacking, err := probe.kubelets(t.Context(), fake.NewClientset(nodes...))
	if err != nil || !slices.Equal(lacking, []string{"old"}) {
		t.Errorf("got %v, %v", lacking, err)
	}
}

func TestSome(t *testing.T) {
	for want, names := range map[string][]string{"a, b": {"a", "b"}, "a, b, c, d, e and 2 more": {"a", "b", "c", "d", "e", "f", "g"}} {
		if got := some(names); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
