// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
	"github.com/khw-controller/khw-controller/test/e2e/harness/worker"
)

// TestControllersRestart restarts one controller after the other while users are
// connected to pods through the balancer, and while a rollout is under way.
func TestControllersRestart(t *testing.T) {
	s := newSite(t)
	w := s.start(0, "")
	s.awaitNode(w.Name())
	s.pod(countingPod, w.Name(), nil, "sh", "-c", counts)
	s.pod(servingPod, w.Name(), nil, "/agnhost", "netexec", "--http-port=80")
	gates := w.Outside("var/gates") // what a pod waits for to be ready
	s.Must(os.MkdirAll(gates, 0o755))
	s.Must(os.WriteFile(gates+"/1", nil, 0o644))
	_, err := s.client.AppsV1().Deployments(metav1.NamespaceDefault).Create(s.Context(), gated("1"), metav1.CreateOptions{})
	s.Must(err)
	s.kubectl("rollout", "status", "deployment", "gated", "--timeout", "2m")

	streams := s.open("balanced", server, len(s.controllers), 8000)
	// The balancer cuts off who is connected to a controller that says no. These, it does not know.
	streams = append(streams, s.open("direct", "https://"+s.controllers[0].Address+":6443", 1, 8100)...)
	before := s.untouched(w)
	// Its new pods are ready when the controllers are through.
	s.Eventually("the deployment to be changed", func(ctx context.Context) error {
		d, err := s.client.AppsV1().Deployments(metav1.NamespaceDefault).Get(ctx, "gated", metav1.GetOptions{})
		if err != nil {
			return err
		}
		d.Spec.Template = gated("2").Spec.Template
		_, err = s.client.AppsV1().Deployments(metav1.NamespaceDefault).Update(ctx, d, metav1.UpdateOptions{})
		return err
	})
	rollout := s.startKubectl("rollout", "rollout", "status", "deployment", "gated")
	s.WithinAlive(rollout, harness.Patience, "the rollout to be waited for", func(context.Context) error {
		if !strings.Contains(rollout.Tail(1), "Waiting for deployment") {
			return errors.New(rollout.Tail(1))
		}
		return nil
	})

	for _, n := range s.controllers {
		began := time.Now()
		n.Stop()
		saysWhatItCut(n, n == s.controllers[0])
		s.Logf("%s: stopped in %s", n.Name, time.Since(began).Round(100*time.Millisecond))
		// Who comes back is served by the others.
		s.kubectl("logs", "--tail", "1", countingPod)
		s.kubectl("exec", countingPod, "--", "true")
		n.Start()
		n.AwaitReady()
	}
	s.Must(os.WriteFile(gates+"/2", nil, 0o644))
	s.Within(2*harness.Patience, "the rollout to be through", func(context.Context) error {
		if rollout.Running() {
			return errors.New(rollout.Tail(1))
		}
		return nil
	})
	if code, last := rollout.ExitCode(), rollout.Tail(1); code != 0 || !strings.Contains(last, "successfully rolled out") {
		t.Errorf("rollout status: exit code %d, %s", code, last)
	}
	for _, st := range streams {
		st.judge()
	}
	after := s.untouched(w)
	if !maps.Equal(before, after) {
		t.Errorf("what the node was and ran before:\n%v\nand afterwards:\n%v", before, after)
	}
	for _, st := range s.open("afterwards", server, len(s.controllers), 8200) {
		st.process.Kill()
	}
}

// saysWhatItCut wants the log of a controller that has stopped to name what did not end,
// where there was something, and no error.
func saysWhatItCut(n *trio.Node, something bool) {
	n.Helper()
	log := strings.Join(n.Process.Lines(), "\n")
	if strings.Contains(log, "Failed to shutdown server") {
		n.Errorf("%s does not end its connections", n.Name)
	}
	for _, what := range []string{"/log", "/exec", "/portforward"} {
		if something && !regexp.MustCompile(`Cutting off requests.*`+what).MatchString(log) {
			n.Errorf("%s does not say that it cut off %s", n.Name, what)
		}
	}
}

// gated is a deployment whose pods are ready when the file of that name is there.
func gated(gate string) *appsv1.Deployment {
	d := cluster.Deployment("gated", 3)
	d.Spec.ProgressDeadlineSeconds = ptr.To(int32(3600))
	d.Spec.Template.Spec = corev1.PodSpec{
		Volumes: []corev1.Volume{{Name: "gates", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/gates"}}}},
		Containers: []corev1.Container{{
			Name: "main", Image: worker.Agnhost, Args: []string{"pause"},
			VolumeMounts: []corev1.VolumeMount{{Name: "gates", MountPath: "/gates"}},
			ReadinessProbe: &corev1.Probe{
				ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"test", "-e", "/gates/" + gate}}},
				PeriodSeconds: 1,
			},
		}},
	}
	return d
}

// untouched is what no restart of a controller may change: since when the node is ready,
// and what runs on it, but for the deployment that is rolled out.
func (s *site) untouched(w *worker.Worker) map[string]string {
	s.Helper()
	state := map[string]string{}
	s.Eventually("the state of the node", func(ctx context.Context) error {
		clear(state)
		node, err := s.client.CoreV1().Nodes().Get(ctx, w.Name(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		c := ready(node)
		state["node"] = fmt.Sprintf("%s, ready %s since %s, taints %v", node.UID, c.Status, c.LastTransitionTime, node.Spec.Taints)
		pods, err := s.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: "app!=gated"})
		if err != nil {
			return err
		}
		for _, p := range pods.Items {
			state[p.Name] = fmt.Sprintf("%s, containers %q", p.UID, w.Containers(p.Namespace, p.Name))
			for _, c := range p.Status.ContainerStatuses {
				state[p.Name] += fmt.Sprintf(", %s restarted %d times since %v", c.Name, c.RestartCount, c.State.Running)
			}
		}
		return nil
	})
	return state
}
