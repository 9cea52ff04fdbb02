// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// TestDataOfTheReleaseBefore stops a stock cluster of the release before, with all kinds
// of objects, and starts ours on its etcd; and takes it back.
func TestDataOfTheReleaseBefore(t *testing.T) {
	e := asked(t)
	c := e.Controller("ours", e.FreePorts())
	c.GeneratePKI()
	etcd := e.StartEtcdOf(e.SkewProgram("etcd"), c.Lab(""), 1)
	c.EtcdServers = etcd.URLs()
	stock := e.Stock("stock", c, etcd)

	old := startBefore(stock)
	e.Must(cluster.CreateNodes(e.Context(), stock.Client(), 3))
	k := before(e, stock.Kubeconfig())
	k.apply("testdata/cluster.yaml")
	k.apply("testdata/widget.yaml")
	editedByHand(e, stock.Client())
	token := settled(e, stock.Client())
	mustWork(ours(e, stock.Kubeconfig()), "ours-at-before")
	old.stop(lab.Scheduler, lab.ControllerManager)
	was := servedBy(e, stock.Kubeconfig())
	resources, objects := was.counted()
	e.Logf("%s: %d objects of %d resources", minorOf(e, stock.Client()), objects, resources)
	old.stop(lab.APIServer)

	c.StartReady()
	client := c.Client()
	is := servedBy(e, c.Lab("admin.kubeconfig"))
	e.Logf("served no more: %q", was.without(is))
	e.Logf("served for the first time: %q", is.without(was))
	same(e, was, is, byTheUpgrade)
	stillByHand(e, client)
	encrypted(e, etcd.Client())
	authenticates(e, c.Lab("admin.kubeconfig"), token)
	polices(e, client)
	mustWork(before(e, c.Lab("admin.kubeconfig")), "before-at-ours")
	scales(e, client, 4)
	works(e, client, "under-ours")
	hasKubeletRBAC(e, client)
	ours(e, c.Lab("admin.kubeconfig")).apply("testdata/newer.yaml")
	keepsNewer(e, client, "ours")
	// Everything is stored anew, by ours.
	rewrite(e, c.Lab("admin.kubeconfig"), is, "skew.example/by-ours")
	c.StopInOrder()

	old = startBefore(stock)
	client = stock.Client()
	back := servedBy(e, stock.Kubeconfig())
	same(e, was, back, slices.Concat(byTheUpgrade, byTheTest))
	e.Logf("what only ours served: %q", is.without(back))
	keepsNewer(e, client, "the release before")
	stillByHand(e, client)
	authenticates(e, stock.Kubeconfig(), token)
	polices(e, client)
	scales(e, client, 2)
	works(e, client, "back")
	old.stop(lab.Scheduler, lab.ControllerManager, lab.APIServer)

	// And etcd is upgraded, as its own release has it: one that was stopped in order.
	code, err := etcd.Processes[0].Stop(harness.Patience)
	e.Must(err)
	e.Logf("etcd ended with exit code %d", code)
	etcd.Program = e.StockBinary("etcd")
	etcd.Start(0)
	c.StartReady()
	same(e, was, servedBy(e, c.Lab("admin.kubeconfig")), slices.Concat(byTheUpgrade, byTheTest))
	works(e, c.Client(), "again")
	c.StopInOrder()
}

// excuse is a change that has to be expected, and why.
type excuse struct{ resource, object, field, why string }

// byTheUpgrade are changes that a control plane makes by itself.
var byTheUpgrade = []excuse{
	{``, ``, `status(\..*)?`, "the controllers go on"},
	{`coordination\.k8s\.io/.* leases`, `kube-system/.*`, `.*`, "who leads, and which apiservers there are"},
	{`rbac\.authorization\.k8s\.io/v1 clusterroles`, `/(system:.*|admin|edit|view)`, `rules|metadata\.labels.*`, "a release gives its components what they need"},
	{`(discovery\.k8s\.io/)?v1 endpoint(s|slices)`, `default/kubernetes`, `subsets|endpoints|ports`, "ours has a port of its own here"},
	{`v1 configmaps`, `kube-system/(extension-apiserver-authentication|kube-apiserver-legacy-service-account-token-tracking)`, `data.*`, "an apiserver's own"},
	{`v1 nodes`, ``, `spec\.taints|metadata\.annotations.*`, "no kubelet keeps them alive"},
	{`apiregistration\.k8s\.io/v1 apiservices`, ``, `|metadata\..*`, "a release registers what it serves itself"},
	{`apps/v1 statefulsets`, `skew/db`, `spec\.updateStrategy\.rollingUpdate\.maxUnavailable`, "1.37 has a default for it"},
	{`storage\.k8s\.io/v1 csidrivers`, ``, `spec\.preventPodSchedulingIfMissing`, "1.37 has a default for it"},
	{`v1 secrets`, `skew/robot-token`, `metadata\.labels.*`, "when it was last used"},
}

