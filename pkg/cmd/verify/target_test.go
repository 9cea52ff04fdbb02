// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"reflect"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

func planFor(t *testing.T, c config.Config) *plan.Plan {
	t.Helper()
	c.AdvertiseAddress = "192.0.2.10"
	p, err := plan.New(t.Context(), &c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func overrides(values ...string) []lab.Override {
	var all []lab.Override
	for _, v := range values {
		all = append(all, lab.Override{Arg: lab.ParseArg(v), Source: config.FromFlag})
	}
	return all
}

func TestTheTargetIsWhereRunPutsThings(t *testing.T) {
	got, err := target(planFor(t, config.Config{Root: "/r", HealthzBindAddress: "0.0.0.0:80"}), "", "lb.example.com")
	if err != nil {
		t.Fatal(err)
	}
	const dir = "/r/var/lib/kubernetes/"
	want := verify.Target{
		Kubeconfig: dir + "admin.kubeconfig", CA: dir + "ca.pem", HealthAddress: "127.0.0.1:80", Ports: map[string]int{"controller-manager": 10257, "scheduler": 10259},
		KubeletClientCertificate: dir + "kubernetes.pem", EncryptionConfig: dir + "encryption-config.yaml", LoadBalancer: "lb.example.com:6443",
		Etcd:         etcdclient.Config{Endpoints: []string{"https://127.0.0.1:2379"}, CAFile: dir + "ca.pem", CertFile: dir + "kubernetes.pem", KeyFile: dir + "kubernetes-key.pem"},
		EmbeddedEtcd: "https://127.0.0.1:2379", EtcdPrefix: "/registry",
	}
	if got.UnitFiles != nil {
		t.Error("below a root, units are looked at")
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheTargetFollowsTheFlags(t *testing.T) {
	got, err := target(planFor(t, config.Config{
		Root: "/r", EtcdServers: []string{"https://10.240.0.10:2379", "https://10.240.0.11:2379"},
		Args: map[lab.Component][]lab.Override{
			lab.APIServer: overrides("secure-port=7443", "etcd-prefix=/k8s", "client-ca-file=/x/ca.pem"),
			lab.Scheduler: overrides("secure-port=20259"),
		},
	}), "/home/me/admin.kubeconfig", "203.0.113.1")
	if err != nil {
		t.Fatal(err)
	}
	if got.Kubeconfig != "/home/me/admin.kubeconfig" || got.CA != "/x/ca.pem" || got.HealthAddress != "" || got.LoadBalancer != "203.0.113.1:7443" ||
		len(got.Etcd.Endpoints) != 2 || got.EtcdPrefix != "/k8s" || got.Ports["scheduler"] != 20259 || got.Ports["controller-manager"] != 10257 {
		t.Errorf("got %+v", got)
	}
}

func TestAnAddressThatIsNone(t *testing.T) {
	var usage cli.UsageError
	if _, err := target(planFor(t, config.Config{Root: "/r"}), "", "https://lb"); !errors.As(err, &usage) {
		t.Errorf("got %v", err)
	}
}

func TestHealthIsAskedForOnThisMachine(t *testing.T) {
	for bind, want := range map[string]string{
		"": "", ":80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", "192.0.2.1:8080": "192.0.2.1:8080", "[::1]:80": "[::1]:80",
	} {
		got, err := target(planFor(t, config.Config{Root: "/r", HealthzBindAddress: bind}), "", "")
		if err != nil || got.HealthAddress != want {
			t.Errorf("%s: got %s, %v, want %s", bind, got.HealthAddress, err, want)
		}
	}
}

func TestMarksFollowTheLocale(t *testing.T) {
	for _, test := range []struct {
		all, ctype, lang string
		want             verify.Marks
	}{
		{"", "", "en_GB.UTF-8", verify.Unicode}, {"", "", "C.utf8", verify.Unicode}, {"C", "", "en_GB.UTF-8", verify.ASCII},
		{"", "de_DE.UTF-8", "C", verify.Unicode}, {"", "", "", verify.ASCII}, {"", "", "POSIX", verify.ASCII},
	} {
		t.Setenv("LC_ALL", test.all)
		t.Setenv("LC_CTYPE", test.ctype)
		t.Setenv("LANG", test.lang)
		if got := marks(); got != test.want {
			t.Errorf("%+v: got %+v", test, got)
		}
	}
}
