// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
)

// The machine: one core, and the MemoryMax= that docs/profiles.md has for one with 1 GiB
// that runs other things.
const (
	memoryMax = 800 << 20
	oneCore   = "/usr/bin/taskset --cpu-list 0"
)

// What is stored, and who wants to have it: as many lists at once, as often as they can.
const (
	objects, objectSize = 4000, 5 << 10
	lists, connections  = 500, 10
)

// The flood lasts until so many lists were served, and refused, and each lease renewed.
const (
	enoughServed, enoughRefused, enoughRenewals = 100, 1000, 8
)

// TestEdgeShedsAFlood has somebody list everything, on a machine that is as small as
// edge is for: most of it is refused, nothing is killed, and who keeps the cluster
// going is served.
func TestEdgeShedsAFlood(t *testing.T) {
	e := harness.New(t)
	group := machine.NewMemoryGroup(e, "edge", memoryMax)
	c := e.Controller("edge", e.FreePorts())
	c.Args = []string{"--profile", "edge"}
	c.Under = slices.Concat(group.Under(), strings.Fields(oneCore))
	c.StartReady()
	e.Eventually("both leases", func(ctx context.Context) error { return cluster.BothHeld(ctx, c.Client()) })
	holders := heldBy(c)
	store(c)
	client := aClient(c)
	metrics, err := c.Client().Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	e.Must(err)
	if want := fmt.Sprintf("\nkhw_memory_limit_bytes %g\n", float64(memoryMax)); !strings.Contains(string(metrics), want) {
		t.Errorf("the limit is not known to be %d", memoryMax)
	}
	t.Logf("before: %d MB", group.Peak()>>20)

	ctx, stop := context.WithCancel(e.Context())
	defer stop()
	f := &flood{client: client, url: fmt.Sprintf("https://127.0.0.1:%d/api/v1/configmaps", c.Ports.APIServer)}
	others := &bystanders{c: c, renewals: map[string]int{}, renewed: map[string]time.Time{}}
	var wg sync.WaitGroup
	for range lists {
		wg.Go(func() { f.list(ctx) })
	}
	for _, each := range []func(context.Context){others.health, others.kubectl, others.leases} {
		wg.Go(func() { each(ctx) })
	}
	c.WithinAlive(c.Process, 10*time.Minute, "the flood to be shed", func(context.Context) error {
		renewals := others.leastRenewals()
		if f.served.Load() < enoughServed || f.refused.Load() < enoughRefused || renewals < enoughRenewals {
			return fmt.Errorf("%s; each lease was renewed %d times", f, renewals)
		}
		return nil
	})
	stop()
	wg.Wait()
	t.Logf("%s; %s; %d MB of %d at most", f, others, group.Peak()>>20, memoryMax>>20)

	if n := group.Kills(); n > 0 {
		t.Errorf("the kernel has killed %d processes", n)
	}
	if n := f.withoutRetryAfter.Load(); n > 0 {
		t.Errorf("%d refusals do not say when to come back", n)
	}
	for name, holder := range heldBy(c) {
		if holder != holders[name] {
			t.Errorf("the lease %s was %s's, and is %s's", name, holders[name], holder)
		}
	}
	others.judge(t)
	c.StopInOrder()
}

// heldBy are the holders of the leases.
func heldBy(c *harness.Controller) map[string]string {
	c.Helper()
	held := map[string]string{}
	for _, name := range cluster.Leases() {
		lease, err := cluster.Lease(c.Context(), c.Client(), name)
		c.Must(err)
		held[name] = ptr.Deref(lease.Spec.HolderIdentity, "")
	}
	return held
}

// store makes what is listed.
func store(c *harness.Controller) {
	c.Helper()
	maps := c.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault)
	data := map[string]string{"k": strings.Repeat("x", objectSize)}
	c.Must(cluster.Parallel(c.Context(), 8, objects, func(ctx context.Context, i int) error {
		_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("one-%d", i)}, Data: data}, metav1.CreateOptions{})
		return err
	}))
}

// aClient is a program in the cluster that may see all of it, on several connections.
func aClient(c *harness.Controller) []*http.Client {
	c.Helper()
	admin := c.Client()
	const name = "flood"
	_, err := admin.CoreV1().ServiceAccounts("default").Create(c.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	c.Must(err)
	_, err = admin.RbacV1().ClusterRoleBindings().Create(c.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: name}},
	}, metav1.CreateOptions{})
	c.Must(err)
	token, err := admin.CoreV1().ServiceAccounts("default").CreateToken(c.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	c.Must(err)
	config, err := cluster.Config(c.Lab("admin.kubeconfig"))
	c.Must(err)
	config = restclient.AnonymousClientConfig(config)
	config.BearerToken = token.Status.Token
	var clients []*http.Client
	for range connections {
		own := restclient.CopyConfig(config)
		own.Dial = (&net.Dialer{}).DialContext // or they would share a connection
		client, err := restclient.HTTPClientFor(own)
		c.Must(err)
		clients = append(clients, client)
	}
	return clients
}

