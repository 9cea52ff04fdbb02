// SPDX-License-Identifier: Apache-2.0

package lab

import "github.com/khw-controller/khw-controller/pkg/paths"

// Placeholders in lab values.
const (
	internalIP  = "${INTERNAL_IP}"
	etcdServers = "https://10.240.0.10:2379,https://10.240.0.11:2379,https://10.240.0.12:2379"
)

// Values chosen for flags that the lab does not have.
const (
	serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local"
	watchGrace           = "2s"
	clientQPS            = "5000"
	clientBurst          = "10000"
)

// Flags that say how callers of a component's port are looked up: with the
// component's own kubeconfig, and the CA that the apiserver knows clients by.
const (
	authenticationKubeconfig = "authentication-kubeconfig"
	authorizationKubeconfig  = "authorization-kubeconfig"
	clientCA                 = "client-ca-file"
)

// lookUpCallers are these flags of a component.
func lookUpCallers(c Component, kubeconfig, same string) []Flag {
	return []Flag{
		added(c, authenticationKubeconfig, kubeconfig, "v1.12",
			"The plain-HTTP port let everybody read /metrics; on the HTTPS port nobody may, unless callers are looked up like this. "+same),
		added(c, authorizationKubeconfig, kubeconfig, "v1.12", "As --authentication-kubeconfig."),
		added(c, clientCA, string(paths.CA), "v1.12", "Callers with a client certificate are known by the same CA as at the apiserver."),
		added(c, "authentication-skip-lookup", "true", "v1.12",
			"The rest that would be looked up in the cluster is the CA of a front proxy; without one, as in the lab, the lookup fails for ever, with an error every second."),
	}
}

const (
	labAdmission     = "Initializers,NamespaceLifecycle,NodeRestriction,LimitRanger,ServiceAccount,DefaultStorageClass,ResourceQuota"
	currentAdmission = "NamespaceLifecycle,NodeRestriction,LimitRanger,ServiceAccount,DefaultStorageClass,ResourceQuota"
)

func kept(c Component, name, value string) Flag {
	return Flag{Component: c, Name: name, Value: value, Current: name, CurrentValue: value, Status: Kept}
}

// differs is a lab flag that is there still, and is not what it was.
func differs(c Component, name, value, currentValue string, status Status, since, why string) Flag {
	return Flag{Component: c, Name: name, Value: value, Current: name, CurrentValue: currentValue, Status: status, Since: since, Why: why}
}

func added(c Component, name, value, since, why string) Flag {
	return Flag{Component: c, Name: name, Current: name, CurrentValue: value, Status: Added, Since: since, Why: why}
}

// gone is a lab flag that this Kubernetes does not know: a row of removedFlags.
func gone(c Component, name, value, currentValue string) Flag {
	r, _ := removed(c, name)
	return Flag{Component: c, Name: name, Value: value, Current: r.Current, CurrentValue: currentValue,
		Status: r.Status(value), Since: r.Release, Why: r.Why}
}

// Verbosity is the lab's --v.
const Verbosity = "2"

// verbosity is the lab's --v: its value is kept, and means less.
func verbosity(c Component) Flag {
	f := kept(c, "v", Verbosity)
	f.Why = "Below 4 the log of `khw-controller run` is its own story and the components' warnings and errors; from 4 on it is all that they log."
	return f
}

