// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"net/http"
	"net/url"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// nextForStatus says what to do when /version is answered with another status.
func nextForStatus(code int) string {
	switch code {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "no controller is in service: see the load balancer's health checks and the step health proxy, and that its listener passes TCP through"
	case http.StatusUnauthorized:
		return "the lab's curl has no certificate: see who refuses it: anonymous-auth, authentication-config or authorization-mode of the apiserver there"
	case http.StatusForbidden:
		return "everybody may read /version by the ClusterRoleBinding system:public-info-viewer: " + applyRBAC
	}
	return "see whether it is an apiserver that answers there"
}

// nextForBalancer says what to do when a load balancer does not lead to an
// apiserver.
func nextForBalancer(reason connerr.Reason, server, ca string) string {
	host, port := server, ""
	if u, err := url.Parse(server); err == nil {
		host, port = u.Hostname(), u.Port()
	}
	switch reason {
	case connerr.NoSuchHost:
		return "correct --address: aws elb describe-load-balancers --query 'LoadBalancerDescriptions[].DNSName', or gcloud compute addresses describe kubernetes-the-hard-way"
	case connerr.Refused:
		return "make the listener (aws) or the forwarding rule (gcp) for port " + port + ", and see whether a controller is in service there"
	case connerr.NoAnswer:
		return "let tcp:" + port + " in: the security group of the load balancer and of the controllers (aws), or the firewall rule (gcp); and see the health checks"
	case connerr.NoRoute:
		return "see the way from here to " + host + ": routes, firewall, an internal load balancer"
	case connerr.Closed:
		return "no controller is in service: see the load balancer's health checks and the step health proxy"
	case connerr.NotTLS:
		return "make the listener pass TCP through, as in the lab: the apiserver itself ends TLS"
	case connerr.UnknownCA:
		return "make the listener pass TCP through (not TLS or HTTPS), or see whether it leads to the cluster of " + ca
	case connerr.WrongName:
		return "sign kubernetes.pem anew with " + host + " among the names of -hostname, as in lab chapter 04, on every controller"
	case connerr.Expired:
		return "sign kubernetes.pem anew as in lab chapter 04, or set this machine's clock"
	}
	return "try it by hand: curl -v --cacert " + ca + " " + server + "/version"
}
