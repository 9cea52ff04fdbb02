// SPDX-License-Identifier: Apache-2.0

// Package worker joins real workers to three controllers behind haproxy and does what the
// lab's chapters 09 to 13 do there; and it restarts the controllers while users of the
// workers are connected through them. It takes root, and what make e2e-worker builds.
package worker

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
	"github.com/khw-controller/khw-controller/test/e2e/harness/worker"
)

const (
	// balancerAddress is the lab's KUBERNETES_PUBLIC_ADDRESS.
	balancerAddress = "10.240.0.100"
	server          = "https://" + balancerAddress + ":6443"
	userAddress     = "10.240.0.200"
	// workers is how many there are at most.
	workers = 2
)

//go:embed manifests
var manifests embed.FS

// site is the lab: controllers, a balancer, workers, and a user with kubectl.
type site struct {
	*harness.Env
	network     *machine.Network
	files       *harness.Controller // the lab's, and its CA
	controllers []*trio.Node
	user        *machine.Host
	admin       *restclient.Config // through the balancer
	client      *kubernetes.Clientset
	kubeconfig  string
	kubectlPath string
}

// newSite starts the controllers, with more arguments, and the balancer.
func newSite(t *testing.T, more ...string) *site {
	t.Helper()
	if os.Getenv("WORKER") == "" {
		t.Skip("make e2e-worker runs it")
	}
	e := harness.New(t)
	s := &site{Env: e, files: e.Controller("lab", cluster.DefaultPorts()), network: machine.NewNetwork(e)}
	s.files.PrepareAsInTheLab(balancerAddress)
	s.controllers = trio.HostsOn(s.network)
	for _, n := range s.controllers {
		n.Prepare(s.files, "root")
		n.Knows(worker.Names(workers))
		n.Args = append(append(n.Args, "--kube-apiserver-arg", "enable-bootstrap-token-auth=true"), more...)
		s.place("manifests/bootstrap.yaml", filepath.Join(n.Root, "etc/kubernetes/manifests.d/bootstrap.yaml"))
		n.Start()
	}
	trio.Balance(s.network.Host("balancer", balancerAddress), false)

	s.user = s.network.Host("user", userAddress)
	s.kubeconfig, s.kubectlPath = e.Path("admin.kubeconfig"), e.Path("kubectl")
	s.files.LabKubeconfig("admin", "admin", server, s.kubeconfig)
	e.Must(os.Symlink(e.Binary(), s.kubectlPath))
	s.admin = s.configOf(s.kubeconfig)
	var err error
	s.client, err = kubernetes.NewForConfig(s.admin)
	e.Must(err)
	for _, n := range s.controllers {
		n.AwaitReady()
	}
	e.Eventually("an apiserver behind the balancer", func(ctx context.Context) error { return cluster.Readyz(ctx, s.client) })
	e.Eventually("the default service account", func(ctx context.Context) error { return cluster.DefaultServiceAccount(ctx, s.client) })
	return s
}

// place writes one of the manifests to a file.
func (s *site) place(name, path string) {
	s.Helper()
	data, err := manifests.ReadFile(name)
	s.Must(err)
	s.Must(os.MkdirAll(filepath.Dir(path), 0o755))
	s.Must(os.WriteFile(path, data, 0o600))
}

// configOf is how who has a kubeconfig reaches an apiserver from where the user is.
func (s *site) configOf(kubeconfig string) *restclient.Config {
	s.Helper()
	config, err := cluster.Config(kubeconfig)
	s.Must(err)
	config.Dial = s.user.Dial
	return config
}

// start starts a worker, with a token or the lab's certificate.
func (s *site) start(index int, token string) *worker.Worker {
	s.Helper()
	return worker.Start(s.network, worker.Spec{Index: index, Server: server, Files: s.files, Token: token})
}

// awaitNode waits for a node to be ready.
func (s *site) awaitNode(name string) *corev1.Node {
	s.Helper()
	var node *corev1.Node
	s.Within(2*harness.Patience, "the node "+name+" to be ready", func(ctx context.Context) (err error) {
		if node, err = s.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		if c := ready(node); c.Status != corev1.ConditionTrue {
			return fmt.Errorf("%s: %s", c.Reason, c.Message)
		}
		return nil
	})
	return node
}

// ready is a node's condition of that name.
func ready(node *corev1.Node) corev1.NodeCondition {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c
		}
	}
	return corev1.NodeCondition{Reason: "NotYet", Message: "it has no such condition"}
}

// try runs kubectl where the user is.
func (s *site) try(ctx context.Context, input string, args ...string) (string, error) {
	cmd := s.user.Command(ctx, s.kubectlPath, s.arguments(args)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	return string(out), err
}

func (s *site) arguments(args []string) []string {
	return append([]string{"--kubeconfig", s.kubeconfig, "--cache-dir", s.Path("kubectl-cache")}, args...)
}

// kubectl runs it, and it has to succeed.
func (s *site) kubectl(args ...string) string {
	s.Helper()
	return s.kubectlWith("", args...)
}

// kubectlWith is kubectl with something on its standard input.
func (s *site) kubectlWith(input string, args ...string) string {
	s.Helper()
	out, err := s.try(s.Context(), input, args...)
	if err != nil {
		s.Fatalf("kubectl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// startKubectl starts one that goes on.
func (s *site) startKubectl(name string, args ...string) *process.Process {
	s.Helper()
	return s.user.Start(name, process.Spec{Path: s.kubectlPath, Args: s.arguments(args)})
}

// get asks an HTTP server, as one who is where the user is.
func (s *site) get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DialContext: s.user.Dial, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

// awaitGet asks until the answer contains something.
func (s *site) awaitGet(url, want string) {
	s.Helper()
	s.Eventually(url+" to answer", func(ctx context.Context) error {
		body, err := s.get(ctx, url)
		if err == nil && !strings.Contains(body, want) {
			err = fmt.Errorf("it answers %q", body)
		}
		return err
	})
}

// pod runs a command on a node, and waits until the pod is ready.
func (s *site) pod(name, node string, change func(*corev1.PodSpec), command ...string) *corev1.Pod {
	s.Helper()
	pods := s.client.CoreV1().Pods(metav1.NamespaceDefault)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{corev1.LabelHostname: node},
			Containers:   []corev1.Container{{Name: "main", Image: worker.Agnhost, Command: command}},
		},
	}
	if change != nil {
		change(&p.Spec)
	}
	_, err := pods.Create(s.Context(), p, metav1.CreateOptions{})
	s.Must(err)
	s.Within(2*harness.Patience, "the pod "+name+" to be ready", func(ctx context.Context) (err error) {
		if p, err = pods.Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("it is %s: %v", p.Status.Phase, p.Status.ContainerStatuses)
	})
	return p
}
