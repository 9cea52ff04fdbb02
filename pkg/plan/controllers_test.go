// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// thisHost is a name under which this machine is one of --controllers.
func thisHost(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ToLower(name)
}

func TestControllersAreOneEtcdCluster(t *testing.T) {
	self := thisHost(t)
	p, err := New(t.Context(), &config.Config{Root: t.TempDir(), Controllers: []string{"other=192.0.2.9", self + "=192.0.2.10"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if !p.IsCluster() || p.Self.Name != self || p.AdvertiseAddress.String() != "192.0.2.10" || p.Address.Source != "--controllers" {
		t.Errorf("it is %v at %v of %v", p.Self, p.Address, p.Controllers)
	}
	if want := "other=https://192.0.2.9:2380," + self + "=https://192.0.2.10:2380"; p.Etcd.InitialCluster != want {
		t.Errorf("the cluster is %s, want %s", p.Etcd.InitialCluster, want)
	}
	if got := lab.Get(p.Flags[lab.APIServer], "etcd-servers"); got != "https://127.0.0.1:2379" {
		t.Errorf("the apiserver asks %s", got)
	}
}

func TestOneControllerIsAlone(t *testing.T) {
	p, err := New(t.Context(), &config.Config{Root: t.TempDir(), Controllers: []string{thisHost(t) + "=192.0.2.10"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if u := p.Etcd.ListenPeerUrls[0].String(); p.IsCluster() || u != "https://127.0.0.1:2380" {
		t.Errorf("its member listens on %s", u)
	}
}

func TestControllersWithoutThisOneAreRefused(t *testing.T) {
	for items, says := range map[string]string{
		"a=192.0.2.9,b=192.0.2.10": "--controllers: this machine is none of",
		"a=192.0.2.9,a=192.0.2.10": "--controllers: a=192.0.2.9 and a=192.0.2.10 have the same name",
	} {
		if _, err := planFor(t, config.Config{Controllers: strings.Split(items, ",")}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", items, err)
		}
	}
}