// byTheTest are what the scenario itself has done since.
var byTheTest = []excuse{
	{``, ``, `metadata\.annotations.*`, "everything was written anew by it"},
	{`apps/v1 (deployments|replicasets)`, `skew/web.*`, `spec\.replicas`, "web was scaled"},
	{`v1 pods`, `skew/web-.*`, ``, "web was scaled"},
}

// same wants two servers to have the same objects, but for what is excused.
func same(e *harness.Env, was, is served, excused []excuse) {
	e.Helper()
	var all []string
	for _, c := range changed(was, is) {
		if !c.excused(excused) {
			all = append(all, c.String())
		}
	}
	if len(all) > 0 {
		e.Errorf("%d fields are not what they were:\n%s", len(all), strings.Join(all, "\n"))
	}
}

func (c change) excused(excused []excuse) bool {
	matches := func(pattern, text string) bool {
		return pattern == "" || regexp.MustCompile("^(?:"+pattern+")$").MatchString(text)
	}
	for _, x := range excused {
		if matches(x.resource, c.resource) && matches(x.object, c.object) && matches(x.field, c.field) {
			return true
		}
	}
	return false
}

// What somebody has edited, of what Kubernetes has by default.
const (
	leftAlone = "system:basic-user"
	addedTo   = "system:discovery"
)

