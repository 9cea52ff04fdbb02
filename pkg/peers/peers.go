// SPDX-License-Identifier: Apache-2.0

// Package peers lists the cluster's apiservers.
package peers

import (
	"context"
	"net"
	"slices"
	"strconv"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// APIServers lists where the cluster's apiservers are, host:port: what the service
// kubernetes leads to.
func APIServers(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	found, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=kubernetes",
	})
	if err != nil {
		return nil, err
	}
	return addresses(found.Items), nil
}

func addresses(all []discoveryv1.EndpointSlice) []string {
	var out []string
	for _, s := range all {
		for _, e := range s.Endpoints {
			for _, p := range s.Ports {
				if p.Port != nil && len(e.Addresses) > 0 {
					out = append(out, net.JoinHostPort(e.Addresses[0], strconv.Itoa(int(*p.Port))))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
