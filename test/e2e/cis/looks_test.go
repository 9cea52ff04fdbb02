// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/pkg/profile"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// get returns the status code and the body of an answer.
func get(c *harness.Controller, config *restclient.Config, url string) (code int, body string) {
	c.Helper()
	client, err := restclient.HTTPClientFor(config)
	c.Must(err)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, url, http.NoBody)
	c.Must(err)
	resp, err := client.Do(req)
	c.Must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	c.Must(err)
	return resp.StatusCode, string(data)
}

func admin(c *harness.Controller) *restclient.Config {
	c.Helper()
	config, err := cluster.Config(c.Lab("admin.kubeconfig"))
	c.Must(err)
	return config
}

// healthChecksWork asks where the lab's load balancers do.
func healthChecksWork(c *harness.Controller) {
	c.Helper()
	for _, path := range []string{"/", "/healthz", "/livez", "/readyz"} {
		code, body := get(c, &restclient.Config{}, fmt.Sprintf("http://127.0.0.1:%d%s", c.Ports.Health, path))
		if code != http.StatusOK || strings.TrimSpace(body) != "ok" {
			c.Errorf("the health port answers %d %q to %s", code, body, path)
		}
	}
}

func nobodyIsLetIn(c *harness.Controller) {
	c.Helper()
	config := admin(c)
	for _, path := range []string{"/version", "/livez", "/api/v1/namespaces"} {
		if code, _ := get(c, restclient.AnonymousClientConfig(config), config.Host+path); code != http.StatusUnauthorized {
			c.Errorf("without credentials, %s answers %d", path, code)
		}
		if code, _ := get(c, config, config.Host+path); code != http.StatusOK {
			c.Errorf("with those of the admin, %s answers %d", path, code)
		}
	}
}

// noProfiles asks as the admin, who may see everything that is there.
func noProfiles(c *harness.Controller) {
	c.Helper()
	for component, port := range c.Ports.Secure() {
		config := admin(c)
		config.Insecure, config.CAData, config.CAFile = true, nil, "" // the controller-manager's certificate is for localhost
		host := fmt.Sprintf("https://127.0.0.1:%d", port)
		if code, _ := get(c, config, host+"/metrics"); code != http.StatusOK {
			c.Errorf("%s shows the admin no metrics (%d), and the test shows nothing", component, code)
		}
		if code, _ := get(c, config, host+"/debug/pprof/heap"); code != http.StatusNotFound {
			c.Errorf("%s answers %d to /debug/pprof/heap", component, code)
		}
	}
}

// onlyStrongSuites shakes hands by TLS 1.2 with each suite that Go has.
func onlyStrongSuites(c *harness.Controller) {
	c.Helper()
	cert, err := tls.LoadX509KeyPair(c.Lab("kubernetes.pem"), c.Lab("kubernetes-key.pem"))
	c.Must(err)
	ports := map[string]int{"etcd": c.Ports.EtcdClient}
	for component, port := range c.Ports.Secure() {
		ports[string(component)] = port
	}
	for component, port := range ports {
		var taken []string
		for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
			if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
				continue
			}
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{
				InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID},
			})
			if err != nil {
				continue
			}
			conn.Close()
			taken = append(taken, suite.Name)
		}
		if len(taken) == 0 {
			c.Errorf("%s takes no suite, and the test shows nothing", component)
		}
		for _, name := range taken {
			if !slices.Contains(profile.StrongSuites(), name) {
				c.Errorf("%s takes %s", component, name)
			}
		}
	}
}

// warned keeps what the apiserver warns of.
type warned struct{ text []string }

func (w *warned) HandleWarningHeader(_ int, _, text string) { w.text = append(w.text, text) }

