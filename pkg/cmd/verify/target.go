// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"strings"

	"github.com/coreos/go-systemd/v22/util"
	"k8s.io/kubernetes/pkg/kubeapiserver/options"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/server"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

// labPort is the apiserver's.
const labPort = "6443"

// target says where the control plane of a plan is.
func target(p *server.Plan, kubeconfig, address string) (verify.Target, error) {
	api := func(flag string) string { return lab.Get(p.Settings[lab.APIServer], flag) }
	t := verify.Target{
		Kubeconfig:               kubeconfig,
		CA:                       p.Files.CA,
		MovedPorts:               map[string]string{},
		KubeletClientCertificate: api("kubelet-client-certificate"),
		Etcd: etcdclient.Config{
			Endpoints: strings.Split(api("etcd-servers"), ","),
			CAFile:    api("etcd-cafile"), CertFile: api("etcd-certfile"), KeyFile: api("etcd-keyfile"),
		},
		EtcdPrefix:       options.DefaultEtcdPathPrefix,
		EncryptionConfig: api("encryption-provider-config"),
		HealthAddress:    p.HealthAddress(),
	}
	if t.Kubeconfig == "" {
		t.Kubeconfig = p.Files.AdminKubeconfig
	}
	if prefix := api("etcd-prefix"); prefix != "" {
		t.EtcdPrefix = prefix
	}
	if util.IsRunningSystemd() && p.Config.Root == "" {
		t.UnitFiles = verify.Systemctl
	}
	for _, c := range []lab.Component{lab.ControllerManager, lab.Scheduler} {
		if port := lab.Get(p.Settings[c], "secure-port"); port != "" {
			t.MovedPorts[strings.TrimPrefix(string(c), "kube-")] = port
		}
	}
	if address == "" {
		return t, nil
	}
	port := labPort
	if moved := api("secure-port"); moved != "" {
		port = moved
	}
	var err error
	if t.LoadBalancer, err = verify.ParseAddress(address, port); err != nil {
		return t, cli.Usagef("--address %w", err)
	}
	return t, nil
}
