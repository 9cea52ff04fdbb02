// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/request/x509"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/clientcmd"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/kubernetes/pkg/controller/certificates/signer"
	kubeletclient "k8s.io/kubernetes/pkg/kubelet/client"
	"k8s.io/kubernetes/pkg/serviceaccount"

	"go.etcd.io/etcd/client/pkg/v3/transport"

	"github.com/khw-controller/khw-controller/pkg/component/controllermanager"
)

// startsWithStock loads every file with the components' own code and connects
// with it: what a component of the stock control plane would end or never connect
// with is an error.
func startsWithStock(t *testing.T, in input) error {
	t.Helper()
	return errors.Join(stockAPIServer(t, in), stockControllerManager(t, in), stockKubelets(in), stockTokens(in), stockEtcd(t, in))
}

// stockAPIServer serves as the apiserver does and has the components connect.
func stockAPIServer(t *testing.T, in input) error {
	serving, err := dynamiccertificates.NewDynamicServingContentFromFiles("serving-cert", in.Serving.Cert.Path, in.Serving.Key.Path)
	if err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	pair, err := tls.X509KeyPair(serving.CurrentCertKeyContent())
	if err != nil {
		return err
	}
	clients, err := dynamiccertificates.NewDynamicCAContentFromFile("client-ca-bundle", in.ClientCA.Path)
	if err != nil {
		return fmt.Errorf("client CA: %w", err)
	}
	authenticate := x509.NewDynamic(clients.VerifyOptions, x509.CommonNameUserConversion)
	l, err := tls.Listen("tcp", net.JoinHostPort(in.APIServer.SecureServing.BindAddress.String(), strconv.Itoa(in.Port)),
		&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, ok, err := authenticate.AuthenticateRequest(r)
		if !ok && r.Header.Get("Authorization") != "Bearer "+goodToken {
			http.Error(w, fmt.Sprint("unauthorized: ", err), http.StatusUnauthorized)
		}
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	var errs []error
	for _, f := range in.Kubeconfigs {
		if err := stockClient(t.Context(), master(in, f), f.Path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f, err))
		}
	}
	return errors.Join(errs...)
}

// goodToken is the one that is accepted.
const goodToken = "good"

// stockClient connects as a component does with its kubeconfig.
func stockClient(ctx context.Context, master, path string) error {
	config, err := clientcmd.BuildConfigFromFlags(master, path)
	if err != nil {
		return err
	}
	config.Timeout = 5 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return client.Discovery().RESTClient().Get().AbsPath("/healthz").MaxRetries(0).Do(ctx).Error()
}

// stockControllerManager signs as the controller-manager does: of a file with
// several certificates, this program hands the stock signer one.
func stockControllerManager(t *testing.T, in input) error {
	if _, err := certutil.CertsFromFile(in.RootCA.Path); err != nil {
		return fmt.Errorf("root CA: %w", err)
	}
	for _, p := range in.ControllerManager.SigningPairs() {
		cert, err := controllermanager.SigningCertificate(content(t, p.CertFile), content(t, p.KeyFile))
		if err != nil {
			return err
		}
		file := filepath.Join(t.TempDir(), "ca.pem")
		put(t, file, pemOf(issued{cert: cert}))
		client := fake.NewClientset()
		requests := informers.NewSharedInformerFactory(client, 0).Certificates().V1().CertificateSigningRequests()
		if _, err := signer.NewKubeletClientCSRSigningController(t.Context(), client, requests, file, p.KeyFile, time.Hour); err != nil {
			return err
		}
	}
	return nil
}

func stockKubelets(in input) error {
	_, err := kubeletclient.MakeTransport(&kubeletclient.KubeletClientConfig{TLSClientConfig: kubeletclient.KubeletTLSConfig{
		CAFile: in.KubeletCA.Path, CertFile: in.KubeletClient.Cert.Path, KeyFile: in.KubeletClient.Key.Path,
	}})
	return err
}

// stockTokens signs and verifies as apiserver and controller-manager do.
func stockTokens(in input) error {
	var public []any
	for _, f := range in.ServiceAccountKeys {
		keys, err := keyutil.PublicKeysFromFile(f.Path)
		if err != nil {
			return err
		}
		public = append(public, keys...)
	}
	for _, path := range []string{in.TokenSigningKey.Path, in.ControllerTokenKey.Path} {
		key, err := keyutil.PrivateKeyFromFile(path)
		if err != nil {
			return err
		}
		if _, err := serviceaccount.JWTTokenGenerator(serviceaccount.LegacyIssuer, key); err != nil {
			return err
		}
	}
	_, err := serviceaccount.StaticPublicKeysGetter(public)
	return err
}

// stockEtcd has the apiserver's etcd client and the embedded member shake hands.
func stockEtcd(t *testing.T, in input) error {
	a := in.EtcdAccess
	client, err := transport.TLSInfo{CertFile: a.CertFile, KeyFile: a.KeyFile, TrustedCAFile: a.CAFile}.ClientConfig()
	if err != nil {
		return fmt.Errorf("etcd's client: %w", err)
	}
	server, err := in.Etcd.ClientTLSInfo.ServerConfig()
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = conn.Write([]byte("x")) // shakes hands first
			conn.Close()
		}
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	return nil
}

// mustAgree wants check and stock to be of one mind.
func mustAgree(t *testing.T, in input, starts bool, says string) {
	t.Helper()
	found := checkFiles(in) // before anything listens
	problems := 0
	said := says == ""
	for _, f := range found {
		if f.IsError() {
			problems++
		}
		said = said || containsAll(f.String(), says)
		checkWording(t, f)
	}
	if stock := startsWithStock(t, in); (stock == nil) != starts {
		t.Errorf("starts with stock: %v, want %v; %v", stock == nil, starts, stock)
	}
	if (problems == 0) != starts {
		t.Errorf("passes check: %v, want %v; %v", problems == 0, starts, found)
	}
	if !said {
		t.Errorf("nothing says %q: %v", says, found)
	}
}