// podsAreLookedAt wants baseline where no label says else, a warning of restricted, and
// nothing of that in kube-system.
func podsAreLookedAt(c *harness.Controller) {
	c.Helper()
	warnings := &warned{}
	config := admin(c)
	config.WarningHandler = warnings
	client, err := kubernetes.NewForConfig(config)
	c.Must(err)
	c.Eventually("a service account", func(ctx context.Context) error { return cluster.DefaultServiceAccount(ctx, client) })
	create := func(namespace, name string, privileged bool) error {
		_, err := client.CoreV1().Pods(namespace).Create(c.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PodSpec{AutomountServiceAccountToken: new(bool), Containers: []corev1.Container{{
				Name: "c", Image: "registry.k8s.io/pause", SecurityContext: &corev1.SecurityContext{Privileged: &privileged},
			}}},
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	if err := create(metav1.NamespaceDefault, "privileged", true); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "baseline:latest": privileged`) {
		c.Errorf("a privileged pod is answered with %v", err)
	}
	if err := create(metav1.NamespaceDefault, "ordinary", false); err != nil || !strings.Contains(strings.Join(warnings.text, "\n"), `would violate PodSecurity "restricted:latest"`) {
		c.Errorf("an ordinary pod is answered with %v and the warnings %q", err, warnings.text)
	}
	c.Eventually("a service account in kube-system", func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceSystem).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	if err := create(metav1.NamespaceSystem, "privileged", true); err != nil {
		c.Errorf("a privileged pod in kube-system is answered with %v", err)
	}
}

func servicesAreLookedAt(c *harness.Controller) {
	c.Helper()
	_, err := c.Client().CoreV1().Services(metav1.NamespaceDefault).Create(c.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "thief"},
		Spec:       corev1.ServiceSpec{ExternalIPs: []string{"192.0.2.200"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) {
		c.Errorf("a service with an external IP is answered with %v", err)
	}
}

// auditIsUseful wants to find what was done, and nothing that is secret or noise.
func auditIsUseful(c *harness.Controller, secrets []string) {
	c.Helper()
	is := func(e auditv1.Event, verb, resource, subresource, name string) bool {
		o := e.ObjectRef
		return o != nil && e.User.Username == "admin" && e.Verb == verb && o.Resource == resource && o.Subresource == subresource && (name == "" || o.Name == name)
	}
	for what, want := range map[string]func(auditv1.Event) bool{
		"the secret that was made": func(e auditv1.Event) bool {
			return is(e, "create", "secrets", "", "cis") && e.Level == auditv1.LevelMetadata
		},
		"the secret that was read": func(e auditv1.Event) bool { return is(e, "get", "secrets", "", "cis") },
		"the token":                func(e auditv1.Event) bool { return is(e, "create", "serviceaccounts", "token", "default") },
		"the pod that was refused": func(e auditv1.Event) bool {
			return is(e, "create", "pods", "", "privileged") && e.ResponseStatus.Code == 403
		},
		"the binding, with content": func(e auditv1.Event) bool {
			return is(e, "create", "clusterrolebindings", "", "") && e.RequestObject != nil && strings.Contains(string(e.RequestObject.Raw), "somebody")
		},
	} {
		c.Eventually("the audit log to have "+what, func(context.Context) error {
			events := c.Audit(c.Root)
			if !slices.ContainsFunc(events, want) {
				return fmt.Errorf("it is not among %d", len(events))
			}
			return nil
		})
	}
	events := c.Audit(c.Root)
	for _, e := range events {
		noise := e.Stage == auditv1.StageRequestReceived || e.ObjectRef == nil && (strings.HasPrefix(e.RequestURI, "/readyz") || strings.HasPrefix(e.RequestURI, "/apis/")) ||
			e.ObjectRef != nil && (e.ObjectRef.Resource == "leases" || e.ObjectRef.Resource == "events") ||
			e.User.Username == "system:kube-scheduler" && slices.Contains([]string{"get", "list", "watch"}, e.Verb)
		if noise {
			c.Errorf("noise: %s %s by %s (%s)", e.Verb, e.RequestURI, e.User.Username, e.Stage)
		}
	}
	c.Logf("%d events", len(events))
	data, err := os.ReadFile(filepath.Join(c.Root, "var/log/audit.log"))
	c.Must(err)
	for _, s := range secrets {
		if strings.Contains(string(data), s) {
			c.Errorf("the audit log has the value %.8s…", s)
		}
	}
}
