// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
)

// kubeletsAtOnce is how many kubelets are asked at a time.
const kubeletsAtOnce = 64

// kubelets lists the nodes whose kubelet answers, and does not know who has a
// certificate of the next CA: logs and exec would end there with the old one.
// Of one that cannot be reached from here nothing is known.
func (p *probe) kubelets(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("the nodes: %w", err)
	}
	unknown := make([]bool, len(nodes.Items))
	workqueue.ParallelizeUntil(context.WithoutCancel(ctx), kubeletsAtOnce, len(nodes.Items), func(i int) {
		address := kubeletAddress(&nodes.Items[i])
		unknown[i] = address != "" && p.isUnknownTo(ctx, address)
	})
	var lacking []string
	for i, n := range nodes.Items {
		if unknown[i] {
			lacking = append(lacking, n.Name)
		}
	}
	slices.Sort(lacking)
	return lacking, nil
}

// kubeletAddress is where a node's kubelet is, or "".
func kubeletAddress(n *corev1.Node) string {
	port := n.Status.DaemonEndpoints.KubeletEndpoint.Port
	i := slices.IndexFunc(n.Status.Addresses, func(a corev1.NodeAddress) bool { return a.Type == corev1.NodeInternalIP })
	if port == 0 || i < 0 {
		return ""
	}
	return net.JoinHostPort(n.Status.Addresses[i].Address, strconv.Itoa(int(port)))
}

// isUnknownTo reports whether a kubelet answers that it does not know who asks. Its
// own certificate does not matter here: many are signed by themselves.
func (p *probe) isUnknownTo(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &p.client, nil },
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/healthz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusUnauthorized
}
