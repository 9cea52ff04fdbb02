// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/conformance"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// api are parts of the names of the cases that ask for no more than an apiserver and the
// controllers: no pod has to run. Two that wait for minutes, for etcd to be compacted and for
// quotas to be counted anew, are not among them.
var api = []string{
	"[sig-api-machinery] API priority and fairness",
	"[sig-api-machinery] AggregatedDiscovery",
	"[sig-api-machinery] CustomResourceDefinition",
	"[sig-api-machinery] CustomResourcePublishOpenAPI",
	"[sig-api-machinery] Discovery",
	"[sig-api-machinery] FieldValidation",
	"[sig-api-machinery] Garbage collector should delete RS created by deployment",
	"[sig-api-machinery] Garbage collector should delete pods created by rc",
	"[sig-api-machinery] Garbage collector should not be blocked by dependency circle",
	"[sig-api-machinery] Garbage collector should orphan RS created by deployment",
	"[sig-api-machinery] MutatingAdmissionPolicy",
	"[sig-api-machinery] Namespaces should apply",
	"[sig-api-machinery] Namespaces should ensure that all services",
	"[sig-api-machinery] Namespaces should patch",
	"[sig-api-machinery] ResourceQuota should be able to update and delete",
	"[sig-api-machinery] ResourceQuota should create",
	"[sig-api-machinery] ResourceQuota should manage",
	"[sig-api-machinery] ResourceQuota should verify",
	"[sig-api-machinery] Servers with support for API chunking should return chunks",
	"[sig-api-machinery] Servers with support for Table transformation",
	"[sig-api-machinery] StorageVersionMigration",
	"[sig-api-machinery] ValidatingAdmissionPolicy",
	"[sig-api-machinery] Watchers",
	"[sig-api-machinery] server version",
	"[sig-apps] CronJob should support CronJob API operations",
	"[sig-apps] DisruptionController Listing PodDisruptionBudgets",
	"[sig-apps] DisruptionController should create a PodDisruptionBudget",
	"[sig-apps] ReplicationController should get and update a ReplicationController scale",
	"[sig-apps] ReplicationController should surface a failure condition",
	"[sig-auth] Certificates API",
	"[sig-auth] PodCertificateRequest API",
	"[sig-auth] ServiceAccounts should create a serviceAccountToken",
	"[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt",
	"[sig-auth] ServiceAccounts should run through the lifecycle",
	"[sig-auth] ServiceAccounts should update a ServiceAccount",
	"[sig-auth] SubjectReview",
	"CRUD Tests certificates.k8s.io/v1 ClusterTrustBundles",
	"[sig-cli] Kubectl client Kubectl api-versions",
	"[sig-cli] Kubectl client Kubectl cluster-info",
	"[sig-cli] Kubectl client Kubectl diff",
	"[sig-cli] Kubectl client Kubectl version",
	"[sig-cli] Kubectl client Proxy server",
	"[sig-instrumentation] Events",
	"[sig-network] API Server should have Endpoints",
	"[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods",
	"[sig-network] EndpointSlice should support creating EndpointSlice API operations",
	"[sig-network] EndpointSliceMirroring",
	"[sig-network] Endpoints should test the lifecycle",
	"[sig-network] EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods",
	"[sig-network] Ingress API",
	"[sig-network] IngressClass API",
	"[sig-network] ServiceCIDR and IPAddress API",
	"[sig-network] Services should complete a service status lifecycle",
	"[sig-network] Services should delete a collection of services",
	"[sig-network] Services should find a service from listing all namespaces",
	"[sig-node] ConfigMap should fail to create ConfigMap with empty key",
	"[sig-node] ConfigMap should run through a ConfigMap lifecycle",
	"[sig-node] ConfigMap should update ConfigMap successfully",
	"[sig-node] Lease",
	"[sig-node] Node Lifecycle",
	"[sig-node] PodTemplates",
	"[sig-node] Pods Extended Pods Set QOS Class",
	"[sig-node] RuntimeClass should support RuntimeClasses API operations",
	"[sig-node] Secrets should fail to create secret due to empty secret key",
	"[sig-node] Secrets should patch a secret",
	"[sig-node] [DRA] CRUD Tests",
	"[sig-scheduling] LimitRange",
	"[sig-storage] CSIInlineVolumes",
	"[sig-storage] CSINodes",
	"[sig-storage] CSIStorageCapacity",
	"[sig-storage] ConfigMap should be immutable",
	"[sig-storage] PersistentVolumes CSI Conformance",
	"[sig-storage] Secrets should be immutable",
	"[sig-storage] StorageClasses CSI Conformance",
	"[sig-storage] VolumeAttributesClass",
}

// TestAPI runs them against one controller without workers.
func TestAPI(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	c.StartReady()
	kubectl := e.Path("kubectl")
	e.Must(os.Symlink(e.Binary(), kubectl))
	s := &suite{
		Env: e, start: e.Start, kubeconfig: c.Lab("admin.kubeconfig"), kubectl: kubectl, reports: e.Path("reports"),
		flags: []string{"--allowed-not-ready-nodes=-1", "--num-nodes=0"}, // do not wait for nodes
	}
	choice := []string{"--label-filter=Conformance"}
	for _, name := range api {
		choice = append(choice, "--focus="+regexp.QuoteMeta(name))
	}
	r := s.run("api", 4, 20*time.Minute, choice...)
	for _, name := range append(r.In(conformance.Failed), r.In(conformance.Skipped)...) {
		e.Errorf("%s: %s", name, r[name].Why)
	}
	for _, name := range api {
		found := false
		for n := range r {
			found = found || strings.Contains(n, name)
		}
		if !found {
			e.Errorf("no case has the name %s", name)
		}
	}
}
