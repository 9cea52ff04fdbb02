// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/worker"
)

func TestTheLabsNextChapters(t *testing.T) { chapters(newSite(t)) }

// TestTheLabsNextChaptersWithCIS has the controllers deny what the benchmark wants denied.
func TestTheLabsNextChaptersWithCIS(t *testing.T) {
	s := newSite(t, "--profile", "cis")
	chapters(s)
	const why = `violates PodSecurity "baseline:latest"`
	if out, err := s.try(s.Context(), "", "debug", "node/worker-0", "--image", worker.Busybox, "--", "true"); err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("a pod with the host's namespaces: %q, %v", out, err)
	}
}

// chapters joins one worker as the lab does, and one by TLS bootstrap.
func chapters(s *site) {
	s.Helper()
	first := s.start(0, "")
	node := s.awaitNode(first.Name())
	ours, err := s.client.Discovery().ServerVersion()
	s.Must(err)
	if of := node.Status.NodeInfo.KubeletVersion; !strings.HasPrefix(ours.GitVersion, of+"+") {
		s.Errorf("the kubelet is %s, and the apiserver %s: go.mod and hack/worker/go.mod differ", of, ours.GitVersion)
	}
	s.Logf("%s: kubelet %s, %s, %s", node.Name, node.Status.NodeInfo.KubeletVersion, node.Status.NodeInfo.ContainerRuntimeVersion, node.Status.NodeInfo.KernelVersion)

	second := s.bootstraps()
	s.finds(second.Name())
	s.encrypts()
	s.deploys(first, second)
	s.looksInside(first, second)
	s.asksKubelets(first)
	s.restrictsNodes(first, second)
}

// finds is chapter 12: names of services.
func (s *site) finds(node string) {
	s.Helper()
	s.Must(os.WriteFile(s.Path("coredns.yaml"), worker.CoreDNSManifest, 0o600))
	s.kubectl("create", "-f", s.Path("coredns.yaml"))
	s.kubectl("--namespace", "kube-system", "rollout", "status", "deployment", "coredns", "--timeout", "2m")
	s.pod("busybox", node, func(p *corev1.PodSpec) { p.Containers[0].Image = worker.Busybox }, "sleep", "3600")
	const name = "kubernetes.default.svc.cluster.local"
	s.Eventually("the pod to find "+name, func(ctx context.Context) error {
		out, err := s.try(ctx, "", "exec", "busybox", "--", "nslookup", name)
		if err == nil && !strings.Contains(out, "10.32.0.1") {
			err = fmt.Errorf("nslookup says %s", out)
		}
		return err
	})
}

// encrypts is chapter 13's first section: a secret as etcd has it, and as a pod does.
func (s *site) encrypts() {
	s.Helper()
	const name = "kubernetes-the-hard-way"
	s.kubectl("create", "secret", "generic", name, "--from-literal=mykey=mydata")
	n := s.controllers[0]
	etcd, err := cluster.EtcdClientFrom(n.Dial, n.Lab(""), "https://127.0.0.1:2379")
	s.Must(err)
	defer etcd.Close()
	stored, err := cluster.Raw(s.Context(), etcd, "secrets/default/"+name)
	s.Must(err)
	if !bytes.HasPrefix(stored, []byte("k8s:enc:aescbc:v1:key1:")) || bytes.Contains(stored, []byte("mydata")) {
		s.Errorf("etcd has stored %.60q", stored)
	}
	s.pod("reads-secret", "worker-0", func(p *corev1.PodSpec) {
		p.Volumes = []corev1.Volume{{Name: "secret", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}}}
		p.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "secret", MountPath: "/secret"}}
	}, "sleep", "3600")
	if got := s.kubectl("exec", "reads-secret", "--", "cat", "/secret/mykey"); got != "mydata" {
		s.Errorf("the pod reads %q", got)
	}
}

// deploys is the rest of chapter 13, and chapter 11: what runs on either worker is
// reached every way.
func (s *site) deploys(all ...*worker.Worker) {
	s.Helper()
	s.kubectl("create", "deployment", "web", "--image", worker.Agnhost, "--replicas", "2", "--port", "80", "--", "/agnhost", "netexec", "--http-port=80")
	s.kubectl("rollout", "status", "deployment", "web", "--timeout", "2m")
	for i, w := range all {
		p := s.pod("web-on-"+w.Name(), w.Name(), nil, "/agnhost", "netexec", "--http-port=80")
		s.awaitGet("http://"+p.Status.PodIP+"/echo?msg=by-route", "by-route")
		s.forwards(p.Name, 8080+i)
		if logs := s.kubectl("logs", p.Name); !strings.Contains(logs, "by-port-forward") {
			s.Errorf("the log of %s is %s", p.Name, logs)
		}
		if got := s.kubectlWith("hello\n", "exec", "--stdin", p.Name, "--", "sh", "-c", "read line; echo $line from $HOSTNAME"); got != "hello from "+p.Name+"\n" {
			s.Errorf("exec prints %q", got)
		}
	}
	s.kubectl("expose", "deployment", "web", "--port", "80", "--type", "NodePort")
	port := s.kubectl("get", "service", "web", "--output", "jsonpath={.spec.ports[0].nodePort}")
	for _, w := range all {
		s.awaitGet(fmt.Sprintf("http://%s:%s/hostname", w.Address(), port), "web-")
		s.Eventually("a pod on "+w.Name()+" to reach the service by its name", func(ctx context.Context) error {
			_, err := s.try(ctx, "", "exec", "web-on-"+w.Name(), "--", "/agnhost", "connect", "web:80", "--timeout=5s")
			return err
		})
	}
}

