// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"maps"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientfeatures "k8s.io/client-go/features"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/drift"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// Users of files that are no components of the lab.
const (
	UsedByEtcd = "etcd"
	UsedByRun  = "khw-controller" // the config file
)

// reload is how a component takes over what a flag's file holds, and when it
// reads it otherwise.
type reload struct {
	drift.Reload
	drift.Moment
}

var (
	byItself  = reload{drift.ByItself, drift.EachRun}
	atStart   = reload{drift.AtRestart, drift.EachRun}
	eachTerm  = reload{drift.AtRestart, drift.EachTerm}
	atParsing = reload{drift.AtRestart, drift.Once}
)

// servingReloads are the flags of every secure port: all of its files are watched
// (k8s.io/apiserver/pkg/server/dynamiccertificates).
var servingReloads = map[string]reload{
	"tls-cert-file": byItself, "tls-private-key-file": byItself, sniFlag: byItself,
	"client-ca-file": byItself, "requestheader-client-ca-file": byItself,
}

// sniFlag has a certificate, a key and names in one value.
const sniFlag = "tls-sni-cert-key"

// delegatingReloads are those of the ports that ask the apiserver who somebody is
// and what they may do. A kubeconfig is read once; what it refers to is reloaded.
var delegatingReloads = map[string]reload{"authentication-kubeconfig": atStart, "authorization-kubeconfig": atStart}

// reloads says of every flag that names a file which a component reads how that is
// taken over when it is replaced, as found in the source of Kubernetes v1.37.
var reloads = map[lab.Component]map[string]reload{
	lab.APIServer: merge(servingReloads, map[string]reload{
		// The aggregator's client watches its files too (kube-aggregator's
		// pkg/apiserver); those for kubelets and for other apiservers are client-go's, which
		// reads certificates and CAs again (k8s.io/client-go/transport/cert_rotation.go),
		// (k8s.io/client-go/transport/ca_rotation.go).
		"proxy-client-cert-file": byItself, "proxy-client-key-file": byItself,
		"kubelet-client-certificate": byItself, "kubelet-client-key": byItself,
		"kubelet-certificate-authority": byItself, "peer-ca-file": byItself,
		// etcd's client reads its certificate for every handshake, and the CA once
		// (client/pkg/v3/transport/listener.go, baseConfig and ClientConfig).
		"etcd-certfile": byItself, "etcd-keyfile": byItself, "etcd-cafile": atStart,
		// (pkg/kubeapiserver/options/authentication.go, ApplyTo),
		// (pkg/kubeapiserver/authorizer/reload.go, runReload)
		"authentication-config": byItself, "authorization-config": byItself,
		// Only with --encryption-provider-config-automatic-reload by itself.
		encryptionFlag: atStart,
		// controlplane/apiserver's config.go and options.go: keys are parsed once.
		"service-account-key-file": atStart, "service-account-signing-key-file": atStart,
		"admission-control-config-file": atStart, "audit-policy-file": atStart, "audit-webhook-config-file": atStart,
		"authentication-token-webhook-config-file": atStart, "authorization-policy-file": atStart,
		"authorization-webhook-config-file": atStart, "egress-selector-config-file": atStart,
		"oidc-ca-file": atStart, "token-auth-file": atStart, "tracing-config-file": atStart,
	}),
	lab.ControllerManager: merge(servingReloads, delegatingReloads, map[string]reload{
		"kubeconfig": atStart, "leader-migration-config": atStart, "cloud-config": atStart,
		// cmd/kube-controller-manager/app: controllers are built for each term.
		"root-ca-file": eachTerm, "service-account-private-key-file": eachTerm,
		"pv-recycler-pod-template-filepath-hostpath": eachTerm, "pv-recycler-pod-template-filepath-nfs": eachTerm,
		// pkg/component/controllermanager follows them, as upstream's ca_provider.go.
		"cluster-signing-cert-file": byItself, "cluster-signing-key-file": byItself,
		"cluster-signing-kube-apiserver-client-cert-file": byItself, "cluster-signing-kube-apiserver-client-key-file": byItself,
		"cluster-signing-kubelet-client-cert-file": byItself, "cluster-signing-kubelet-client-key-file": byItself,
		"cluster-signing-kubelet-serving-cert-file": byItself, "cluster-signing-kubelet-serving-key-file": byItself,
		"cluster-signing-legacy-unknown-cert-file": byItself, "cluster-signing-legacy-unknown-key-file": byItself,
	}),
	lab.Scheduler: merge(servingReloads, delegatingReloads, map[string]reload{
		"kubeconfig": atStart,
		"config":     atParsing, // into a document of our own
	}),
}

