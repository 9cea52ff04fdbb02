// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

var quiet = log.New(io.Discard, "", 0)

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	l := listen(t, "127.0.0.1:0")
	l.Close()
	return l.Addr().String()
}

func TestUnits(t *testing.T) {
	const all = "kube-apiserver.service enabled enabled\nkube-controller-manager.service enabled enabled\nkube-scheduler.service enabled enabled\n"
	for name, test := range map[string]struct{ listed, problem, next string }{
		"ours":           {"khw-controller.service enabled enabled\n", "", ""},
		"the lab's":      {all, "", ""},
		"both":           {all + "khw-controller.service enabled\n", "want the same ports", "systemctl disable --now kube-apiserver.service"},
		"not enabled":    {"khw-controller.service disabled enabled\n", "khw-controller.service is disabled, not enabled", "systemctl enable --now khw-controller.service"},
		"masked":         {"khw-controller.service masked enabled\n", "is masked", "systemctl unmask"},
		"none":           {"", "khw-controller.service is not installed", "install the package"},
		"two of three":   {strings.ReplaceAll(all, "scheduler.service enabled", "scheduler.service disabled"), "kube-scheduler.service is disabled", "systemctl enable --now kube-scheduler.service"},
		"one of three":   {"kube-apiserver.service enabled\n", "kube-scheduler.service is not installed", "enable --now kube-scheduler"},
		"until a reboot": {"khw-controller.service enabled-runtime\n", "enabled-runtime, not enabled", "enable --now"},
	} {
		t.Run(name, func(t *testing.T) {
			list := func(context.Context, []string) (string, error) { return test.listed, nil }
			wants(t, checkUnits(t.Context(), Target{UnitFiles: list}), test.problem, test.next)
		})
	}
	if r := checkUnits(t.Context(), Target{}); r.skipped == "" || r.failures != nil {
		t.Errorf("without systemd: %+v", r)
	}
	broken := func(context.Context, []string) (string, error) { return "", errors.New("no bus") }
	wants(t, checkUnits(t.Context(), Target{UnitFiles: broken}), "systemctl list-unit-files: no bus", "by hand")
}

