// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	utilnet "k8s.io/utils/net"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/preflight"
)

// Free space below which a start makes no sense, in bytes.
const (
	etcdNeeds  = 100 << 20
	otherNeeds = 10 << 20
)

// Check judges whether the plan would work here; it changes nothing.
func Check(ctx context.Context, p *Plan) []preflight.Finding {
	in := p.checkInput()
	in.BeforeRun = true
	return preflight.Run(ctx, in)
}

func (p *Plan) checkInput() preflight.Input {
	api, kcm := lab.APIServer, lab.ControllerManager
	in := preflight.Input{
		Now:              time.Now(),
		LockPath:         p.lockPath(),
		Generate:         p.fresh(),
		Required:         p.required(),
		ClientCA:         p.file(api, "client-ca-file"),
		EtcdCA:           p.file(api, "etcd-cafile"),
		KubeletCA:        p.file(api, "kubelet-certificate-authority"),
		RootCA:           p.file(kcm, "root-ca-file"),
		Signing:          p.pair(kcm, "cluster-signing-cert-file", "cluster-signing-key-file"),
		Serving:          p.pair(api, "tls-cert-file", "tls-private-key-file"),
		KubeletClient:    p.pair(api, "kubelet-client-certificate", "kubelet-client-key"),
		EtcdClient:       p.pair(api, "etcd-certfile", "etcd-keyfile"),
		ServiceAccount:   p.pair(api, "service-account-key-file", "service-account-signing-key-file"),
		TokensKey:        p.file(kcm, "service-account-private-key-file"),
		EncryptionConfig: p.file(api, "encryption-provider-config"),
		Kubeconfigs: []preflight.File{
			p.file(kcm, "kubeconfig"),
			{Flag: argFlag(lab.Scheduler, "kubeconfig"), Path: p.Files.SchedulerKubeconfig},
		},
		AdvertiseAddress: p.Address.IP,
		Port:             p.apiServer.SecureServing.BindPort,
		ServiceRanges:    []preflight.Value{p.value(api, "service-cluster-ip-range"), p.value(kcm, "service-cluster-ip-range")},
		Ports:            p.ports(),
		Dirs:             p.dirs(),
		Written:          []string{p.lockPath(), p.Config.Path(crashFile)},
	}
	if log := p.auditLog(); log != "" {
		in.Written = append(in.Written, log)
	}
	if p.Etcd != nil {
		in.EtcdDataDir = p.Etcd.Dir
	} else {
		in.EtcdServers = strings.Split(lab.Get(p.Settings[api], "etcd-servers"), ",")
	}
	return in
}

// argFlag is how a user sets a component's flag.
func argFlag(c lab.Component, name string) string { return fmt.Sprintf("--%s-arg %s", c, name) }

func (p *Plan) value(c lab.Component, name string) preflight.Value {
	return preflight.Value{Flag: argFlag(c, name), Value: lab.Get(p.Settings[c], name)}
}

func (p *Plan) file(c lab.Component, name string) preflight.File {
	return preflight.File{Flag: argFlag(c, name), Path: lab.Get(p.Settings[c], name)}
}

func (p *Plan) pair(c lab.Component, cert, key string) preflight.Pair {
	return preflight.Pair{Cert: p.file(c, cert), Key: p.file(c, key)}
}

func (p *Plan) required() []preflight.File {
	var files []preflight.File
	for _, path := range p.Files.Required() {
		files = append(files, preflight.File{Path: path})
	}
	return files
}

// ports lists every address that will be listened on and the flag that moves it.
func (p *Plan) ports() []preflight.Value {
	serving := func(c lab.Component, ip net.IP, port int) preflight.Value {
		return preflight.Value{Flag: argFlag(c, "secure-port"), Value: net.JoinHostPort(ip.String(), strconv.Itoa(port))}
	}
	var all []preflight.Value
	add := func(c lab.Component, ip net.IP, port int) {
		if port != 0 {
			all = append(all, serving(c, ip, port))
		}
	}
	add(lab.APIServer, p.apiServer.SecureServing.BindAddress, p.apiServer.SecureServing.BindPort)
	add(lab.ControllerManager, p.controllerManager.SecureServing.BindAddress, p.controllerManager.SecureServing.BindPort)
	add(lab.Scheduler, p.scheduler.SecureServing.BindAddress, p.scheduler.SecureServing.BindPort)
	if p.Config.HealthzBindAddress != "" && p.HealthSocket == nil {
		all = append(all, preflight.Value{Flag: "--healthz-bind-address", Value: p.Config.HealthzBindAddress})
	}
	if p.Etcd != nil {
		for _, u := range p.Etcd.ListenClientUrls {
			all = append(all, preflight.Value{Flag: "--etcd-arg listen-client-urls", Value: u.Host})
		}
		for _, u := range p.Etcd.ListenPeerUrls {
			all = append(all, preflight.Value{Flag: "--etcd-arg listen-peer-urls", Value: u.Host})
		}
	}
	return all
}

func (p *Plan) dirs() []preflight.Dir {
	dirs := []preflight.Dir{{Path: p.Config.Path(labDir), Need: otherNeeds}}
	if log := p.auditLog(); log != "" {
		dirs = append(dirs, preflight.Dir{Path: filepath.Dir(log), Flag: argFlag(lab.APIServer, "audit-log-path"), Need: otherNeeds})
	}
	if p.Etcd != nil {
		dirs = append(dirs, preflight.Dir{Path: p.Etcd.Dir, Need: etcdNeeds})
	}
	return dirs
}

// auditLog is the file that the audit log goes to, or empty.
func (p *Plan) auditLog() string {
	path := lab.Get(p.Settings[lab.APIServer], "audit-log-path")
	if path == "-" {
		return ""
	}
	return path
}

// firstServiceIP is the address at which pods reach the apiserver.
func firstServiceIP(ranges string) (net.IP, error) {
	first, _, _ := strings.Cut(ranges, ",")
	cidr, err := utilnet.ParseCIDRs([]string{first})
	if err != nil {
		return nil, fmt.Errorf("--service-cluster-ip-range: %w", err)
	}
	return utilnet.GetIndexedIP(cidr[0], 1)
}
