// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// trustOnly has the components' kubeconfigs trust some CAs.
func trustOnly(t *testing.T, f pki.Files, authorities []byte) {
	t.Helper()
	for _, path := range []string{f.ControllerManagerKubeconfig, f.SchedulerKubeconfig} {
		editKubeconfig(t, path, func(c *clientcmdapi.Config) { cluster(c).CertificateAuthorityData = authorities })
	}
}

func cluster(c *clientcmdapi.Config) *clientcmdapi.Cluster {
	return c.Clusters[c.Contexts[c.CurrentContext].Cluster]
}

func authInfo(c *clientcmdapi.Config) *clientcmdapi.AuthInfo {
	return c.AuthInfos[c.Contexts[c.CurrentContext].AuthInfo]
}

// forward passes connections at a port of its own on to address, as a balancer.
func forward(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go join(conn, address)
		}
	}()
	return l.Addr().String()
}

func join(conn net.Conn, address string) {
	defer conn.Close()
	backend, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer backend.Close()
	go func() { _, _ = io.Copy(backend, conn) }()
	_, _ = io.Copy(conn, backend)
}

// connectProxy is an HTTP proxy; it returns its URL.
func connectProxy(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = buffered.Flush()
			join(conn, r.Host)
		}
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String()
}

// TestKubeconfigsOfAllKinds puts what people have into the scheduler's kubeconfig:
// check passes what the stock scheduler would connect with, and nothing else.
func TestKubeconfigsOfAllKinds(t *testing.T) {
	type context struct {
		*clientcmdapi.Config
		in  *input
		f   pki.Files
		dir string
	}
	for name, test := range map[string]struct {
		change func(*testing.T, context)
		starts bool
		says   string
	}{
		"as in the lab": {func(*testing.T, context) {}, true, ""},
		"an intermediate beside the client certificate": {func(t *testing.T, c context) {
			middle := labCA(t, c.f).issue(t, as("middle"))
			leaf := middle.issue(t, unchanged)
			authInfo(c.Config).ClientCertificateData, authInfo(c.Config).ClientKeyData = pemOf(leaf, middle), keyPEM(t, leaf.key)
		}, true, ""},
		"an intermediate left out": {func(t *testing.T, c context) {
			leaf := labCA(t, c.f).issue(t, as("middle")).issue(t, unchanged)
			authInfo(c.Config).ClientCertificateData, authInfo(c.Config).ClientKeyData = pemOf(leaf), keyPEM(t, leaf.key)
		}, false, "has a client certificate (CN=kubernetes) that is not signed by…ca.pem"},
		"an expired client certificate": {func(t *testing.T, c context) {
			leaf := labCA(t, c.f).issue(t, expired)
			authInfo(c.Config).ClientCertificateData, authInfo(c.Config).ClientKeyData = pemOf(leaf), keyPEM(t, leaf.key)
		}, false, "that expired on"},
		"a client certificate for servers": {func(t *testing.T, c context) {
			leaf := labCA(t, c.f).issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
			authInfo(c.Config).ClientCertificateData, authInfo(c.Config).ClientKeyData = pemOf(leaf), keyPEM(t, leaf.key)
		}, false, "is not made for clients"},
		"a client certificate of another CA": {func(t *testing.T, c context) {
			leaf := issued{}.issue(t, as("other")).issue(t, unchanged)
			authInfo(c.Config).ClientCertificateData, authInfo(c.Config).ClientKeyData = pemOf(leaf), keyPEM(t, leaf.key)
		}, false, "client certificate…not signed by"},
		"an encrypted client key": {func(_ *testing.T, c context) {
			authInfo(c.Config).ClientKeyData = block(encryptedKeyBlock, []byte("x"))
		}, false, "has a client key that holds an encrypted private key"},
		"another client key": {func(t *testing.T, c context) { authInfo(c.Config).ClientKeyData = content(t, c.f.CAKey) },
			false, "has a client certificate and key that do not belong together"},
		"no client key":         {func(_ *testing.T, c context) { authInfo(c.Config).ClientKeyData = nil }, false, "kube-scheduler.kubeconfig"},
		"no client certificate": {func(_ *testing.T, c context) { *authInfo(c.Config) = clientcmdapi.AuthInfo{} }, false, "has no client certificate, token or plugin"},
		"a password": {func(_ *testing.T, c context) {
			*authInfo(c.Config) = clientcmdapi.AuthInfo{Username: "a", Password: "b"}
		}, false, "has no client certificate"},
		"a token": {func(_ *testing.T, c context) { *authInfo(c.Config) = clientcmdapi.AuthInfo{Token: goodToken} }, true, ""},
		"a token in a file": {func(t *testing.T, c context) {
			write(t, filepath.Join(c.dir, "token"), goodToken)
			*authInfo(c.Config) = clientcmdapi.AuthInfo{TokenFile: "token"}
		}, true, ""},
		"a token in a file that is not there": {func(_ *testing.T, c context) {
			*authInfo(c.Config) = clientcmdapi.AuthInfo{TokenFile: "token"}
		}, false, "kube-scheduler.kubeconfig"},
		"a plugin": {func(t *testing.T, c context) {
			plugin := filepath.Join(c.dir, "plugin")
			write(t, plugin, "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\""+goodToken+"\"}}'\n")
			if err := os.Chmod(plugin, 0o700); err != nil {
				t.Fatal(err)
			}
			*authInfo(c.Config) = clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: "./plugin", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}}
		}, true, ""},
		"a plugin of an unknown version": {func(_ *testing.T, c context) {
			*authInfo(c.Config) = clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{APIVersion: "client.authentication.k8s.io/v1alpha1", Command: "./plugin", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}}
		}, false, "is not a usable kubeconfig"},
		"a provider that is gone": {func(_ *testing.T, c context) {
			*authInfo(c.Config) = clientcmdapi.AuthInfo{AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "gcp"}}
		}, false, "is not a usable kubeconfig"},
		"several contexts": {func(_ *testing.T, c context) {
			c.Contexts["other"] = &clientcmdapi.Context{Cluster: "nowhere", AuthInfo: "nobody"}
			c.Clusters["nowhere"] = &clientcmdapi.Cluster{Server: "https://192.0.2.99:6443"}
			c.AuthInfos["nobody"] = &clientcmdapi.AuthInfo{}
		}, true, ""},
		"another context": {func(_ *testing.T, c context) {
			c.Contexts["other"] = &clientcmdapi.Context{Cluster: "nowhere", AuthInfo: c.Contexts[c.CurrentContext].AuthInfo}
			c.Clusters["nowhere"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1", CertificateAuthorityData: cluster(c.Config).CertificateAuthorityData}
			c.CurrentContext = "other"
		}, false, "connects to https://127.0.0.1:1, but this controller's apiserver listens on port"},
		"no such context":  {func(_ *testing.T, c context) { c.CurrentContext = "gone" }, false, "is not a usable kubeconfig"},
		"no context":       {func(_ *testing.T, c context) { c.CurrentContext = "" }, false, "is not a usable kubeconfig"},
		"impersonation":    {func(_ *testing.T, c context) { authInfo(c.Config).Impersonate = "system:kube-scheduler" }, true, ""},
		"paths beside it":  {func(t *testing.T, c context) { useFiles(t, c.Config, c.dir, "") }, true, ""},
		"paths that moved": {func(t *testing.T, c context) { useFiles(t, c.Config, c.dir, "gone/") }, false, "kube-scheduler.kubeconfig"},
		"a slash behind":   {func(_ *testing.T, c context) { cluster(c.Config).Server += "/" }, true, ""},
		"capitals":         {func(_ *testing.T, c context) { cluster(c.Config).Server = strings.ToUpper(cluster(c.Config).Server) }, true, ""},
		"no scheme": {func(_ *testing.T, c context) {
			cluster(c.Config).Server = strings.TrimPrefix(cluster(c.Config).Server, "https://")
		}, false, "connects to http://127.0.0.1:…the apiserver serves HTTPS only"},
		"no TLS": {func(_ *testing.T, c context) {
			cluster(c.Config).Server = strings.Replace(cluster(c.Config).Server, "https", "http", 1)
		}, false, "the apiserver serves HTTPS only"},
		"no URL":         {func(_ *testing.T, c context) { cluster(c.Config).Server = "https://127.0.0.1:port" }, false, "kube-scheduler.kubeconfig"},
		"the localhost":  {func(_ *testing.T, c context) { cluster(c.Config).Server = at("localhost", c.in.Port) }, true, ""},
		"IPv6":           {func(_ *testing.T, c context) { cluster(c.Config).Server = at("::1", c.in.Port) }, false, "connects to https://[::1]:"},
		"a balancer":     {func(t *testing.T, c context) { cluster(c.Config).Server = "https://" + forward(t, hostPort(c.in)) }, true, ""},
		"no balancer":    {func(t *testing.T, c context) { cluster(c.Config).Server = "https://127.0.0.1:" + freePort(t) }, false, "listens on port"},
		"a proxy":        {func(t *testing.T, c context) { cluster(c.Config).ProxyURL = connectProxy(t) }, true, ""},
		"no such proxy":  {func(_ *testing.T, c context) { cluster(c.Config).ProxyURL = "gopher://127.0.0.1:1" }, false, "is not a usable kubeconfig"},
		"a server name":  {func(_ *testing.T, c context) { cluster(c.Config).TLSServerName = "kubernetes" }, true, ""},
		"another's name": {func(_ *testing.T, c context) { cluster(c.Config).TLSServerName = "controller-9" }, false, "does not name controller-9"},
		"a server name for an address that is not named": {func(t *testing.T, c context) {
			leaf := labCA(t, c.f).issue(t, func(c *x509.Certificate) { c.IPAddresses = nil })
			c.in.Serving.Cert.Path, c.in.Serving.Key.Path = c.f.Cert+".named", c.f.Key+".named"
			put(t, c.in.Serving.Cert.Path, pemOf(leaf))
			put(t, c.in.Serving.Key.Path, keyPEM(t, leaf.key))
			c.in.Config.HealthzBindAddress = "127.0.0.1:0"
			cluster(c.Config).TLSServerName = "kubernetes"
			editKubeconfig(t, c.f.ControllerManagerKubeconfig, func(k *clientcmdapi.Config) { cluster(k).Server = at("localhost", c.in.Port) })
		}, true, "does not name 127.0.0.1, where health checks"},
		"no verification": {func(_ *testing.T, c context) {
			cluster(c.Config).CertificateAuthorityData, cluster(c.Config).InsecureSkipTLSVerify = nil, true
		}, true, "insecure-skip-tls-verify"},
		"no verification, and a CA": {func(_ *testing.T, c context) { cluster(c.Config).InsecureSkipTLSVerify = true }, false, "is not a usable kubeconfig"},
		"another CA": {func(t *testing.T, c context) {
			cluster(c.Config).CertificateAuthorityData = pemOf(issued{}.issue(t, as("other")))
		},
			false, "is for another CA than the one that signed"},
		"two CAs": {func(t *testing.T, c context) {
			cluster(c.Config).CertificateAuthorityData = append(pemOf(issued{}.issue(t, as("next"))), content(t, c.f.CA)...)
		}, true, ""},
		"a damaged CA beside one": {func(t *testing.T, c context) {
			cluster(c.Config).CertificateAuthorityData = append(block(certificateBlock, []byte("damaged")), content(t, c.f.CA)...)
		}, true, ""},
		"a CA in DER": {func(t *testing.T, c context) { cluster(c.Config).CertificateAuthorityData = labCA(t, c.f).cert.Raw },
			false, "has a certificate authority that is in DER form"},
		"the machine's CAs": {func(_ *testing.T, c context) { cluster(c.Config).CertificateAuthorityData = nil }, false, "is for another CA"},
	} {
		t.Run(name, func(t *testing.T) {
			in, f := sound(t)
			editKubeconfig(t, f.SchedulerKubeconfig, func(c *clientcmdapi.Config) {
				test.change(t, context{c, &in, f, filepath.Dir(f.SchedulerKubeconfig)})
			})
			mustAgree(t, in, test.starts, test.says)
		})
	}
}

