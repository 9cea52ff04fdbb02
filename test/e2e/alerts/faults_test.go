// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

// What selects the series of one controller, and those of a cluster.
const (
	ofDisk, ofFull, ofFiles = `cluster="disk"`, `cluster="full"`, `cluster="files"`
	atFull, atFiles         = `instance="10.240.0.22:6443"`, `instance="10.240.0.23:6443"`
	atFirst, atThird        = `instance="10.240.0.10:6443"`, `instance="10.240.0.12:6443"`
)

// Why some alerts go on for a while.
const (
	anHour    = "it looks back an hour"
	aQuarter  = "it looks back a quarter of an hour"
	fromStart = "it is so all the time"
)

var acts = [][]fault{
	{
		{name: "nobody scrapes an embedded etcd", fires: map[string]string{"KhwEtcdNotScraped": ofFiles},
			lasting: map[string]string{"KhwEtcdNotScraped": fromStart}},
		{name: "nobody is where the bucket was", fires: map[string]string{"KhwSnapshotNotCopied": atFiles},
			lasting: map[string]string{"KhwSnapshotNotCopied": fromStart}},
		{name: "a rotation of the encryption key is interrupted", do: interruptedRotation, fires: map[string]string{"KhwEncryptionRotationUnfinished": ofFiles}},
		{name: "one of three is killed", do: killOne, fires: map[string]string{
			"KhwControllerDown": atFirst, "KhwEtcdMemberDown": `cluster="", member="controller-0"`,
		}},
		{name: "every write to etcd's disk takes more than a second", do: slowDisk, fires: map[string]string{
			"KhwApiserverSlow": ofDisk, "KhwApiserverSlowLasting": ofDisk, "KhwEtcdFsyncSlow": ofDisk,
		}},
		{name: "the disk of snapshots and audit log is full", do: fullDisk, fires: map[string]string{
			"KhwSnapshotOverdue": atFiles, "KhwAuditEventsLost": atFiles,
		}},
		{name: "a certificate is good for three days", do: func(s *site) func() { return expires(s.files, 3) }, fires: map[string]string{
			"KhwCertificateExpiresNow": atFiles + `, path=~".*/kubernetes.pem"`,
		}},
		{name: "a certificate is good for twenty days", do: func(s *site) func() { return expires(s.full, 20) }, fires: map[string]string{
			"KhwCertificateExpires": atFull + `, path=~".*/kubernetes.pem"`,
		}},
		{name: "a manifest cannot be read", do: badManifest, fires: map[string]string{
			"KhwManifestsSkipped": atFiles, "KhwComponentDown": atFiles + `, component="bootstrap"`, "KhwControllerDegraded": atFiles,
		}},
		{name: "default roles are deleted", do: deletedRoles, fires: map[string]string{"KhwPutBackRepeatedly": atFiles},
			lasting: map[string]string{"KhwPutBackRepeatedly": anHour}},
		{name: "a firewall is put before the scheduler", do: firewall, fires: map[string]string{"KhwPortDown": `instance="10.240.0.23:10259"`}},
		{name: "a file of the controller-manager is gone when it is read again", do: keyGone, fires: map[string]string{
			"KhwComponentRestarting": atFiles + `, component="kube-controller-manager"`, "KhwNoLeader": ofFiles + `, component="kube-controller-manager"`,
		}, lasting: map[string]string{"KhwComponentRestarting": "it looks back half an hour"}},
		{name: "a process stands still three times", do: pauses, fires: map[string]string{
			"KhwProcessPaused": atFull, "KhwLeaseRenewedLate": atFull,
		}, lasting: map[string]string{"KhwProcessPaused": anHour, "KhwLeaseRenewedLate": anHour}},
		{name: "a process is killed three times", do: restarts, fires: map[string]string{"KhwControllerRestarting": atFull},
			lasting: map[string]string{"KhwControllerRestarting": anHour}},
		{name: "two of three are killed", do: killAnother, fires: map[string]string{
			"KhwEtcdNoLeader": `instance="10.240.0.12:2379"`, "KhwHealthChecksFail": atThird + `, answer="etcd"`,
		}},
		{name: "etcd's quota is used up", do: fullQuota, fires: map[string]string{
			"KhwEtcdQuotaNear": ofFull, "KhwEtcdAlarm": ofFull + `, alarm="NOSPACE"`, "KhwApiserverErrors": ofFull, "KhwApiserverErrorsLasting": ofFull,
		}},
	},
	{
		{name: "a clock is five minutes ahead", do: clock, fires: map[string]string{"KhwClockOff": atFirst},
			lasting: map[string]string{"KhwClockOff": "the others are asked for their time every ten minutes"}},
		{name: "etcd's lead is moved to and fro", do: movedLead, fires: map[string]string{"KhwEtcdLeaderChanges": `cluster=""`},
			lasting: map[string]string{"KhwEtcdLeaderChanges": aQuarter}},
		{name: "a stop takes a minute", do: slowStop, fires: map[string]string{"KhwControllerNotReady": atFull + `, status="stopping"`}},
	},
}

