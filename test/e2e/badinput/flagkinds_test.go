// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"fmt"
	"slices"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

func componentFlags() []member {
	return slices.Concat(
		of(apiArg, "", "audit-log-maxagee=3", "kubelet-https=false", "insecure-port=8080", "basic-auth-file=/x",
			"max-requests-inflight=many", "event-ttl=3", "token-auth-file", "=x"),
		of(kcmArg, "", "concurrent-service-sync=1", "node-monitor-period=often", "leader-elect=perhaps"),
		of(schedulerArg, "", "policy-config-file=/x", "algorithm-provider=NoSuch", "leader-elect-resource-lock=endpoints2", "nope"),
		of(etcdArg, "", "heartbeat-interval=x", "nam=x", "quota-backend-bytes=2G", "auto-compaction-mode=never"),
	)
}

func featureGates() []member {
	return append(of("--feature-gates", "",
		"NoSuchGate=true", "NodeLogQuery=maybe", "NodeLogQuery", "=true", "nodelogquery=true", "AllAlpha=perhaps",
		"NodeLogQuery:true", "CSIMigration=false", "NodeLogQuery=true;AllBeta=true", "NodeLogQuery=", "PodSecurityPolicy=true"),
		member{name: "two components disagree", args: []string{apiArg, "feature-gates=AllAlpha=true", schedulerArg, "feature-gates=AllAlpha=false"}, says: "feature-gates"})
}

func admissionPlugins() []member {
	return slices.Concat(
		of(apiArg, "admission", "enable-admission-plugins=PodSecurityPolicy", "enable-admission-plugins=SecurityContextDeny",
			"enable-admission-plugins=NoSuch", "enable-admission-plugins=noderestriction", "enable-admission-plugins=NodeRestriction;LimitRanger",
			"enable-admission-plugins=NodeRestriction, LimitRanger", "disable-admission-plugins=NoSuch", "disable-admission-plugins=*",
			"admission-control=NoSuch", "enable-admission-plugins=AlwaysAdmit,NoSuch"),
		[]member{
			{name: "enabled and disabled", args: []string{apiArg, "enable-admission-plugins=LimitRanger", apiArg, "disable-admission-plugins=LimitRanger"}, says: "LimitRanger"},
			{name: "old and new", args: []string{apiArg, "admission-control=LimitRanger", apiArg, "enable-admission-plugins=NodeRestriction"}, says: "admission"},
		},
	)
}

func apiGroups() []member {
	return of(apiArg, "runtime-config", "runtime-config=foo/v1=true", "runtime-config=api/all=maybe", "runtime-config=apps/v1=maybe",
		"runtime-config=apps/v9=maybe", "runtime-config==true", "runtime-config=foo/v1", "runtime-config=foo/v1/things=true",
		"runtime-config=batch/v1=true,foo/v1=false", "runtime-config=no.such.io/v1alpha1=true", "runtime-config=api/ga=2", "runtime-config=foo.k8s.io/v1=false")
}

func etcdURLs() []member {
	return of("--etcd-servers", "etcd", "https://127.0.0.1:99999", "https://", "ftp://127.0.0.1:2379", "https://a b:2379",
		"https://127.0.0.1:port", "://127.0.0.1", "https://[::1:2379", "https://127.0.0.1:2379,ftp://127.0.0.1:2379", "mailto:root", "%zz")
}

func addresses() []member {
	return slices.Concat(
		of("--advertise-address", "advertise-address", "10.240.0.300", "localhost", "0.0.0.0", "10.240.0.10/24", "::", "169.254.0.10", "fe80::1", "239.1.2.3", "255.255.255.255"),
		of(apiArg, "", "bind-address=10.240.0.300", "service-cluster-ip-range=10.32.0.0", "service-cluster-ip-range=10.32.0.0/33",
			"service-cluster-ip-range=fd00::/64", "advertise-address=nowhere"),
		of(kcmArg, "", "bind-address=x", "service-cluster-ip-range=10.33.0.0/24"),
		of("--healthz-bind-address", "healthz-bind-address", "127.0.0.1", "127.0.0.1:http-no-such", "10.240.0.300:80"),
	)
}

func ports() []member {
	return slices.Concat(
		of(apiArg, "", "secure-port=-1", "secure-port=65536", "secure-port=https", "service-node-port-range=30000x", "service-node-port-range=40000-30000", "kubernetes-service-node-port=70000"),
		of(kcmArg, "", "secure-port=65536", "secure-port=x"),
		of(schedulerArg, "", "secure-port=-1", "secure-port=70000"),
		of("--healthz-bind-address", "healthz-bind-address", "127.0.0.1:70000", "127.0.0.1:-1"),
		[]member{{name: "one port for two", spoil: func(c *harness.Controller) {
			c.Args = append(c.Args, schedulerArg, fmt.Sprintf("secure-port=%d", c.Ports.ControllerManager))
		}, says: "secure-port"}},
	)
}