const (
	encryptionFlag = "encryption-provider-config"
	kubeletCAFlag  = "kubelet-certificate-authority"
)

// Uses lists every file that is read, and how it is taken over when it is replaced.
func (p *Plan) Uses() []drift.Use {
	file := cmp.Or(p.Config.File, p.Path(paths.Config))
	uses := []drift.Use{{Path: file, By: UsedByRun, Flag: "config", Reload: drift.OnHangup, Moment: drift.Once}}
	if p.Etcd != nil {
		uses = append(uses, memberUses("", p.Etcd.ClientTLSInfo)...)
		uses = append(uses, memberUses("peer-", p.Etcd.PeerTLSInfo)...)
	}
	for _, c := range lab.Components() {
		for _, s := range p.Flags[c] {
			if r, ok := reloads[c][s.Name]; ok && s.Value != "" {
				uses = append(uses, p.uses(c, s, r)...)
			}
		}
	}
	// Whatever flag or file names it, it is one and the scheduler's.
	if path := p.Files.SchedulerKubeconfig; path != "" {
		uses = append(uses, withReferences(drift.Use{Path: path, By: string(lab.Scheduler), Flag: "kubeconfig", Reload: drift.AtRestart, Moment: drift.EachRun})...)
	}
	return uses
}

// uses are the files of one flag.
func (p *Plan) uses(c lab.Component, s lab.Setting, r reload) []drift.Use {
	u := drift.Use{Path: s.Value, By: string(c), Flag: s.Name, Reload: r.Reload, Moment: r.Moment}
	switch {
	case s.Name == encryptionFlag && p.APIServer.Etcd.EncryptionProviderConfigAutomaticReload:
		u.Reload = drift.ByItself
	case s.Name == kubeletCAFlag && !clientfeatures.FeatureGates().Enabled(clientfeatures.ClientsAllowCARotation):
		u.Reload = drift.AtRestart
	case s.Name == sniFlag:
		return sniUses(u)
	case s.Name == "kubeconfig" && c == lab.Scheduler:
		return nil // Uses has it
	case strings.HasSuffix(s.Name, "kubeconfig"):
		return withReferences(u)
	}
	return []drift.Use{u}
}

// sniUses takes --tls-sni-cert-key apart: certificate,key:names
// (k8s.io/component-base/cli/flag/namedcertkey_flag.go, NamedCertKey.Set).
func sniUses(u drift.Use) []drift.Use {
	files, _, _ := strings.Cut(u.Path, ":")
	var uses []drift.Use
	for path := range strings.SplitSeq(files, ",") {
		u.Path = strings.TrimSpace(path)
		uses = append(uses, u)
	}
	return uses
}

// withReferences adds the files that a kubeconfig names, which clients reload.
func withReferences(kubeconfig drift.Use) []drift.Use {
	uses := []drift.Use{kubeconfig}
	if isPipe(kubeconfig.Path) {
		return uses // to be refused
	}
	config, err := clientcmd.LoadFromFile(kubeconfig.Path)
	if err != nil || clientcmd.ResolveLocalPaths(config) != nil {
		return uses
	}
	var files []string
	for _, c := range config.Clusters {
		files = append(files, c.CertificateAuthority)
	}
	for _, u := range config.AuthInfos {
		files = append(files, u.ClientCertificate, u.ClientKey, u.TokenFile)
	}
	for _, path := range files {
		if path != "" {
			uses = append(uses, drift.Use{Path: path, By: kubeconfig.By, Flag: kubeconfig.Flag, Reload: drift.ByItself, Moment: drift.EachRun})
		}
	}
	return uses
}

// memberUses are the files of one of the embedded member's ports; certificates
// are read for every handshake, and lists of revoked ones for every connection.
func memberUses(prefix string, info transport.TLSInfo) []drift.Use {
	var uses []drift.Use
	for _, f := range []struct {
		flag, path string
		reload     drift.Reload
	}{
		{"cert-file", info.CertFile, drift.ByItself}, {"key-file", info.KeyFile, drift.ByItself},
		{"client-cert-file", info.ClientCertFile, drift.ByItself}, {"client-key-file", info.ClientKeyFile, drift.ByItself},
		{"crl-file", info.CRLFile, drift.ByItself},
		{"trusted-ca-file", info.TrustedCAFile, drift.AtRestart},
	} {
		if f.path != "" {
			uses = append(uses, drift.Use{Path: f.path, By: UsedByEtcd, Flag: prefix + f.flag, Reload: f.reload, Moment: drift.EachRun})
		}
	}
	return uses
}

func merge(all ...map[string]reload) map[string]reload {
	merged := map[string]reload{}
	for _, m := range all {
		maps.Copy(merged, m)
	}
	return merged
}