// diskSize has room for what `run` wants to have, and for some snapshots.
const diskSize = "300m"

// state is where snapshots go, and the audit log of the controller files.
func state(n *trio.Node) string { return filepath.Dir(paths.Snapshots.Below(n.Root)) }

// smallDisk is the command that gives a controller a small disk for its state.
func smallDisk(n *trio.Node) []string {
	return []string{"/usr/bin/unshare", "--mount", "--propagation=slave", "/bin/sh", "-ec",
		`mkdir -p "$0"; mount -t tmpfs -o size=` + diskSize + `,mode=700 tmpfs "$0"; exec "$@"`, state(n)}
}

// spoilable are the arguments of a controller of which much can go wrong.
func spoilable(n *trio.Node) []string {
	n.Helper()
	return []string{
		"--snapshot-interval", "10s", "--snapshot-s3-bucket", "snapshots", "--snapshot-s3-region", "here", "--snapshot-s3-endpoint", "https://" + n.Address + ":9000",
		"--kube-apiserver-arg", "audit-log-path=" + filepath.Join(state(n), "audit.log"), "--kube-apiserver-arg", n.AuditPolicy(cluster.AuditWrites),
	}
}

// interruptedRotation has the command killed that leads it, and then goes on with it.
func interruptedRotation(s *site) func() {
	s.Helper()
	n := s.files
	args := append([]string{"secrets-encrypt", "rotate", "--root", n.Root}, n.Args...)
	p := n.Host.Start("rotate", process.Spec{Path: n.Binary(), Args: args})
	s.WithinAlive(p, harness.Patience, "the rotation to begin", func(context.Context) error {
		if said := strings.Join(p.Lines(), "\n"); !strings.Contains(said, "is added as second") {
			return errors.New(said)
		}
		return nil
	})
	p.Kill()
	return func() { n.Do("secrets-encrypt", "rotate") }
}

func killOne(s *site) func() {
	s.Helper()
	s.trio[0].Process.Kill()
	return func() {
		s.trio[0].Start()
		for _, n := range s.trio {
			n.AwaitReady()
		}
	}
}

// killAnother leaves one of three, who is asked for its health.
func killAnother(s *site) func() {
	s.Helper()
	s.trio[1].Process.Kill()
	n := s.trio[2]
	client := &http.Client{Transport: &http.Transport{DialContext: n.Dial, DisableKeepAlives: true}}
	asked := background(s, 200*time.Millisecond, func(ctx context.Context) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/healthz", http.NoBody)
		if err != nil {
			return
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
		}
	})
	return func() {
		asked()
		s.trio[1].Start()
	}
}

// background does something again and again, until the function that it returns is called.
func background(s *site, every time.Duration, do func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			do(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	stop = func() { cancel(); wg.Wait() }
	s.Cleanup(stop)
	return stop
}

// slowDisk has every fsync of an etcd take 1.2 s more, by strace, under which it is
// started anew, while somebody writes.
func slowDisk(s *site) func() {
	s.Helper()
	again := func(under ...string) {
		s.Helper()
		pid, err := s.etcd.Descendant(s.etcdBelow)
		s.Must(err)
		s.Must(syscall.Kill(pid, syscall.SIGTERM))
		s.etcd.ExitCode()
		s.startEtcd(under...)
	}
	again("/usr/bin/strace", "--follow-forks", "--seccomp-bpf", "--quiet=all", "--output=/dev/null",
		"--trace=fsync,fdatasync", "--inject=fsync,fdatasync:delay_exit=1200000")
	writes := trio.StartWrites(s.disk)
	return func() {
		again()
		writes.AwaitMore(s.Env, 10)
		writes.Stop()
	}
}

// fullDisk leaves nothing of a small disk.
func fullDisk(s *site) func() {
	s.Helper()
	path := fmt.Sprintf("/proc/%d/root%s/fill", s.files.Process.PID(), state(s.files))
	f, err := os.Create(path)
	s.Must(err)
	defer f.Close()
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.Fatal(err)
	}
	return func() { s.Must(os.Remove(path)) }
}

// expires gives a controller a certificate for so many days, and then renews it.
func expires(n *trio.Node, days int) func() {
	n.Helper()
	n.ExpireIn(time.Duration(days) * 24 * time.Hour)
	return func() { n.Do("certs", "renew", "--all") }
}

