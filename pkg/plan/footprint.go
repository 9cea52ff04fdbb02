// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// Free space below which a start makes no sense, in bytes: etcd makes the segments
// of its log in advance, 64 MB each, and its database grows beside them.
const (
	etcdNeeds  = 100 << 20
	otherNeeds = 10 << 20
)

// Dir is a directory that will be written to.
type Dir struct {
	Path string
	// Flag moves it elsewhere; empty for one of the lab's own.
	Flag string
	// Need is the free space wanted, in bytes.
	Need uint64
	// Full is what happens when nothing can be written to it any more.
	Full string
}

// HealthzFlag moves the port for health checks.
const HealthzFlag = "--healthz-bind-address"

// Listener is an address that will be listened on, host:port, with the flag that
// moves its port.
type Listener struct {
	Flag, Value string
	// AddressFlag moves its address.
	AddressFlag string
}

// Listeners lists every address that will be listened on. Systemd's socket is not
// among them: it is open already.
func (p *Plan) Listeners() []Listener {
	var all []Listener
	add := func(c lab.Component, ip net.IP, port int) {
		if port != 0 {
			all = append(all, Listener{ArgFlag(c, "secure-port"), net.JoinHostPort(ip.String(), strconv.Itoa(port)), ArgFlag(c, "bind-address")})
		}
	}
	add(lab.APIServer, p.APIServer.SecureServing.BindAddress, p.APIServer.SecureServing.BindPort)
	add(lab.ControllerManager, p.ControllerManager.SecureServing.BindAddress, p.ControllerManager.SecureServing.BindPort)
	add(lab.Scheduler, p.Scheduler.SecureServing.BindAddress, p.Scheduler.SecureServing.BindPort)
	one := func(flag, address string) { all = append(all, Listener{flag, address, flag}) }
	if p.Config.HealthzBindAddress != "" && p.HealthSocket == nil {
		one(HealthzFlag, p.Config.HealthzBindAddress)
	}
	if p.Etcd != nil {
		for _, u := range p.Etcd.ListenClientUrls {
			one("--etcd-arg listen-client-urls", u.Host)
		}
		for _, u := range p.Etcd.ListenPeerUrls {
			one("--etcd-arg listen-peer-urls", u.Host)
		}
	}
	return all
}

// Dirs lists the directories that will be written to.
func (p *Plan) Dirs() []Dir {
	dirs := []Dir{{Path: p.Path(paths.LabDir), Need: otherNeeds, Full: "certificates cannot be renewed, and a crash leaves no report"}}
	if p.AuditLog.Path != "" {
		dirs = append(dirs, Dir{Path: filepath.Dir(p.AuditLog.Path), Flag: p.AuditLog.Flag, Need: otherNeeds, Full: "audit events are lost"})
	}
	if p.Etcd != nil {
		dirs = append(dirs, Dir{Path: p.Etcd.Dir, Need: etcdNeeds, Full: "etcd ends, and the control plane with it"})
	}
	return dirs
}

// Read lists every file that will be read.
func (p *Plan) Read() []File {
	files := []File{p.ClientCA, p.EtcdCA, p.KubeletCA, p.RootCA, p.TokenSigningKey, p.ControllerTokenKey, p.EncryptionConfig, p.AuditPolicy, p.AdmissionConfig}
	for _, pair := range []Pair{p.Signing, p.Serving, p.KubeletClient, p.EtcdClient} {
		files = append(files, pair.Cert, pair.Key)
	}
	for _, path := range p.Files.Required() {
		files = append(files, File{Path: path})
	}
	return slices.DeleteFunc(slices.Concat(files, p.ServiceAccountKeys, p.Kubeconfigs), func(f File) bool { return f.Path == "" })
}

// Written lists the files that will be written to, there already or not.
func (p *Plan) Written() []string {
	written := []string{p.Path(paths.Lock), p.Path(paths.Crash)}
	if p.AuditLog.Path != "" {
		written = append(written, p.AuditLog.Path)
	}
	return written
}

// Fresh reports whether none of the lab's files is there, so that all of them
// are to be made.
func (p *Plan) Fresh() bool {
	for _, path := range p.Files.Required() {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			return false
		}
	}
	return true
}
