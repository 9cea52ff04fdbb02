// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

const balancerAddress = "10.240.0.100"

// balancer is a plain TCP balancer that asks port 80 for health and neither tries
// again nor anybody else: it hides nothing.
const balancer = `defaults
  mode tcp
  retries 0
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option httpchk GET /healthz
  http-check send hdr Host kubernetes.default.svc.cluster.local
  http-check expect status 200
  default-server check port 80 inter 1s fall 2 rise 2
frontend kubernetes
  bind *:6443
  default_backend controllers
backend controllers
  balance roundrobin
  server controller-0 10.240.0.10:6443
  server controller-1 10.240.0.11:6443
  server controller-2 10.240.0.12:6443
`

// drain is twice the balancer's interval, and more for a slow machine.
const drain = "--drain=6s"

// TestThreeControllers adopts one after the other, and undoes the first, under a load
// that counts what is refused.
func TestThreeControllers(t *testing.T) {
	e := harness.New(t)
	lab := e.Controller("lab", cluster.DefaultPorts())
	lab.PrepareAsInTheLab()
	network := machine.NewNetwork(e)
	var nodes []node
	var peers, members []string
	for i := range 3 {
		name, address := fmt.Sprintf("controller-%d", i), fmt.Sprintf("10.240.0.%d", 10+i)
		nodes = append(nodes, node{network.Boot(name, address)})
		peers, members = append(peers, name+"=https://"+address+":2380"), append(members, "https://"+address+":2379")
	}
	for _, n := range nodes {
		n.makeByHand(lab, members, "--initial-cluster "+strings.Join(peers, ","))
		n.systemctl("start", "--no-block", "etcd")
	}
	for _, n := range nodes {
		n.systemctl("start", "etcd")
		n.startByHand()
	}
	load := startLoad(e, network.Host("balancer", balancerAddress), lab)
	load.awaitMore(e, 100)
	before := nodes[0].state()
	for _, n := range nodes {
		n.mustSay(n.mustAdopt("--apply", drain), "adopted")
		n.runs(true, unit)
		load.awaitMore(e, 100)
	}
	nodes[0].mustAdopt("--undo", drain)
	nodes[0].mustBeAs("after an undo", before)
	nodes[0].awaitHealthy()
	load.awaitMore(e, 100)
	load.stop()

	load.mustBeAll(e)
}

// load is what clients do through the balancer: half of them keep their connections,
// and half make one for each request.
type load struct {
	clients []*kubernetes.Clientset
	stop    func()

	mu       sync.Mutex
	acked    []string
	failures []string
}

// writers is how many write at once.
const writers = 4

// retries are how often a request is tried again that was answered with Retry-After,
// by whether connections are kept. Who comes anew is never sent to a controller that
// stops, and is never told so. On a connection that is kept through the balancer the
// stock apiserver, which has no shutdown delay, tells whom it no longer serves to come
// again, and client-go does, as often as this.
var retries = map[bool]int{true: 10, false: 0}

func startLoad(e *harness.Env, at *machine.Host, lab *harness.Controller) *load {
	e.Helper()
	file := e.Path("haproxy.cfg")
	e.Must(os.WriteFile(file, []byte(balancer), 0o600))
	at.Start("haproxy", process.Spec{Path: "/usr/sbin/haproxy", Args: []string{"-db", "-f", file}})
	l := &load{}
	ctx, cancel := context.WithCancel(e.Context())
	var wg sync.WaitGroup
	for i := range writers {
		client := through(e, at, lab, i%2 == 0)
		l.clients = append(l.clients, client)
		e.Eventually("the balancer to send somebody somewhere", func(ctx context.Context) error {
			_, err := client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
			return err
		})
		wg.Go(func() { l.write(ctx, client, i, retries[i%2 == 0]) })
	}
	l.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	e.Cleanup(l.stop)
	return l
}

// through returns a client that reaches the controllers by the balancer.
func through(e *harness.Env, at *machine.Host, lab *harness.Controller, keep bool) *kubernetes.Clientset {
	e.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", lab.Lab("admin.kubeconfig"))
	e.Must(err)
	config.Host = "https://" + balancerAddress + ":6443"
	config.ServerName = "kubernetes.default"
	config.QPS, config.Burst, config.Timeout = 1000, 1000, 30*time.Second
	config.Dial = at.Dial
	if !keep {
		tlsConfig, err := rest.TLSConfigFor(config)
		e.Must(err)
		config.Transport = &http.Transport{TLSClientConfig: tlsConfig, DialContext: at.Dial, DisableKeepAlives: true}
		config.TLSClientConfig, config.Dial = rest.TLSClientConfig{}, nil
	}
	client, err := kubernetes.NewForConfig(config)
	e.Must(err)
	return client
}

// write makes ConfigMaps, and remembers what was answered.
func (l *load) write(ctx context.Context, client *kubernetes.Clientset, i, retries int) {
	for k := 0; ctx.Err() == nil; k++ {
		name := fmt.Sprintf("write-%d-%d", i, k)
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
		result := client.CoreV1().RESTClient().Post().Namespace(metav1.NamespaceDefault).Resource("configmaps").Body(object).MaxRetries(retries).Do(ctx)
		err := result.Error()
		if ctx.Err() != nil {
			return // cut off by the test itself
		}
		l.mu.Lock()
		if err == nil {
			l.acked = append(l.acked, name)
		} else {
			l.failures = append(l.failures, fmt.Sprintf("%s %s: %v", time.Now().Format(time.TimeOnly), name, err))
		}
		l.mu.Unlock()
	}
}

func (l *load) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

func (l *load) awaitMore(e *harness.Env, more int) {
	e.Helper()
	from := l.acknowledged()
	e.Eventually(fmt.Sprintf("%d more writes", more), func(context.Context) error {
		if got := l.acknowledged() - from; got < more {
			return fmt.Errorf("%d are acknowledged", got)
		}
		return nil
	})
}

// mustBeAll wants no request to have failed, and all that was acknowledged to be there.
func (l *load) mustBeAll(e *harness.Env) {
	e.Helper()
	if len(l.failures) > 0 {
		e.Errorf("%d requests failed:\n%s", len(l.failures), strings.Join(l.failures[:min(20, len(l.failures))], "\n"))
	}
	found, err := l.clients[0].CoreV1().ConfigMaps(metav1.NamespaceDefault).List(e.Context(), metav1.ListOptions{})
	e.Must(err)
	there := map[string]bool{}
	for _, c := range found.Items {
		there[c.Name] = true
	}
	lost := slices.DeleteFunc(slices.Clone(l.acked), func(name string) bool { return there[name] })
	if len(lost) > 0 || len(l.acked) == 0 {
		e.Errorf("%d of %d acknowledged writes are lost", len(lost), len(l.acked))
	}
	e.Logf("%d writes were acknowledged, %d requests failed, %d lost", len(l.acked), len(l.failures), len(lost))
}
