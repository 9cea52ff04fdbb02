// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"net"
	"strconv"

	genericoptions "k8s.io/apiserver/pkg/server/options"
	kubeoptions "k8s.io/kubernetes/pkg/kubeapiserver/options"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// File is a file and the flag that names it; without a flag it is one of the
// lab's own.
type File struct{ Flag, Path string }

// String names the file together with the flag that points to it.
func (f File) String() string {
	if f.Flag == "" {
		return f.Path
	}
	return f.Path + " (" + f.Flag + ")"
}

// Pair is a certificate and its key.
type Pair struct{ Cert, Key File }

// Value is a flag and its value.
type Value struct{ Flag, Value string }

// Settings are the values in force that more than one part of the program acts
// on, as the components' own parsers have understood them, each with the flag
// that sets it.
type Settings struct {
	// ClientCA knows the apiserver's clients, EtcdCA etcd's members, KubeletCA
	// kubelets; RootCA is what pods are given.
	ClientCA, EtcdCA, KubeletCA, RootCA File
	// Signing signs what is asked for by a CertificateSigningRequest; Serving is
	// the apiserver's; KubeletClient and EtcdClient are as whom it goes to kubelets
	// and to etcd.
	Signing, Serving, KubeletClient, EtcdClient Pair
	// ServiceAccountKeys verify tokens, TokenSigningKey signs those of the
	// apiserver, and ControllerTokenKey those of the controller-manager.
	ServiceAccountKeys                  []File
	TokenSigningKey, ControllerTokenKey File
	EncryptionConfig                    File
	// Kubeconfigs are the controller-manager's and the scheduler's.
	Kubeconfigs []File

	// AdvertiseAddress and Port are where the apiserver is reached.
	AdvertiseAddress net.IP
	Port             int
	// ServiceRanges are the components' service ranges, the apiserver's first.
	ServiceRanges []Value
	// Etcd* are how the apiserver reaches etcd, embedded or not, and below which
	// key it keeps its objects there.
	EtcdAccess etcdclient.Config
	EtcdPrefix string
	// AuditLog is the file that the audit log goes to; without a path, none.
	AuditLog File
	// AuditPolicy is what decides on what is audited, and AdmissionConfig configures the
	// admission plugins; without a path, none.
	AuditPolicy, AdmissionConfig File
}

// settings takes the typed settings out of the parsed options.
func (p *Plan) settings() Settings {
	api, kcm := p.APIServer.ServerRunOptions, p.ControllerManager.KubeControllerManagerOptions
	apiFile := func(flag, path string) File { return File{ArgFlag(lab.APIServer, flag), path} }
	kcmFile := func(flag, path string) File { return File{ArgFlag(lab.ControllerManager, flag), path} }
	etcd := api.Etcd.StorageConfig.Transport
	s := Settings{
		ClientCA:  apiFile("client-ca-file", api.Authentication.ClientCert.ClientCA),
		EtcdCA:    apiFile("etcd-cafile", etcd.TrustedCAFile),
		KubeletCA: apiFile("kubelet-certificate-authority", api.KubeletConfig.TLSClientConfig.CAFile),
		RootCA:    kcmFile("root-ca-file", kcm.SAController.RootCAFile),
		Signing: Pair{
			kcmFile("cluster-signing-cert-file", kcm.CSRSigningController.ClusterSigningCertFile),
			kcmFile("cluster-signing-key-file", kcm.CSRSigningController.ClusterSigningKeyFile),
		},
		Serving: Pair{
			apiFile("tls-cert-file", api.SecureServing.ServerCert.CertKey.CertFile),
			apiFile("tls-private-key-file", api.SecureServing.ServerCert.CertKey.KeyFile),
		},
		KubeletClient: Pair{
			apiFile("kubelet-client-certificate", api.KubeletConfig.TLSClientConfig.CertFile),
			apiFile("kubelet-client-key", api.KubeletConfig.TLSClientConfig.KeyFile),
		},
		EtcdClient: Pair{apiFile("etcd-certfile", etcd.CertFile), apiFile("etcd-keyfile", etcd.KeyFile)},

		TokenSigningKey:    apiFile("service-account-signing-key-file", api.ServiceAccountSigningKeyFile),
		ControllerTokenKey: kcmFile("service-account-private-key-file", kcm.SAController.ServiceAccountKeyFile),
		EncryptionConfig:   apiFile("encryption-provider-config", api.Etcd.EncryptionProviderConfigFilepath),
		Kubeconfigs: []File{
			kcmFile("kubeconfig", kcm.Generic.ClientConnection.Kubeconfig),
			{ArgFlag(lab.Scheduler, "kubeconfig"), p.Files.SchedulerKubeconfig},
		},

		AdvertiseAddress: p.Address.IP,
		Port:             api.SecureServing.BindPort,
		ServiceRanges: []Value{
			{ArgFlag(lab.APIServer, serviceRange), cmp.Or(api.ServiceClusterIPRanges, kubeoptions.DefaultServiceIPCIDR.String())},
			{ArgFlag(lab.ControllerManager, serviceRange), kcm.NodeIPAMController.ServiceCIDR},
		},
		EtcdAccess: etcdclient.Config{
			Endpoints: etcd.ServerList, CAFile: etcd.TrustedCAFile, CertFile: etcd.CertFile, KeyFile: etcd.KeyFile,
		},
		EtcdPrefix:      api.Etcd.StorageConfig.Prefix,
		AuditPolicy:     apiFile("audit-policy-file", api.Audit.PolicyFile),
		AdmissionConfig: apiFile("admission-control-config-file", api.Admission.GenericAdmission.ConfigFile),
	}
	if path := api.Audit.LogOptions.Path; path != "-" { // standard output
		s.AuditLog = apiFile("audit-log-path", path)
	}
	for _, path := range api.Authentication.ServiceAccounts.KeyFiles {
		s.ServiceAccountKeys = append(s.ServiceAccountKeys, apiFile("service-account-key-file", path))
	}
	return s
}

const serviceRange = "service-cluster-ip-range"

// EtcdOverrides are the servers of each of --etcd-servers-overrides.
func (p *Plan) EtcdOverrides() [][]string {
	// What cannot be parsed is the apiserver's to say.
	overrides, _ := genericoptions.ParseEtcdServersOverrides(p.APIServer.Etcd.EtcdServersOverrides)
	var servers [][]string
	for _, o := range overrides {
		servers = append(servers, o.Servers)
	}
	return servers
}

// ArgFlag is how a user sets a component's flag.
func ArgFlag(c lab.Component, name string) string { return fmt.Sprintf("--%s-arg %s", c, name) }

// APIServerAddress is where a client on this machine reaches the apiserver,
// host:port.
func (p *Plan) APIServerAddress() string {
	serving := p.APIServer.SecureServing
	return reachable(net.JoinHostPort(serving.BindAddress.String(), strconv.Itoa(serving.BindPort)))
}

// AdvertisedAddress is where everybody reaches the apiserver, host:port.
func (p *Plan) AdvertisedAddress() string {
	return net.JoinHostPort(p.AdvertiseAddress.String(), strconv.Itoa(p.Port))
}

// HealthAddress is where a client on this machine asks for health, host:port, or
// "" where nobody answers.
func (p *Plan) HealthAddress() string {
	switch {
	case p.Config.HealthzBindAddress == "":
		return ""
	case p.HealthSocket != nil:
		return reachable(p.HealthSocket.Address().String())
	}
	return reachable(p.Config.HealthzBindAddress)
}

// reachable is where a client on this machine reaches what listens on address.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
