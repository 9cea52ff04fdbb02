// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	certutil "k8s.io/client-go/util/cert"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// apiService is an APIService with its Service: group, service, port, how its certificate
// is judged. The lab's flags have the apiserver reach a Service at its cluster address, for
// which a controller has no kube-proxy; what is outside of the cluster it reaches by name.
const apiService = `apiVersion: v1
kind: Service
metadata: {name: %[2]s, namespace: default}
spec: {type: ExternalName, externalName: 127.0.0.1}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.%[1]s}
spec:
  group: %[1]s
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 10
  service: {namespace: default, name: %[2]s, port: %[3]d}
  %[4]s
`

// The groups of the aggregated APIs.
const (
	works = "works.example.com"
	lost  = "gone.example.com"
	hangs = "hangs.example.com"
)

// aggregated are three aggregated APIs: one that works, one without a backend, and one
// whose backend hangs.
type aggregated struct {
	asked atomic.Pointer[http.Request] // the last request for an object
	cut   func()
}

// aggregate puts them on the cluster, and waits until it knows how each is.
func aggregate(c *harness.Controller) *aggregated {
	c.Helper()
	a := &aggregated{}
	a.start(c, &tls.Config{ClientAuth: tls.RequestClientCert})
	address, _, cut := hanging(c)
	a.cut = cut
	register(c, hangs, "hangs", address, "insecureSkipTLSVerify: true")
	register(c, lost, "gone", address, "insecureSkipTLSVerify: true")
	c.Kubectl("delete", "service", "gone")
	a.serve(c)
	return a
}

// start starts the backend of the working one, with what more config says, and registers it.
func (a *aggregated) start(c *harness.Controller, config *tls.Config) {
	c.Helper()
	certificate, key, err := certutil.GenerateSelfSignedCertKey("works.default.svc", nil, nil)
	c.Must(err)
	pair, err := tls.X509KeyPair(certificate, key)
	c.Must(err)
	config.Certificates, config.MinVersion = []tls.Certificate{pair}, tls.VersionTLS12
	server := httptest.NewUnstartedServer(http.HandlerFunc(a.answer))
	server.TLS = config
	server.StartTLS()
	c.Cleanup(server.Close)
	register(c, works, "works", server.Listener.Addr(), "caBundle: "+base64.StdEncoding.EncodeToString(certificate))
}

// register puts an aggregated API with its Service on the cluster.
func register(c *harness.Controller, group, service string, at net.Addr, judged string) {
	c.Helper()
	path := c.Path(group + ".yaml")
	c.Must(os.WriteFile(path, fmt.Appendf(nil, apiService, group, service, at.(*net.TCPAddr).Port, judged), 0o600))
	c.Kubectl("apply", "-f", path)
}

// awaitWidget waits until kubectl gets the object of the working one.
func awaitWidget(c *harness.Controller) {
	c.Helper()
	c.Eventually("kubectl to get a widget", func(ctx context.Context) error {
		out, err := kubectl(ctx, c, "get", "widgets", "one", "-o", "jsonpath={.spec}")
		if err != nil || out != "as served" {
			return fmt.Errorf("%s (%w)", out, err)
		}
		return nil
	})
}

