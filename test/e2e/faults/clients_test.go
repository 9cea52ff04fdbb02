// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// at is an address of a node.
func (n *node) at(port int) string { return net.JoinHostPort(n.Address, fmt.Sprint(port)) }

// badRequests sends 10,000 of them to the leader.
func (s *site) badRequests(port int) func() {
	s.Helper()
	to := s.leader().at(port)
	const count, workers = 10_000, 40
	var answered atomic.Int64
	s.Must(cluster.Parallel(s.Context(), workers, count, func(ctx context.Context, i int) error {
		if s.badRequest(ctx, to, port != 80, i) {
			answered.Add(1)
		}
		return nil // whatever it is answered
	}))
	s.Logf("%d of %d bad requests were answered", answered.Load(), count)
	return func() {}
}

// nonsense are what is no request, and requests that nobody may make.
var nonsense = []string{
	"\x00\xff\x16\x03\x01garbage\r\n\r\n",
	"GET / HTTP/9.9\r\n\r\n",
	"GET /healthz HTTP/1.1\r\n\r\n",
	"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
	"GET /../../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	"DELETE /api/v1/namespaces/default HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	"GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x.y.z\r\nConnection: close\r\n\r\n",
	"POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}

func (s *site) badRequest(ctx context.Context, to string, secure bool, i int) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := s.client.Dial(ctx, "tcp", to)
	if err != nil {
		return false
	}
	defer conn.Close()
	// It may be refused at any point of what follows, which is as good as an answer.
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if secure && i%2 == 0 {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	if _, err := conn.Write([]byte(nonsense[i/2%len(nonsense)])); err != nil {
		return false
	}
	n, _ := conn.Read(make([]byte, 512))
	return n > 0
}

// slowConnections opens 500 of them to the leader, which say hardly anything.
func slowConnections(s *site) func() {
	s.Helper()
	const count, workers = 500, 20
	ports := []int{6443, 80}
	if s.kind == stock {
		ports = ports[:1]
	}
	n := s.leader()
	ctx, cancel := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	s.Must(cluster.Parallel(ctx, workers, count, func(ctx context.Context, i int) error {
		port := ports[i%len(ports)]
		conn, err := s.client.Dial(ctx, "tcp", n.at(port))
		if err != nil {
			return err
		}
		if port == 6443 && i%4 == 0 {
			conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		}
		wg.Go(func() { trickle(ctx, conn) })
		return nil
	}))
	return func() { cancel(); wg.Wait() }
}

// trickle sends a request at one byte a second.
func trickle(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for _, b := range []byte("GET /healthz HTTP/1.1\r\nHost: kubernetes.default.svc.cluster.local\r\nX-Long: " + fmt.Sprintf("%4000d", 0)) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := conn.Write([]byte{b}); err != nil {
			return
		}
	}
}

// flood has one service account list all that it may, as often as it can.
func flood(s *site) func() {
	s.Helper()
	client := s.nodes[0].direct
	const name, lists = "flood", 64
	_, err := client.CoreV1().ServiceAccounts("default").Create(s.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	s.Must(err)
	_, err = client.RbacV1().ClusterRoleBindings().Create(s.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: name}},
	}, metav1.CreateOptions{})
	s.Must(err)
	token, err := client.CoreV1().ServiceAccounts("default").CreateToken(s.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	s.Must(err)
	config := restclient.AnonymousClientConfig(s.admin)
	config.BearerToken, config.Dial, config.QPS = token.Status.Token, s.client.Dial, -1
	flooding, err := kubernetes.NewForConfig(config)
	s.Must(err)
	ctx, cancel := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	var answered, held, other atomic.Int64
	for range lists {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := flooding.CoreV1().RESTClient().Get().Resource("configmaps").MaxRetries(0).Do(ctx).Error()
				switch {
				case err == nil:
					answered.Add(1)
				case apierrors.IsTooManyRequests(err):
					held.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
		s.Logf("of the flood, %d requests were answered, %d refused as too many, %d failed otherwise", answered.Load(), held.Load(), other.Load())
		s.Must(client.RbacV1().ClusterRoleBindings().Delete(s.Context(), name, metav1.DeleteOptions{}))
		s.Must(client.CoreV1().ServiceAccounts("default").Delete(s.Context(), name, metav1.DeleteOptions{}))
	}
}

// writeMuch writes 100 MB in the background, and returns what ends and removes it.
func (s *site) writeMuch() func() {
	s.Helper()
	const objects, size = 110, 900 << 10
	config := restclient.CopyConfig(s.admin)
	config.Timeout = 10 * time.Second
	client, err := kubernetes.NewForConfig(config)
	s.Must(err)
	maps := client.CoreV1().ConfigMaps(metav1.NamespaceDefault)
	ctx, cancel := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	var written atomic.Int64
	wg.Go(func() {
		for written.Load() < objects && ctx.Err() == nil {
			// What fails is tried again.
			if _, err := maps.Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "much-", Labels: map[string]string{"much": ""}},
				BinaryData: map[string][]byte{"x": make([]byte, size)},
			}, metav1.CreateOptions{}); err == nil {
				written.Add(1)
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		s.Logf("%d MB were written", written.Load()*size>>20)
		s.await("what was written to be removed", func(ctx context.Context) error {
			return maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "much"})
		})
	}
}

// expire gives the leader a certificate that is good for some seconds more, and
// renews it when that is over.
func expire(s *site) func() {
	s.Helper()
	n := s.leader()
	n.ExpireIn(5 * time.Second)
	return func() { n.Do("certs", "renew", "--all") }
}

// delay returns what has toxiproxy lead from a port to an address, with 50 ms in each
// direction.
func (n *node) delay(name string, port int, to string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{DialContext: n.Dial, DisableKeepAlives: true}}
	post := func(ctx context.Context, path string, body any) error {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+proxyControl+path, bytes.NewReader(data))
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if response.StatusCode >= http.StatusBadRequest && response.StatusCode != http.StatusConflict {
			err = fmt.Errorf("%s: %s", response.Status, answer)
		}
		return err
	}
	return func(ctx context.Context) error {
		if err := post(ctx, "/proxies", map[string]any{"name": name, "listen": fmt.Sprintf("127.0.0.1:%d", port), "upstream": to, "enabled": true}); err != nil {
			return err
		}
		for _, stream := range []string{"upstream", "downstream"} {
			if err := post(ctx, "/proxies/"+name+"/toxics", map[string]any{
				"name": stream, "type": "latency", "stream": stream, "attributes": map[string]int{"latency": 50, "jitter": 10},
			}); err != nil {
				return err
			}
		}
		return nil
	}
}
