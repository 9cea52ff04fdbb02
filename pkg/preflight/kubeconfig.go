// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"slices"

	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

func checkKubeconfigs(in input) []Finding {
	var found []Finding
	for _, f := range in.Kubeconfigs {
		found = append(found, checkKubeconfig(in, f)...)
	}
	return dedupe(found)
}

func checkKubeconfig(in input, f plan.File) []Finding {
	k, found := loadKubeconfig(in, f)
	if k == nil {
		return found
	}
	found = checkKubeconfigServer(in, k)
	if k.server.Scheme != "https" {
		return found // it shows no certificate there and verifies none
	}
	return slices.Concat(found, checkKubeconfigTrust(in, k), checkKubeconfigClient(in, k))
}

// kubeconfig is one kubeconfig as its component loads it.
type kubeconfig struct {
	plan.File
	config *restclient.Config // with its files read
	server *url.URL
}

// loadKubeconfig does what a component does with its --kubeconfig before it
// connects. A nil kubeconfig comes with the reason.
func loadKubeconfig(in input, f plan.File) (*kubeconfig, []Finding) {
	if _, err := readFile(f.Path); err != nil {
		return nil, err.findingOf(f, "put the kubeconfig there, or correct the flag")
	}
	config, err := clientcmd.BuildConfigFromFlags(master(in, f), f.Path)
	if err != nil {
		return nil, failure(f.String(), "is not a usable kubeconfig: "+oneLine(err.Error()), "make it again as in lab chapter 05")
	}
	stock := makesTransport(restclient.CopyConfig(config))
	if err := restclient.LoadTLSFiles(config); err != nil {
		return nil, failure(f.String(), "names a file that cannot be read: "+oneLine(err.Error()), "correct the path there, or make it again with --embed-certs=true")
	}
	if stock != nil {
		return nil, whyNoClient(f, config, stock)
	}
	server, _, err := restclient.DefaultServerUrlFor(config)
	if err != nil {
		return nil, failure(f.String(), "names a server that is not a URL: "+config.Host, "use https://127.0.0.1:6443")
	}
	return &kubeconfig{f, config, server}, nil
}

// makesTransport does what a client does with its configuration when it is made,
// but for the transport itself: that would be kept, and watch its files.
func makesTransport(config *restclient.Config) error {
	if _, err := restclient.TLSConfigFor(config); err != nil {
		return err
	}
	_, err := restclient.HTTPWrappersForConfig(config, http.DefaultTransport)
	return err
}

// master is the server that a component's flags put over that of its kubeconfig.
func master(in input, f plan.File) string {
	switch f.Flag {
	case plan.ArgFlag(lab.ControllerManager, "kubeconfig"):
		return in.ControllerManager.Master
	case plan.ArgFlag(lab.Scheduler, "kubeconfig"):
		return in.Scheduler.Master
	}
	return ""
}

// whyNoClient tells what keeps a component from making a client of its
// kubeconfig.
func whyNoClient(f plan.File, config *restclient.Config, err error) []Finding {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return failure(f.String(), "names a file that cannot be read: "+oneLine(err.Error()), "correct the path there")
	}
	if len(config.CAData) > 0 && anyCertificate(config.CAData) != nil {
		_, damaged := parseCertificates(config.CAData)
		return failure(f.String(), "has a certificate authority that "+damaged.problem, "make it again with --certificate-authority=ca.pem")
	}
	if len(config.CertData) > 0 || len(config.KeyData) > 0 {
		if wrong := clientPair(config); wrong != "" {
			return failure(f.String(), wrong, "make it again as in lab chapter 05")
		}
	}
	return failure(f.String(), "is not a usable kubeconfig: "+oneLine(err.Error()), "make it again as in lab chapter 05")
}

// clientPair tells what is wrong with the client certificate and key, or nothing.
func clientPair(config *restclient.Config) string {
	_, wrong := parsePair(config.CertData, config.KeyData)
	switch {
	case wrong == nil:
		return ""
	case wrong.cert != nil:
		return "has a client certificate that " + wrong.cert.problem
	case wrong.key != nil:
		return "has a client key that " + wrong.key.problem
	}
	return "has a client certificate and key that do not belong together"
}

// checkKubeconfigClient evaluates as whom a component connects: the apiserver
// verifies its certificate with what is beside it.
func checkKubeconfigClient(in input, k *kubeconfig) []Finding {
	c := k.config
	if len(c.CertData) == 0 {
		if cmp.Or(c.BearerToken, c.BearerTokenFile) == "" && c.ExecProvider == nil && c.AuthProvider == nil {
			return failure(k.String(), "has no client certificate, token or plugin that gets one", "make it again with --client-certificate and --client-key")
		}
		return nil
	}
	if wrong := clientPair(c); wrong != "" {
		return failure(k.String(), wrong, "make it again as in lab chapter 05")
	}
	authorities := certificatesIn(in.ClientCA.Path)
	if len(authorities) == 0 {
		return nil // reported with the CA itself, if it is wanted
	}
	chain, _ := parsePair(c.CertData, c.KeyData)
	_, err := verify(chain, pool(authorities), x509.ExtKeyUsageClientAuth, in.Now)
	if err == nil {
		return nil
	}
	wrong := whyNotVerified(err, chain, authorities, in.ClientCA.Path, x509.ExtKeyUsageClientAuth, in.Now)
	return failure(k.String(), "has a client certificate ("+name(chain[0])+") that "+wrong.problem, wrong.fix)
}

// verifiesName reports whether a component wants the apiserver's certificate to
// name a host.
func verifiesName(in input, host string) bool {
	return slices.ContainsFunc(in.Kubeconfigs, func(f plan.File) bool {
		k, _ := loadKubeconfig(in, f)
		return k != nil && k.name() == host
	})
}

// name is what the apiserver's certificate has to name.
func (k *kubeconfig) name() string { return cmp.Or(k.config.ServerName, k.server.Hostname()) }