// answer is what the backend of the working one answers.
func (a *aggregated) answer(w http.ResponseWriter, r *http.Request) {
	widget := map[string]any{"apiVersion": works + "/v1", "kind": "Widget", "metadata": map[string]any{"name": "one", "namespace": "default"}, "spec": "as served"}
	var body any
	switch r.URL.Path {
	case "/apis/" + works + "/v1":
		body = metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: works + "/v1",
			APIResources: []metav1.APIResource{{Name: "widgets", SingularName: "widget", Namespaced: true, Kind: "Widget", Verbs: metav1.Verbs{"get", "list"}}},
		}
	case "/apis/" + works + "/v1/namespaces/default/widgets/one":
		a.asked.Store(r)
		body = widget
	case "/apis/" + works + "/v1/namespaces/default/widgets":
		body = map[string]any{"apiVersion": works + "/v1", "kind": "WidgetList", "metadata": map[string]any{}, "items": []any{widget}}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// serve wants what clients see of each.
func (a *aggregated) serve(c *harness.Controller) {
	c.Helper()
	for group, want := range map[string]string{works: "True Passed", lost: "False ServiceNotFound", hangs: "False FailedDiscoveryCheck"} {
		c.Eventually(group+" to be "+want, func(context.Context) error {
			got := c.Kubectl("get", "apiservice", "v1."+group, "-o", `jsonpath={.status.conditions[?(@.type=="Available")].status} {.status.conditions[?(@.type=="Available")].reason}`)
			if got != want {
				return errors.New(got)
			}
			return nil
		})
	}
	c.Eventually("kubectl to get a widget", func(ctx context.Context) error {
		out, err := kubectl(ctx, c, "get", "widgets", "one", "-o", "jsonpath={.spec}")
		if err != nil || out != "as served" {
			return fmt.Errorf("%s (%w)", out, err)
		}
		return nil
	})
	// The lab has no --requestheader-client-ca-file and no --proxy-client-cert-file: a backend is
	// told who asks, and has no certificate by which it could believe that.
	if r := a.asked.Load(); r.Header.Get("X-Remote-User") != "admin" || len(r.TLS.PeerCertificates) != 0 {
		c.Errorf("the backend is told that %q asks, with %d certificates", r.Header.Get("X-Remote-User"), len(r.TLS.PeerCertificates))
	}
	out := c.Kubectl("api-resources", "-o", "name")
	for _, want := range []string{"configmaps\n", "deployments.apps\n", "widgets." + works + "\n"} {
		if !strings.Contains(out, want) {
			c.Errorf("kubectl api-resources lists %q, without %q", out, want)
		}
	}
}

// same wants two apiservers to say the same of all three, to client-go and to kubectl.
func (a *aggregated) same(c *harness.Controller, stock *harness.Stock) {
	c.Helper()
	ours, theirs := c.Client(), stock.Client()
	c.Eventually("both to say the same of aggregated APIs", func(ctx context.Context) error {
		got := discovered(ctx, ours) + listed(ctx, c, c.Lab("admin.kubeconfig"))
		want := discovered(ctx, theirs) + listed(ctx, c, stock.Kubeconfig())
		if got != want {
			return fmt.Errorf("it says\n%s\nand stock\n%s", got, want)
		}
		for _, said := range []string{lost + "/v1: 503", hangs + "/v1: 503", works + "/v1: 200", "stale GroupVersion discovery"} {
			if !strings.Contains(got, said) {
				return fmt.Errorf("both say\n%s\nwithout %s", got, said)
			}
		}
		return nil
	})
}

// discovered is what an apiserver says of all three to who discovers.
func discovered(ctx context.Context, client kubernetes.Interface) string {
	var said strings.Builder
	for _, group := range []string{works, lost, hangs} {
		code := 0
		body, err := client.Discovery().RESTClient().Get().AbsPath("/apis/" + group + "/v1").Do(ctx).StatusCode(&code).Raw()
		fmt.Fprintf(&said, "%s/v1: %d %s (%v)\n", group, code, body, err)
	}
	groups, resources, err := client.Discovery().ServerGroupsAndResources()
	fmt.Fprintf(&said, "%d groups, %d lists of resources (%v)\n", len(groups), len(resources), err)
	return said.String()
}

// listed is what stock's kubectl prints of an apiserver's APIs, and of what is none.
func listed(ctx context.Context, c *harness.Controller, kubeconfig string) string {
	var said strings.Builder
	for _, args := range [][]string{{"api-resources", "-o", "name"}, {"get", "widgets", "-o", "name"}, {"get", "gadgets." + lost}, {"get", "gadgets." + hangs}} {
		out, err := exec.CommandContext(ctx, c.StockBinary("kubectl"), append(args, "--kubeconfig", kubeconfig, "--cache-dir", kubeconfig+".cache")...).CombinedOutput()
		fmt.Fprintf(&said, "kubectl %s: %s (%v)\n", strings.Join(args, " "), out, err)
	}
	return said.String()
}

// holdNamespaces wants a namespace to be kept for as long as it is not known what is in
// it, to say so as upstream does, and to go when the APIs that fail are taken away.
func (a *aggregated) holdNamespaces(c *harness.Controller) {
	c.Helper()
	namespaces := c.Client().CoreV1().Namespaces()
	_, err := namespaces.Create(c.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "held"}}, metav1.CreateOptions{})
	c.Must(err)
	c.Must(namespaces.Delete(c.Context(), "held", metav1.DeleteOptions{}))
	c.Eventually("the namespace to say why it stays", func(ctx context.Context) error {
		ns, err := namespaces.Get(ctx, "held", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range ns.Status.Conditions {
			if condition.Type == corev1.NamespaceDeletionDiscoveryFailure && condition.Status == corev1.ConditionTrue && strings.Contains(condition.Message, lost) {
				return nil
			}
		}
		return fmt.Errorf("its conditions are %v", ns.Status.Conditions)
	})
	a.cut()
	c.Kubectl("delete", "apiservice", "v1."+lost, "v1."+hangs)
	c.Eventually("the namespace to go", func(ctx context.Context) error {
		if _, err := namespaces.Get(ctx, "held", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there (%w)", err)
		}
		return nil
	})
}

// kubectl is [harness.Controller.Kubectl] for what may fail: it returns what is printed,
// and what is said on stderr as an error.
func kubectl(ctx context.Context, c *harness.Controller, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, c.Binary(), append([]string{"kubectl", "--root", c.Root}, args...)...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return string(out), fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	return string(out), err
}