func TestSystemctl(t *testing.T) {
	for name, test := range map[string]struct{ script, want, err string }{
		"one unit": {"echo khw-controller.service enabled; test $1 = list-unit-files", "khw-controller.service enabled\n", ""},
		"none":     {"exit 1", "", ""},
		"no bus":   {"echo Failed to connect to bus >&2; exit 1", "", "Failed to connect to bus\n"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\n"+test.script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir)
		got, err := Systemctl(t.Context(), []string{ownUnit})
		if got != test.want || (err != nil) != (test.err != "") || err != nil && err.Error() != test.err {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func componentStatus(name, healthy, message, problem string) corev1.ComponentStatus {
	c := corev1.ComponentStatus{Conditions: []corev1.ComponentCondition{{
		Type: corev1.ComponentHealthy, Status: corev1.ConditionStatus(healthy), Message: message, Error: problem,
	}}}
	c.Name = name
	return c
}

func TestComponents(t *testing.T) {
	kcm, scheduler := componentStatus("controller-manager", "True", "ok", ""), componentStatus("scheduler", "True", "ok", "")
	etcd := componentStatus("etcd-0", "True", "ok", "")
	down := componentStatus("scheduler", "False", "Get \"https://127.0.0.1:10259/healthz\": connection refused", "")
	for name, test := range map[string]struct {
		list          []corev1.ComponentStatus
		ports         map[string]int
		problem, next string
	}{
		"all healthy":         {[]corev1.ComponentStatus{kcm, scheduler, etcd, componentStatus("etcd-1", "True", "ok", "")}, nil, "", ""},
		"one down":            {[]corev1.ComponentStatus{kcm, down, etcd}, nil, "scheduler is unhealthy: Get", "khw-controller status"},
		"moved":               {[]corev1.ComponentStatus{kcm, down, etcd}, map[string]int{"scheduler": 20259}, "scheduler is unhealthy", "secure-port=20259 has moved it"},
		"said to be in place": {[]corev1.ComponentStatus{kcm, down, etcd}, map[string]int{"scheduler": 10259}, "scheduler is unhealthy", "khw-controller status"},
		"etcd down":           {[]corev1.ComponentStatus{kcm, scheduler, componentStatus("etcd-1", "False", "", "deadline")}, nil, "etcd-1 is unhealthy: deadline", "etcd members"},
		"no condition":        {[]corev1.ComponentStatus{kcm, scheduler, {}}, nil, "its health is not known", ""},
		"not listed":          {[]corev1.ComponentStatus{scheduler, etcd}, nil, "does not list controller-manager", "--kubeconfig"},
	} {
		t.Run(name, func(t *testing.T) { wants(t, evaluateComponents(test.list, test.ports), test.problem, test.next) })
	}
	want := []string{
		"NAME                 STATUS    MESSAGE   ERROR",
		"controller-manager   Healthy   ok",
		"scheduler            Healthy   ok",
		"etcd-0               Healthy   ok",
	}
	if got := evaluateComponents([]corev1.ComponentStatus{kcm, scheduler, etcd}, nil).output; !slices.Equal(got, want) {
		t.Errorf("got %q, want the lab's table %q", got, want)
	}
}

func TestHealth(t *testing.T) {
	word := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Host != "kubernetes.default.svc.cluster.local" || r.URL.Path != "/healthz" {
				code, body = http.StatusTeapot, r.Host+r.URL.Path
			}
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	for name, test := range map[string]struct {
		handler       http.HandlerFunc
		problem, next string
	}{
		"ok":                      {word(200, "ok"), "", ""},
		"stopping":                {word(503, "stopping"), "/healthz answers 503 Service Unavailable, stopping", "start it again"},
		"refused":                 {word(503, "refused"), "503 Service Unavailable, refused", "not this controller's"},
		"etcd":                    {word(503, "etcd"), "etcd", "the step etcd members"},
		"starting, and yet 200":   {word(200, "starting"), `"starting", want 200 OK`, "ss -ltnp"},
		"a word of somebody else": {word(503, "sorry"), `"sorry"`, "ss -ltnp"},
		"nginx without the apiserver": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Server", "nginx/1.14.0 (Ubuntu)")
			w.WriteHeader(http.StatusBadGateway)
		}, "is answered by nginx/1.14.0 (Ubuntu): 502 Bad Gateway", "systemctl disable --now nginx"},
		"a welcome page": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<h1>Welcome</h1>") }, `Content-Type "text/html; charset=utf-8"`, "ss -ltnp"},
		"ok, but HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "ok")
		}, `"text/html"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(test.handler)
			defer s.Close()
			wants(t, checkHealth(t.Context(), Target{HealthAddress: s.Listener.Addr().String()}), test.problem, test.next)
		})
	}
	wants(t, checkHealth(t.Context(), Target{HealthAddress: nobody(t)}), "nobody listens there", "systemctl start khw-controller")
	const runs = "process 42 runs, and does not listen there now"
	wants(t, checkHealth(t.Context(), Target{HealthAddress: nobody(t), PID: 42}), "nobody listens there", runs)
	running := Target{Kubeconfig: files(t, 1).AdminKubeconfig, PID: 42}
	wants(t, checkComponents(t.Context(), running), "nobody listens there", runs)
	member := "http://" + nobody(t)
	running.Etcd.Endpoints = []string{member}
	wants(t, checkEtcd(t.Context(), running), "nobody listens there", "systemctl start etcd")
	running.EmbeddedEtcd = member
	wants(t, checkEtcd(t.Context(), running), "nobody listens there", runs)
	over, end := context.WithCancel(t.Context())
	end()
	wants(t, checkHealth(over, Target{HealthAddress: "127.0.0.1:80"}), "http://127.0.0.1/healthz does not work", "")
	if r := checkHealth(t.Context(), Target{}); !strings.Contains(r.skipped, "--healthz-bind-address") {
		t.Errorf("turned off: %+v", r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wants(t, checkHealth(ctx, Target{HealthAddress: listen(t, "127.0.0.1:0").Addr().String()}), "does not answer in time", "")
}

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"lb.example.com": "lb.example.com:6443", "lb.example.com:443": "lb.example.com:443", "203.0.113.1": "203.0.113.1:6443",
		"2001:db8::1": "[2001:db8::1]:6443", "[2001:db8::1]:443": "[2001:db8::1]:443", "[2001:db8::1]": "[2001:db8::1]:6443",
		"https://lb": "", "lb/version": "", "lb:0": "", "lb:70000": "", "lb:https": "", ":6443": "", "a:b:c": "", "user@lb": "",
	} {
		got, err := ParseAddress(in, "6443")
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestWhenNothingRunsEveryStepSaysWhatToDo(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	f := files(t, l.Addr().(*net.TCPAddr).Port)
	l.Close()
	target := Target{
		Kubeconfig: f.AdminKubeconfig, CA: f.CA, HealthAddress: nobody(t), KubeletClientCertificate: f.Cert,
		Etcd:       etcdclient.Config{Endpoints: []string{"https://" + nobody(t)}, CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key},
		EtcdPrefix: "/registry",
	}
	lacks := target
	lacks.Kubeconfig = filepath.Join(t.TempDir(), "admin.kubeconfig")
	lacks.CA, lacks.Etcd.CAFile, lacks.KubeletClientCertificate = lacks.Kubeconfig, lacks.Kubeconfig, lacks.Kubeconfig
	for name, target := range map[string]Target{"nothing runs": target, "no files": lacks} {
		var order []string
		begun := time.Now()
		results := Run(t.Context(), target, func(r Result) { order = append(order, r.Step) })
		if want := []string{"units", "componentstatuses", "health proxy", "kubelet RBAC", "etcd members", "encryption at rest", "version"}; !slices.Equal(order, want) {
			t.Errorf("%s: the order is %q, want %q", name, order, want)
		}
		if took := time.Since(begun); took > timeout+removeTimeout {
			t.Errorf("%s: it took %s", name, took)
		}
		for _, r := range results[1:] {
			if r.Outcome != Failed || len(r.Failures) == 0 || r.Failures[0].Problem == "" || r.Failures[0].Next == "" {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if results[0].Outcome != Skipped {
			t.Errorf("%s: %+v", name, results[0])
		}
	}
}