func at(host string, port int) string {
	return "https://" + net.JoinHostPort(host, strconv.Itoa(port))
}

func hostPort(in *input) string { return fmt.Sprintf("127.0.0.1:%d", in.Port) }

// useFiles has a kubeconfig name files in its own directory, with a prefix.
func useFiles(t *testing.T, c *clientcmdapi.Config, dir, prefix string) {
	t.Helper()
	u, s := authInfo(c), cluster(c)
	put(t, filepath.Join(dir, "client.pem"), u.ClientCertificateData)
	put(t, filepath.Join(dir, "client-key.pem"), u.ClientKeyData)
	*u = clientcmdapi.AuthInfo{ClientCertificate: prefix + "client.pem", ClientKey: prefix + "client-key.pem"}
	s.CertificateAuthorityData, s.CertificateAuthority = nil, prefix+"ca.pem"
}

// TestKubeconfigTextsOfAllKinds is about the file itself.
func TestKubeconfigTextsOfAllKinds(t *testing.T) {
	for name, test := range map[string]struct {
		text   func(*testing.T, []byte) []byte
		starts bool
		says   string
	}{
		"JSON": {func(t *testing.T, data []byte) []byte {
			out, err := yaml.YAMLToJSON(data)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}, true, ""},
		"lines of Windows": {func(_ *testing.T, data []byte) []byte { return bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")) }, true, ""},
		"a comment":        {func(_ *testing.T, data []byte) []byte { return append([]byte("# ours\n---\n"), data...) }, true, ""},
		"an unknown key":   {func(_ *testing.T, data []byte) []byte { return append(data, []byte("\nours: true\n")...) }, true, ""},
		"no kind": {func(_ *testing.T, data []byte) []byte {
			return bytes.ReplaceAll(data, []byte("kind: Config\n"), nil)
		}, true, ""},
		"another version": {func(_ *testing.T, data []byte) []byte {
			return bytes.ReplaceAll(data, []byte("apiVersion: v1"), []byte("apiVersion: v9"))
		}, false, "is not a usable kubeconfig"},
		"no YAML": {func(*testing.T, []byte) []byte { return []byte("a: b: c") }, false, "is not a usable kubeconfig"},
		"nothing": {func(*testing.T, []byte) []byte { return nil }, false, "is not a usable kubeconfig"},
		"a tab":   {func(_ *testing.T, data []byte) []byte { return append(data, []byte("\n\tours: true\n")...) }, false, "is not a usable kubeconfig"},
		"no base64": {func(_ *testing.T, data []byte) []byte {
			return bytes.Replace(data, []byte("-data: "), []byte("-data: %"), 1)
		}, false, "is not a usable kubeconfig"},
		"a damaged CA": {func(_ *testing.T, data []byte) []byte {
			return bytes.Replace(data, []byte("-authority-data: LS0t"), []byte("-authority-data: LS1t"), 1)
		}, false, "has a certificate authority that is not a PEM file"},
		"its directory": {func(*testing.T, []byte) []byte { return []byte("clusters: /etc/kubernetes") }, false, "is not a usable kubeconfig"},
		"a half of it":  {func(_ *testing.T, data []byte) []byte { return data[:len(data)/2] }, false, "kube-scheduler.kubeconfig"},
		"a certificate": {func(*testing.T, []byte) []byte { return block(certificateBlock, []byte("x")) }, false, "is not a usable kubeconfig"},
		"NUL bytes":     {func(_ *testing.T, data []byte) []byte { return append(data, 0) }, false, "is not a usable kubeconfig"},
		"an order mark": {func(_ *testing.T, data []byte) []byte { return append([]byte("\xef\xbb\xbf"), data...) }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in, f := sound(t)
			put(t, f.SchedulerKubeconfig, test.text(t, content(t, f.SchedulerKubeconfig)))
			mustAgree(t, in, test.starts, test.says)
		})
	}
}

func FuzzKubeconfig(f *testing.F) {
	dir := f.TempDir()
	files := pki.FilesIn(filepath.Join(dir, "lab"))
	if err := pki.Generate(files, pki.Spec{AdvertiseAddress: net.IPv4(192, 0, 2, 1), ServiceIP: net.IPv4(10, 32, 0, 1), ServerPort: 6443}); err != nil {
		f.Fatal(err)
	}
	data, unreadable := readFile(files.SchedulerKubeconfig)
	if unreadable != nil {
		f.Fatal(unreadable.problem)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("current-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:6443', proxy-url: 'socks5://a'}}]\nusers: [{name: a, user: {token: x}}]\n"))
	path := filepath.Join(dir, "kubeconfig")
	in := input{Plan: &plan.Plan{}}
	f.Fuzz(func(t *testing.T, data []byte) {
		put(t, path, data)
		k, found := loadKubeconfig(in, plan.File{Path: path})
		config, err := clientcmd.BuildConfigFromFlags("", path)
		if k != nil && (err != nil || config.Host == "" || k.server == nil) {
			t.Errorf("accepted: %+v, %v", config, err)
		}
		if (k == nil) != (len(found) > 0) {
			t.Errorf("%v without a reason, or with one: %v", k, found)
		}
		for _, f := range found {
			checkWording(t, f)
		}
	})
}
