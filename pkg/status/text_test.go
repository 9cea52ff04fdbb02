// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/internal/golden"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func TestWrite(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	r := &Report{
		Node: "controller-0", Address: "10.240.0.10:6443", At: now, Status: Degraded, PID: 4711, Started: ago(75 * time.Hour),
		Versions: Versions{Kubernetes: "v1.37.2+khw"},
		Problems: []string{"etcd member controller-2: does not answer at https://10.240.0.12:2379"},
		Warnings: []string{"/var/lib/kubernetes/kubernetes.pem expires in 12d"},
		Components: []supervisor.Status{
			{Component: "etcd", State: supervisor.Running, Since: ago(75 * time.Hour)},
			{Component: "kube-apiserver", State: supervisor.Running, Since: ago(75 * time.Hour), Unhealthy: "/readyz fails: etcd"},
			{Component: "kube-controller-manager", State: supervisor.Leading, Since: ago(2 * time.Hour), Restarts: 1, LastFailure: "panic: boom"},
			{Component: "kube-scheduler", State: supervisor.Standby, Since: ago(time.Minute), Detail: "controller-1_x leads"},
		},
		Etcd: Etcd{Embedded: true, Members: []etcdclient.Member{
			{Name: "controller-0", Endpoint: "https://10.240.0.10:2379", Version: "3.7.3", Leader: true, DBSize: 25 << 20, DBInUse: 20 << 20, Quota: 2 << 30, FsyncP99: 0.0031, FsyncWindow: 300},
			{Name: "controller-1", Endpoint: "https://10.240.0.11:2379", Version: "3.7.3", DBSize: 25 << 20, DBInUse: 20 << 20, Behind: 3, FsyncP99: 0.2, FsyncWindow: 300},
			{Name: "controller-2", Endpoint: "https://10.240.0.12:2379", Error: "does not answer at https://10.240.0.12:2379"},
		}},
		HealthPort: &HealthPort{Address: "0.0.0.0:80", Answer: "etcd", Checkers: 2, StopDelay: 11.6},
		Certificates: []Certificate{
			{Path: "/var/lib/kubernetes/kubernetes.pem", Subject: "kubernetes", NotAfter: now.Add(12 * 24 * time.Hour)},
			{Path: "/var/lib/kubernetes/admin.kubeconfig", Subject: "admin", NotAfter: now.Add(364 * 24 * time.Hour)},
			{Path: "/var/lib/kubernetes/ca.pem", Subject: "Kubernetes", NotAfter: now.Add(1800 * 24 * time.Hour)},
		},
		Lab:       Lab{AsInLab: 33, Changed: 12, Set: []string{"kube-apiserver --event-ttl=2h"}},
		Unaudited: "/var/log/audit.log stays empty without an audit policy; set profile: cis",
	}
	var out strings.Builder
	if err := Write(&out, r); err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "status.txt", []byte(out.String()))
}

func TestAMemberWithoutALeaderIsNotSaidToBeSilent(t *testing.T) {
	var out strings.Builder
	WriteMembers(&out, []etcdclient.Member{
		{Name: "a", Version: "3.7.3", Error: "knows no leader; more than half of the members have to be up"},
		{Name: "b", Version: "3.7.3"},
		{Name: "c", Error: "has not started yet"},
	})
	for i, want := range []string{"ETCD MEMBER", "a            no leader  3.7.3", "b            follower   3.7.3", "c            no answer"} {
		if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for health, want := range map[Health]int{Ready: 0, Starting: 1, Degraded: 1, Stopping: 1, Down: 2, NoAnswer: 2} {
		if got := health.ExitCode(); got != want {
			t.Errorf("%s exits with %d, want %d", health, got, want)
		}
	}
}
