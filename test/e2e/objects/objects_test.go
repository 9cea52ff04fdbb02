// SPDX-License-Identifier: Apache-2.0

// Package objects holds what a new cluster has right after its start against what
// stock's apiserver makes.
package objects

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// resources are those that an apiserver makes objects of by itself.
var resources = []schema.GroupVersionResource{
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	{Group: "scheduling.k8s.io", Version: "v1", Resource: "priorityclasses"},
}

// TestANewClusterHasWhatStocksHas is without the other components, which make objects
// of their own later.
func TestANewClusterHasWhatStocksHas(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	c.EtcdServers = e.StartEtcd(c.Lab(""), 1).URLs()
	c.StartReady()
	ours, ourChecks := objects(e, c.Lab("admin.kubeconfig")), checks(e, c.Client())
	c.StopInOrder()

	e = harness.New(t)
	stock := e.Stock("stock", c, e.StartEtcd(c.Lab(""), 1))
	e.WithinAlive(stock.Start(lab.APIServer), harness.Patience, "the stock apiserver", func(ctx context.Context) error {
		return cluster.Readyz(ctx, stock.Client())
	})
	theirs, theirChecks := objects(e, stock.Kubeconfig()), checks(e, stock.Client())

	if len(theirs) < 130 {
		t.Fatalf("stock has only %d objects", len(theirs))
	}
	for name, want := range theirs {
		got, ok := ours[name]
		if !ok {
			t.Errorf("%s is missing", name)
		} else if !equality.Semantic.DeepEqual(got, want) {
			t.Errorf("%s is\n%v, want\n%v", name, got, want)
		}
	}
	for name := range ours {
		if _, ok := theirs[name]; !ok && !strings.Contains(name, "kube-apiserver-to-kubelet") && !strings.Contains(name, "system:kube-apiserver") {
			t.Errorf("%s is not stock's", name)
		}
	}
	// What upstream has where the encryption configuration can be changed while it
	// serves (docs/decisions/0011-secrets-encrypt.md), and what fails from the beginning of
	// a stop on (docs/decisions/0017-stop-unnoticed.md).
	ourChecks = slices.DeleteFunc(ourChecks, func(name string) bool {
		return name == "kms-providers" || name == "poststarthook/start-encryption-provider-config-automatic-reload" || name == "drain"
	})
	if !slices.Equal(ourChecks, theirChecks) {
		t.Errorf("the checks of /readyz are\n%v, want\n%v", ourChecks, theirChecks)
	}
}

// objects returns the content of all objects by their resource and name.
func objects(e *harness.Env, kubeconfig string) map[string]map[string]any {
	e.Helper()
	config, err := cluster.Config(kubeconfig)
	e.Must(err)
	client, err := dynamic.NewForConfig(config)
	e.Must(err)
	all := map[string]map[string]any{}
	for _, r := range resources {
		list, err := client.Resource(r).List(e.Context(), metav1.ListOptions{})
		e.Must(err)
		for _, o := range list.Items {
			if _, aggregated := o.Object["aggregationRule"]; aggregated {
				delete(o.Object, "rules") // filled in by the controller-manager, sooner or later
			}
			for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"} {
				unstructured.RemoveNestedField(o.Object, "metadata", field)
			}
			all[fmt.Sprintf("%s %s/%s", r.Resource, o.GetNamespace(), o.GetName())] = o.Object
		}
	}
	return all
}

// checked is a line of /readyz?verbose.
var checked = regexp.MustCompile(`(?m)^\[\+\](\S+) ok$`)

// checks returns the names of the checks of which /readyz is made.
func checks(e *harness.Env, client *kubernetes.Clientset) []string {
	e.Helper()
	body, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Param("verbose", "").DoRaw(e.Context())
	e.Must(err)
	var names []string
	for _, m := range checked.FindAllStringSubmatch(string(body), -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}