var apiServerFlags = []Flag{
	kept(APIServer, "advertise-address", internalIP),
	kept(APIServer, "allow-privileged", "true"),
	differs(APIServer, "apiserver-count", "3", "3", Deprecated, "v1.24",
		"Running apiservers find each other through leases; the count only matters to --endpoint-reconciler-type=master-count."),
	kept(APIServer, "audit-log-maxage", "30"),
	kept(APIServer, "audit-log-maxbackup", "3"),
	kept(APIServer, "audit-log-maxsize", "100"),
	kept(APIServer, "audit-log-path", string(paths.AuditLog)),
	kept(APIServer, "authorization-mode", "Node,RBAC"),
	kept(APIServer, "bind-address", "0.0.0.0"),
	kept(APIServer, "client-ca-file", string(paths.CA)),
	differs(APIServer, "enable-admission-plugins", labAdmission, currentAdmission, Changed, "v1.14",
		"The Initializers plugin was alpha and was removed; admission webhooks took its place."),
	gone(APIServer, "enable-swagger-ui", "true", ""),
	kept(APIServer, "etcd-cafile", string(paths.CA)),
	kept(APIServer, "etcd-certfile", string(paths.Cert)),
	kept(APIServer, "etcd-keyfile", string(paths.Key)),
	kept(APIServer, "etcd-servers", etcdServers),
	kept(APIServer, "event-ttl", "1h"),
	gone(APIServer, "experimental-encryption-provider-config", string(paths.EncryptionConfig), string(paths.EncryptionConfig)),
	kept(APIServer, "kubelet-certificate-authority", string(paths.CA)),
	kept(APIServer, "kubelet-client-certificate", string(paths.Cert)),
	kept(APIServer, "kubelet-client-key", string(paths.Key)),
	gone(APIServer, "kubelet-https", "true", ""),
	differs(APIServer, "runtime-config", "api/all", "api/all=true", Changed, "v1.17",
		"A key without a value stood for true and is refused now."),
	kept(APIServer, "service-account-key-file", string(paths.ServiceAccount)),
	kept(APIServer, "service-cluster-ip-range", "10.32.0.0/24"),
	kept(APIServer, "service-node-port-range", "30000-32767"),
	kept(APIServer, "tls-cert-file", string(paths.Cert)),
	kept(APIServer, "tls-private-key-file", string(paths.Key)),
	verbosity(APIServer),
	added(APIServer, "service-account-issuer", serviceAccountIssuer, "v1.20",
		"Required: every service account token names its issuer."),
	added(APIServer, "service-account-signing-key-file", string(paths.ServiceAccountKey), "v1.20",
		"Required: the apiserver itself signs service account tokens, with the key that the lab gives to the controller-manager."),
	added(APIServer, "shutdown-watch-termination-grace-period", watchGrace, "v1.27",
		"Watches are ended at a stop, so that stopping takes seconds instead of a minute."),
}

var controllerManagerFlags = append([]Flag{
	gone(ControllerManager, "address", "0.0.0.0", "0.0.0.0"),
	kept(ControllerManager, "cluster-cidr", "10.200.0.0/16"),
	kept(ControllerManager, "cluster-name", "kubernetes"),
	kept(ControllerManager, "cluster-signing-cert-file", string(paths.CA)),
	kept(ControllerManager, "cluster-signing-key-file", string(paths.CAKey)),
	kept(ControllerManager, "kubeconfig", string(paths.ControllerManagerKubeconfig)),
	kept(ControllerManager, "leader-elect", "true"),
	kept(ControllerManager, "root-ca-file", string(paths.CA)),
	kept(ControllerManager, "service-account-private-key-file", string(paths.ServiceAccountKey)),
	kept(ControllerManager, "service-cluster-ip-range", "10.32.0.0/24"),
	kept(ControllerManager, "use-service-account-credentials", "true"),
	verbosity(ControllerManager),
	added(ControllerManager, "kube-api-qps", clientQPS, "",
		"The stock 20 requests a second hold the start back by about 5 s; API Priority and Fairness protects the apiserver."),
	added(ControllerManager, "kube-api-burst", clientBurst, "", "As --kube-api-qps."),
}, lookUpCallers(ControllerManager, string(paths.ControllerManagerKubeconfig), "The same file as --kubeconfig.")...)

var schedulerFlags = append([]Flag{
	differs(Scheduler, "config", string(paths.SchedulerConfig), string(paths.SchedulerConfig), Changed, "v1.19",
		"componentconfig/v1alpha1 is read and converted to kubescheduler.config.k8s.io/v1; its client limits are raised (stock 50 requests a second bind about 50 pods a second) unless the file sets them."),
	verbosity(Scheduler),
}, lookUpCallers(Scheduler, string(paths.SchedulerKubeconfig), "The same file as in its configuration.")...)