// badManifest is one in the place of which another is put then.
func badManifest(s *site) func() {
	s.Helper()
	n := s.files
	path := filepath.Join(paths.Manifests.Below(n.Root), "bad.yaml")
	s.Must(os.MkdirAll(filepath.Dir(path), 0o755))
	put := func(text string) {
		s.Must(os.WriteFile(path, []byte(text), 0o600))
		s.Must(n.Process.Signal(syscall.SIGHUP))
	}
	put("apiVersion: v1\nkind: ConfigMap\nmetadata: {name\n")
	return func() {
		s.Helper()
		put("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good, namespace: default}\n")
	}
}

// deletedRoles are more than may be put back in an hour, all at once: one that is deleted
// again and again is put back later each time.
func deletedRoles(s *site) func() {
	s.Helper()
	const many = 8
	roles := s.files.Client().RbacV1().ClusterRoles()
	found, err := roles.List(s.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/bootstrapping=rbac-defaults"})
	s.Must(err)
	deleted := 0
	for _, r := range found.Items {
		if strings.HasPrefix(r.Name, "system:controller:") && deleted < many {
			s.Must(roles.Delete(s.Context(), r.Name, metav1.DeleteOptions{}))
			deleted++
		}
	}
	return nil
}

// firewall lets nobody in to the scheduler's port.
func firewall(s *site) func() {
	s.Helper()
	s.files.NFT("add table inet alerts", "add chain inet alerts in { type filter hook input priority 0; }",
		"add rule inet alerts in tcp dport 10259 drop")
	return func() { s.files.NFT("delete table inet alerts") }
}

// keyGone has the controller-manager begin anew, as after any loss of its lease, while
// the key of service accounts is not there.
func keyGone(s *site) func() {
	s.Helper()
	key := s.files.Lab("service-account-key.pem")
	s.Must(os.Rename(key, key+".gone"))
	s.Must(cluster.Steal(s.Context(), s.files.Client(), cluster.ControllerManagerLease, "somebody-else"))
	return func() { s.Must(os.Rename(key+".gone", key)) }
}

// pause is more than what is told of as one, and less than loses a lease there.
const pause = 5200 * time.Millisecond

// pauses are as many as are told of, and each is counted.
func pauses(s *site) func() {
	s.Helper()
	n := s.full
	for i := range 3 {
		s.Must(n.Process.Signal(syscall.SIGSTOP))
		time.Sleep(pause) // which is the fault
		s.Must(n.Process.Signal(syscall.SIGCONT))
		s.prometheus.await(fmt.Sprintf(`khw_process_pauses_total{%s} > %d`, atFull, i))
		s.prometheus.await(fmt.Sprintf(`khw_leader_late_renewals_total{%s, lease="kube-system/kube-scheduler"} > %d`, atFull, i))
	}
	return nil
}

// restarts are by somebody who kills it and starts it again.
func restarts(s *site) func() {
	s.Helper()
	for i := range 3 {
		s.full.Process.Kill()
		s.full.Start()
		s.prometheus.await(fmt.Sprintf(`changes(process_start_time_seconds{%s}[5m]) > %d`, atFull, i))
	}
	s.full.AwaitReady()
	return nil
}

// fullQuota writes until etcd takes no more, and goes on trying; then it is brought back
// as the runbook says.
func fullQuota(s *site) func() {
	s.Helper()
	n := s.full
	maps := n.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault)
	const most, size = 100, 500_000
	full := false
	for i := 0; i < most && !full; i++ {
		_, err := maps.Create(s.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("fill-%d", i), Labels: map[string]string{"fill": ""}},
			BinaryData: map[string][]byte{"k": bytes.Repeat([]byte("x"), size)},
		}, metav1.CreateOptions{})
		full = err != nil
	}
	if !full {
		s.Fatal("the quota does not hold")
	}
	writes := trio.StartWritesAs(n, n.Lab("admin.kubeconfig"), 1)
	return func() {
		writes.Stop()
		s.Must(maps.DeleteCollection(s.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "fill"}))
		n.Do("etcd", "defrag", "--clear-alarms")
	}
}

// clock sets one controller's; another one asks for it at its start.
func clock(s *site) func() {
	s.Helper()
	back, err := process.SetClock(s.trio[2].Process.PID(), 5*time.Minute)
	s.Must(err)
	s.trio[0].Restart()
	return func() { s.Must(back()) }
}

func movedLead(s *site) func() {
	s.Helper()
	for range 5 {
		s.trio[1].Do("etcd", "move-leader")
	}
	return nil
}

// stopDelay is as long as a balancer would have to look that needs it.
const stopDelay = "60s"

// slowStop asks for a stop that serves on meanwhile.
func slowStop(s *site) func() {
	s.Helper()
	s.Must(s.full.Process.Signal(syscall.SIGTERM))
	return s.full.Process.Kill
}
