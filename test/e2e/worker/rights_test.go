// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/test/e2e/harness/worker"
)

// asksKubelets has the kubelet's own port ask an apiserver who may do what there.
func (s *site) asksKubelets(w *worker.Worker) {
	s.Helper()
	for who, want := range map[string]int{
		"":               http.StatusUnauthorized, // anonymous
		"kubernetes":     http.StatusOK,           // the apiserver's certificate, of the RBAC that was applied
		"kube-scheduler": http.StatusForbidden,    // known, and without the right
	} {
		s.Eventually(fmt.Sprintf("the kubelet to answer %q with %d", who, want), func(ctx context.Context) error {
			got, err := s.askKubelet(ctx, w, who)
			if err == nil && got != want {
				err = fmt.Errorf("it answers %d", got)
			}
			return err
		})
	}
}

// askKubelet asks it for its pods, with one of the lab's certificates.
func (s *site) askKubelet(ctx context.Context, w *worker.Worker, certificate string) (int, error) {
	authority, err := os.ReadFile(s.files.Lab("ca.pem"))
	if err != nil {
		return 0, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: w.Name()}
	config.RootCAs.AppendCertsFromPEM(authority)
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(s.files.Lab(certificate+".pem"), s.files.Lab(certificate+"-key.pem"))
		if err != nil {
			return 0, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+w.Address()+":10250/pods", http.NoBody)
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{DialContext: s.user.Dial, TLSClientConfig: config, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	return response.StatusCode, nil
}

// restrictsNodes has a kubelet try what is another's: first has a pod that uses the
// secret kubernetes-the-hard-way, second has none.
func (s *site) restrictsNodes(first, second *worker.Worker) {
	s.Helper()
	s.kubectl("create", "secret", "generic", "unrelated", "--from-literal=mykey=mydata")
	as := func(w *worker.Worker) *kubernetes.Clientset {
		client, err := kubernetes.NewForConfig(s.configOf(s.kubeconfigOf(w)))
		s.Must(err)
		return client
	}
	label := func(node, key string) func(*kubernetes.Clientset) error {
		return func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().Nodes().Patch(s.Context(), node, types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:"x"}}}`, key), metav1.PatchOptions{})
			return err
		}
	}
	secret := func(name string) func(*kubernetes.Clientset) error {
		return func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().Secrets(metav1.NamespaceDefault).Get(s.Context(), name, metav1.GetOptions{})
			return err
		}
	}
	for _, try := range []struct {
		what    string
		who     *worker.Worker
		does    func(*kubernetes.Clientset) error
		refusal string // in what is said; empty: it may
	}{
		{"label itself", first, label(first.Name(), "example.com/x"), ""},
		{"label the other node", first, label(second.Name(), "example.com/x"), "is not allowed to modify node"},
		{"give itself a restricted label", first, label(first.Name(), corev1.LabelNamespaceNodeRestriction+"/x"), "is not allowed to modify labels"},
		{"read a secret of its pods", first, secret("kubernetes-the-hard-way"), ""},
		{"read a secret of the other's pods", second, secret("kubernetes-the-hard-way"), "no relationship found"},
		{"read a secret of nobody's", first, secret("unrelated"), "no relationship found"},
		{"list secrets", first, func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().Secrets(metav1.NamespaceDefault).List(s.Context(), metav1.ListOptions{})
			return err
		}, "No Object name found"},
		{"delete a pod of the other's", first, func(c *kubernetes.Clientset) error {
			return c.CoreV1().Pods(metav1.NamespaceDefault).Delete(s.Context(), "web-on-"+second.Name(), metav1.DeleteOptions{})
		}, "can only delete pods with spec.nodeName set to itself"},
	} {
		err := try.does(as(try.who))
		switch {
		case try.refusal == "" && err != nil:
			s.Errorf("%s may not %s: %v", try.who.Name(), try.what, err)
		case try.refusal != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), try.refusal)):
			s.Errorf("%s is to be refused to %s with %q, and gets: %v", try.who.Name(), try.what, try.refusal, err)
		}
	}
}

// kubeconfigOf is a kubelet's own, made to be used from outside the worker.
func (s *site) kubeconfigOf(w *worker.Worker) string {
	s.Helper()
	config, err := clientcmd.LoadFromFile(w.Outside("var/lib/kubelet/kubeconfig"))
	s.Must(err)
	for _, a := range config.AuthInfos {
		if a.ClientCertificate == "" {
			continue // it is in the kubeconfig itself
		}
		// Both are in the file that a TLS bootstrap leaves, behind a link of the worker's.
		target, err := os.Readlink(w.Outside(a.ClientCertificate))
		s.Must(err)
		data, err := os.ReadFile(w.Outside(target))
		s.Must(err)
		a.ClientCertificate, a.ClientKey, a.ClientCertificateData, a.ClientKeyData = "", "", data, data
	}
	path := s.Path(w.Name() + ".kubeconfig")
	s.Must(clientcmd.WriteToFile(*config, path))
	return path
}