// flood are lists of everything, each as a client asks for it that shows it, as kubectl
// does: which is the dearest.
type flood struct {
	client []*http.Client
	url    string

	next, served, refused, failed atomic.Int64
	withoutRetryAfter             atomic.Int64
}

func (f *flood) String() string {
	return fmt.Sprintf("of the lists, %d were served, %d refused with 429, %d failed otherwise", f.served.Load(), f.refused.Load(), f.failed.Load())
}

// list asks again and again, and comes back after a refusal when it is told to.
func (f *flood) list(ctx context.Context) {
	client := f.client[f.next.Add(1)%int64(len(f.client))]
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, http.NoBody)
		if err != nil {
			return
		}
		req.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
		resp, err := client.Do(req)
		if err != nil {
			if ctx.Err() == nil {
				f.failed.Add(1)
			}
			continue
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		switch {
		case ctx.Err() != nil:
		case resp.StatusCode == http.StatusOK && err == nil:
			f.served.Add(1)
		case resp.StatusCode == http.StatusTooManyRequests:
			f.refused.Add(1)
			seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
			if err != nil {
				f.withoutRetryAfter.Add(1)
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(max(1, seconds)) * time.Second):
			}
		default:
			f.failed.Add(1)
		}
	}
}

// bystanders are those who are to be served meanwhile.
type bystanders struct {
	c *harness.Controller

	mu             sync.Mutex
	unwell, asked  int           // health checks
	commands       int           // of the admin
	slowest        time.Duration // of these
	refusedCommand error
	renewals       map[string]int
	renewed        map[string]time.Time
	latest         time.Duration // between two renewals
}

func (b *bystanders) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("of %d health checks, %d said no; the slowest of %d commands of the admin took %s; a lease was renewed after %s at most",
		b.asked, b.unwell, b.commands, b.slowest.Round(time.Millisecond), b.latest.Round(time.Millisecond))
}

// every does something at intervals until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// health checks as a load balancer does.
func (b *bystanders) health(ctx context.Context) {
	client := &http.Client{Timeout: 3 * time.Second}
	every(ctx, time.Second, func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/healthz", b.c.Ports.Health), http.NoBody)
		if err != nil {
			return
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		if ctx.Err() != nil {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.asked++
		if err != nil || resp.StatusCode != http.StatusOK {
			b.unwell++
		}
	})
}

// kubectl lists what is small, as the admin.
func (b *bystanders) kubectl(ctx context.Context) {
	client := b.c.Client()
	every(ctx, time.Second, func() {
		began := time.Now()
		_, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		if ctx.Err() != nil {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.commands++
		b.slowest = max(b.slowest, time.Since(began))
		if err != nil && b.refusedCommand == nil {
			b.refusedCommand = err
		}
	})
}

// leases looks at when the leases were renewed.
func (b *bystanders) leases(ctx context.Context) {
	client := b.c.Client()
	every(ctx, 500*time.Millisecond, func() {
		for _, name := range cluster.Leases() {
			b.lease(ctx, client, name)
		}
	})
}

func (b *bystanders) lease(ctx context.Context, client kubernetes.Interface, name string) {
	lease, err := cluster.Lease(ctx, client, name)
	if err != nil || lease.Spec.RenewTime == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	last, now := b.renewed[name], lease.Spec.RenewTime.Time
	if !last.IsZero() && now.After(last) {
		b.renewals[name]++
		b.latest = max(b.latest, now.Sub(last))
	}
	b.renewed[name] = now
}

func (b *bystanders) leastRenewals() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	least := b.renewals[cluster.ControllerManagerLease]
	for _, name := range cluster.Leases() {
		least = min(least, b.renewals[name])
	}
	return least
}

// late is when a renewal of edge's leases is one that status warns of: half way from the
// time at which it is due, 5 s, to when the lease is lost, 45 s.
const late = 25 * time.Second

func (b *bystanders) judge(t *testing.T) {
	t.Helper()
	if b.unwell > 0 {
		t.Errorf("%d of %d health checks said no", b.unwell, b.asked)
	}
	if b.refusedCommand != nil {
		t.Error(fmt.Errorf("the admin was not served: %w", b.refusedCommand))
	}
	if b.latest > late {
		t.Errorf("a lease was renewed after %s", b.latest)
	}
	if b.asked == 0 || b.commands == 0 {
		t.Error(errors.New("nobody else has asked for anything"))
	}
}
