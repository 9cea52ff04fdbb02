// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

func checkKubeconfigs(in input) []Finding {
	var found []Finding
	for _, f := range in.Kubeconfigs {
		found = append(found, checkKubeconfig(in, f)...)
	}
	return found
}

func checkKubeconfig(in input, f plan.File) []Finding {
	if _, err := os.Stat(f.Path); err != nil {
		return failure(f.String(), "cannot be read: "+reason(err), "put the kubeconfig there, or correct the flag")
	}
	config, err := clientcmd.BuildConfigFromFlags("", f.Path)
	if err != nil {
		return failure(f.String(), "is not a usable kubeconfig: "+oneLine(err.Error()), "make it again as in lab chapter 05")
	}
	if err := restclient.LoadTLSFiles(config); err != nil {
		return failure(f.String(), "names a file that cannot be read: "+oneLine(err.Error()), "make it again with --embed-certs=true")
	}
	if config.Insecure {
		return failure(f.String(), "skips the verification of the apiserver (insecure-skip-tls-verify)", "make it again with --certificate-authority=ca.pem")
	}
	found := checkKubeconfigCA(in, f, config.CAData)
	found = append(found, checkKubeconfigClient(in, f, config)...)
	return append(found, checkKubeconfigServer(in, f, config.Host)...)
}

func checkKubeconfigCA(in input, f plan.File, ca []byte) []Finding {
	server, problems := checkSigned(in, in.Serving, in.ClientCA, x509.ExtKeyUsageServerAuth)
	if server == nil || len(problems) > 0 {
		return nil // reported with the certificate itself
	}
	authorities, err := parseCertificates(ca)
	if err != nil || !signedBy(server, authorities) {
		return failure(f.String(), "is for another CA than the one that signed "+in.Serving.Cert.Path, "make it again with --certificate-authority="+in.ClientCA.Path)
	}
	return nil
}

func checkKubeconfigClient(in input, f plan.File, config *restclient.Config) []Finding {
	if len(config.CertData) == 0 {
		if config.BearerToken == "" && config.BearerTokenFile == "" && config.ExecProvider == nil {
			return failure(f.String(), "has no client certificate", "make it again with --client-certificate and --client-key")
		}
		return nil
	}
	if _, err := tls.X509KeyPair(config.CertData, config.KeyData); err != nil {
		return failure(f.String(), "has a client certificate and key that do not belong together", "make it again as in lab chapter 05")
	}
	certs, err := parseCertificates(bytes.TrimSpace(config.CertData))
	if err != nil {
		return failure(f.String(), "has a client certificate that "+err.Error(), "make it again as in lab chapter 05")
	}
	if problems := checkValidity(in.Now, f.Path, certs[0]); len(problems) > 0 {
		problems[0].Problem = "its client certificate " + problems[0].Problem
		return problems
	}
	authorities, err := readCertificates(in.ClientCA.Path)
	if err != nil {
		return nil // reported with the CA itself
	}
	if !signedBy(certs[0], authorities) {
		return failure(f.String(), "has a client certificate that is not signed by "+in.ClientCA.Path, "sign one with that CA: "+describe(certs[0]))
	}
	return nil
}

func describe(cert *x509.Certificate) string {
	return fmt.Sprintf("CN=%s, now signed by %s", cert.Subject.CommonName, cert.Issuer.CommonName)
}

func checkKubeconfigServer(in input, f plan.File, host string) []Finding {
	u, err := url.Parse(host)
	if err != nil {
		return failure(f.String(), "names a server that is not a URL: "+host, fmt.Sprintf("use https://127.0.0.1:%d", in.Port))
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	if u.Hostname() == "127.0.0.1" && port != strconv.Itoa(in.Port) {
		return failure(f.String(), fmt.Sprintf("connects to %s, but this controller's apiserver listens on port %d", host, in.Port),
			fmt.Sprintf("use https://127.0.0.1:%d", in.Port))
	}
	if own := in.APIServerAddress(); u.Hostname() == "127.0.0.1" && !strings.HasPrefix(own, "127.0.0.1:") {
		// A load balancer on this machine may listen there.
		return warning(f.String(), fmt.Sprintf("connects to %s, but this controller's apiserver listens at %s", host, own),
			fmt.Sprintf("use https://%s, or take --kube-apiserver-arg bind-address back, unless a load balancer listens there", own))
	}
	return nil
}