// editedByHand takes the rules of a role that is to be left alone, and adds one to
// another.
func editedByHand(e *harness.Env, client kubernetes.Interface) {
	e.Helper()
	roles := client.RbacV1().ClusterRoles()
	_, err := roles.Patch(e.Context(), leftAlone, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"rbac.authorization.kubernetes.io/autoupdate":"false"}},"rules":[]}`), metav1.PatchOptions{})
	e.Must(err)
	role, err := roles.Get(e.Context(), addedTo, metav1.GetOptions{})
	e.Must(err)
	role.Rules = append(role.Rules, rbacv1.PolicyRule{NonResourceURLs: []string{"/skew"}, Verbs: []string{"get"}})
	_, err = roles.Update(e.Context(), role, metav1.UpdateOptions{})
	e.Must(err)
}

// stillByHand wants both as they were edited.
func stillByHand(e *harness.Env, client kubernetes.Interface) {
	e.Helper()
	role, err := client.RbacV1().ClusterRoles().Get(e.Context(), leftAlone, metav1.GetOptions{})
	e.Must(err)
	if len(role.Rules) > 0 {
		e.Errorf("%s, which is to be left alone, has rules again: %v", leftAlone, role.Rules)
	}
	role, err = client.RbacV1().ClusterRoles().Get(e.Context(), addedTo, metav1.GetOptions{})
	e.Must(err)
	if !strings.Contains(fmt.Sprint(role.Rules), "/skew") {
		e.Errorf("%s has lost the rule that somebody added: %v", addedTo, role.Rules)
	}
}

// settled waits until nothing is left to do for the controllers, and returns the token
// that is made for the service account robot.
func settled(e *harness.Env, client kubernetes.Interface) (token string) {
	e.Helper()
	e.Eventually("the objects to be settled", func(ctx context.Context) error {
		secret, err := client.CoreV1().Secrets("skew").Get(ctx, "robot-token", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if token = string(secret.Data["token"]); token == "" {
			return errors.New("robot has no token")
		}
		claim, err := client.CoreV1().PersistentVolumeClaims("skew").Get(ctx, "data-db-0", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if claim.Spec.VolumeName != "disk" {
			return errors.New("the claim is not bound")
		}
		return errors.Join(bound(ctx, client, "skew", "web", 3), bound(ctx, client, "skew", "db", 1), bound(ctx, client, "skew", "agent", 3))
	})
	return token
}

// encrypted wants the password to be in etcd, and not to be read there.
func encrypted(e *harness.Env, etcd *clientv3.Client) {
	e.Helper()
	r, err := etcd.Get(e.Context(), "/registry/secrets/skew/password")
	e.Must(err)
	if len(r.Kvs) != 1 || !strings.HasPrefix(string(r.Kvs[0].Value), "k8s:enc:") || strings.Contains(string(r.Kvs[0].Value), "battery") {
		e.Errorf("the Secret is not in etcd, or not encrypted: %q", r.Kvs)
	}
}

// authenticates wants a token of the release before to count, for what its role allows.
func authenticates(e *harness.Env, kubeconfig, token string) {
	e.Helper()
	config, err := cluster.Config(kubeconfig)
	e.Must(err)
	config = restclient.AnonymousClientConfig(config)
	config.BearerToken = token
	client, err := kubernetes.NewForConfig(config)
	e.Must(err)
	if _, err := client.CoreV1().ConfigMaps("skew").Get(e.Context(), "settings", metav1.GetOptions{}); err != nil {
		e.Errorf("the token of robot: %v", err)
	}
	if _, err := client.CoreV1().Secrets("skew").List(e.Context(), metav1.ListOptions{}); err == nil {
		e.Error("robot may list Secrets")
	}
}

// polices wants the admission policies to be in force: one refuses, one changes.
func polices(e *harness.Env, client kubernetes.Interface) {
	e.Helper()
	maps := client.CoreV1().ConfigMaps("skew")
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	e.Eventually("the policies to be in force", func(ctx context.Context) error {
		_, err := maps.Create(ctx, configMap("forbidden"), dryRun)
		if err == nil || !strings.Contains(err.Error(), "it is forbidden by the policy") {
			return fmt.Errorf("a ConfigMap that a policy forbids: %w", errors.Join(err, errors.New("it is not refused by it")))
		}
		marked, err := maps.Create(ctx, configMap("marked"), dryRun)
		if err == nil && marked.Labels["marked"] != "yes" {
			err = errors.New("a policy does not mark it")
		}
		return err
	})
}

// scales has the Deployment web have so many pods.
func scales(e *harness.Env, client kubernetes.Interface, replicas int) {
	e.Helper()
	_, err := client.AppsV1().Deployments("skew").Patch(e.Context(), "web", types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{})
	e.Must(err)
	e.Eventually(fmt.Sprintf("web to have %d pods", replicas), func(ctx context.Context) error {
		return bound(ctx, client, "skew", "web", replicas)
	})
}

// keepsNewer wants testdata/newer.yaml of a server, the one that accepts it and the one
// that would not.
func keepsNewer(e *harness.Env, client kubernetes.Interface, who string) {
	e.Helper()
	hpa, err := client.AutoscalingV2().HorizontalPodAutoscalers("skew").Get(e.Context(), "to-zero", metav1.GetOptions{})
	e.Must(err)
	if got := ptr.Deref(hpa.Spec.MinReplicas, -1); got != 0 {
		e.Errorf("%s: to-zero has a minimum of %d, want 0", who, got)
	}
	set, err := client.AppsV1().StatefulSets("skew").Get(e.Context(), "quick", metav1.GetOptions{})
	e.Must(err)
	if r := set.Spec.UpdateStrategy.RollingUpdate; r == nil || r.MaxUnavailable == nil || r.MaxUnavailable.IntValue() != 2 {
		e.Errorf("%s: quick does not replace 2 at once: %+v", who, r)
	}
}

// hasKubeletRBAC wants what the lab applies for the kubelet.
func hasKubeletRBAC(e *harness.Env, client kubernetes.Interface) {
	e.Helper()
	e.Eventually("the kubelet's RBAC", func(ctx context.Context) error {
		_, err := client.RbacV1().ClusterRoles().Get(ctx, "system:kube-apiserver-to-kubelet", metav1.GetOptions{})
		return err
	})
}