// looksInside is what the lab does not do, and who has a cluster does: the rest of what
// kubectl opens a connection to a kubelet for.
func (s *site) looksInside(all ...*worker.Worker) {
	s.Helper()
	const hello = "hello\n"
	for _, w := range all {
		reads := s.pod("reads-on-"+w.Name(), w.Name(), func(p *corev1.PodSpec) {
			p.Containers[0].Stdin, p.Containers[0].StdinOnce = true, true
		}, "sh", "-c", "read line; echo $line from $HOSTNAME")
		if got := s.kubectlWith(hello, "attach", "--stdin", reads.Name); !strings.Contains(got, "hello from "+reads.Name+"\n") {
			s.Errorf("attach prints %q", got)
		}

		pod := "web-on-" + w.Name()
		there, back := s.Path("there-"+w.Name()), s.Path("back-"+w.Name())
		want := bytes.Repeat([]byte(hello), 1<<18)
		s.Must(os.WriteFile(there, want, 0o600))
		s.kubectl("cp", there, pod+":/tmp/copied")
		s.kubectl("cp", pod+":/tmp/copied", back)
		if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, want) {
			s.Errorf("cp brings back %d of %d bytes, %v", len(got), len(want), err)
		}

		s.kubectl("debug", pod, "--profile", "baseline", "--image", worker.Busybox, "--target", "main", "--container", "debugger", "--", "cat", "/proc/1/cmdline")
		s.awaitLog(metav1.NamespaceDefault, pod, "debugger", "/agnhost\x00netexec")
		s.Must(os.WriteFile(w.Outside("var/told"), []byte("by "+w.Name()), 0o644))
		said := s.kubectl("debug", "--namespace", metav1.NamespaceSystem, "node/"+w.Name(), "--image", worker.Busybox, "--", "cat", "/host/var/told")
		_, name, _ := strings.Cut(said, "debugging pod ")
		name, _, _ = strings.Cut(name, " ")
		s.awaitLog(metav1.NamespaceSystem, name, "debugger", "by "+w.Name())
	}
}

// awaitLog waits for a container of a pod to say something.
func (s *site) awaitLog(namespace, pod, container, want string) {
	s.Helper()
	s.Eventually(container+" of "+pod+" to say "+want, func(ctx context.Context) error {
		log, err := s.try(ctx, "", "logs", "--namespace", namespace, pod, "--container", container)
		if err == nil && !strings.Contains(log, want) {
			err = fmt.Errorf("it says %q", log)
		}
		return err
	})
}

// forwards has a port of a pod here.
func (s *site) forwards(pod string, port int) {
	s.Helper()
	p := s.startKubectl("port-forward-"+pod, "port-forward", pod, fmt.Sprintf("%d:80", port))
	s.WithinAlive(p, harness.Patience, "the port of "+pod, func(ctx context.Context) error {
		_, err := s.get(ctx, fmt.Sprintf("http://127.0.0.1:%d/echo?msg=by-port-forward", port))
		return err
	})
	p.Kill()
}

// bootstraps is a worker that joins with a token. Its serving certificate is nobody's to
// approve but a person's, and before that it has none that an apiserver trusts.
func (s *site) bootstraps() *worker.Worker {
	s.Helper()
	w := s.start(1, "07401b.f395accd246ae52d")
	s.awaitNode(w.Name())
	s.pod("before", w.Name(), nil, "/agnhost", "pause")
	if out, err := s.try(s.Context(), "", "logs", "before"); err == nil || !strings.Contains(err.Error(), "tls") {
		s.Errorf("logs from a kubelet without a certificate: %v, %q", err, out)
	}
	var waiting []string
	s.Eventually("the request for a serving certificate", func(ctx context.Context) error {
		all, err := s.client.CertificatesV1().CertificateSigningRequests().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		waiting = nil
		for _, r := range all.Items {
			switch signer := r.Spec.SignerName; {
			case signer == "kubernetes.io/kubelet-serving" && r.Spec.Username == "system:node:"+w.Name() && len(r.Status.Conditions) == 0:
				waiting = append(waiting, r.Name)
			case signer == "kubernetes.io/kube-apiserver-client-kubelet" && len(r.Status.Certificate) == 0:
				return fmt.Errorf("%s was not signed: %v", r.Name, r.Status.Conditions)
			}
		}
		if len(waiting) == 0 {
			return fmt.Errorf("none of %d waits", len(all.Items))
		}
		return nil
	})
	s.kubectl(append([]string{"certificate", "approve"}, waiting...)...)
	s.Eventually("the kubelet to serve with it", func(ctx context.Context) error {
		_, err := s.try(ctx, "", "logs", "before")
		return err
	})
	return w
}
