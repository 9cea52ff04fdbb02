// SPDX-License-Identifier: Apache-2.0

// Package reload replaces files while a controller uses them: what Kubernetes
// takes over is taken over, of the rest status tells, and a restart does it.
package reload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/keyutil"
	api "k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/serviceaccount"

	"github.com/khw-controller/khw-controller/pkg/drift"
	"github.com/khw-controller/khw-controller/pkg/pki"
	report "github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// replaced is a file that is replaced while it is in use.
type replaced struct {
	user    string // component (flag), as status has it
	path    string
	content [][]byte // what it is replaced by
	reload  drift.Reload
	// inForce reports whether the new content is; a reason otherwise. nil where that
	// cannot be seen from outside.
	inForce func() error
}

const (
	silentPolicy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n"
	loudPolicy   = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
	authorizers  = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n- {type: RBAC, name: rbac}\n%s"
)

func TestFilesReplacedWhileInUse(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	all := files(c)
	c.StartReady()
	status := look(c)
	if len(status.Files) > 0 || len(status.NextStart) > 0 {
		t.Errorf("after a start: %+v, %+v", status.Files, status.NextStart)
	}
	for _, f := range all {
		if f.inForce != nil && f.inForce() == nil {
			t.Errorf("%s: what it is to be replaced by is in force already, and the test shows nothing", f.user)
		}
		replace(e, f.path, f.content...)
	}
	for _, f := range all {
		if f.reload == drift.ByItself {
			e.Eventually(f.user+" to be taken over", func(context.Context) error { return f.inForce() })
		}
	}
	status = look(c)
	for _, f := range all {
		i := slices.IndexFunc(status.Files, func(s report.File) bool { return s.Path == f.path && slices.Contains(s.Users, f.user) })
		if told := i >= 0; told != (f.reload != drift.ByItself) {
			t.Errorf("%s: told of: %v, want it to be taken over %s", f.user, told, f.reload)
		}
		if f.reload == drift.ByItself {
			continue
		}
		if f.inForce != nil && f.inForce() == nil {
			t.Errorf("%s: it is in force, and said to be so only %s", f.user, f.reload)
		}
		if i >= 0 && status.Files[i].Reload != f.reload {
			t.Errorf("%s: got %+v", f.user, status.Files[i])
		}
	}
	for _, n := range status.NextStart {
		if n.Refused {
			t.Errorf("the next start: %s", n.Finding)
		}
	}
	c.AwaitStatus("put it in force: systemctl restart khw-controller")
	if status.Status != report.Ready {
		t.Errorf("it is %s, for %q", status.Status, status.Problems)
	}

	c.StopInOrder()
	c.StartReady()
	if status := look(c); len(status.Files) > 0 {
		t.Errorf("after a restart: %+v", status.Files)
	}
	for _, f := range all {
		if f.inForce != nil {
			e.Eventually(f.user+" to be in force after the restart", func(context.Context) error { return f.inForce() })
		}
	}
	anotherCA(c)
}

// anotherCA puts another CA in the place of the lab's, and of etcd's: that is what
// status says, and what a start would say of it.
func anotherCA(c *harness.Controller) {
	c.Helper()
	lab, etcd := c.Lab("ca.pem"), c.Path("kube-apiserver-etcd-cafile")
	before := map[string][]byte{lab: read(c.Env, lab), etcd: read(c.Env, etcd)}
	other := newAuthority(c.Env).pem()
	for path := range before {
		replace(c.Env, path, other)
	}
	c.Eventually("status to tell of another CA", func(context.Context) error {
		r := look(c)
		said := strings.Join(r.Warnings, "\n")
		for _, want := range []string{etcd + " was replaced on ", "the next start will be refused: " + c.Lab("ca-key.pem") + ": is not the key of the certificate " + lab} {
			if !strings.Contains(said, want) {
				return fmt.Errorf("not %q: %s", want, said)
			}
		}
		for _, p := range r.Problems {
			if strings.Contains(p, "etcd") {
				c.Errorf("the CA is replaced, and the problem is %s", p)
			}
		}
		return nil
	})
	for path, content := range before {
		replace(c.Env, path, content)
	}
	c.Eventually("status to be silent about what is as before", func(context.Context) error {
		if r := look(c); len(r.Files) > 0 || len(r.NextStart) > 0 {
			return fmt.Errorf("%+v, %+v", r.Files, r.NextStart)
		}
		return nil
	})
}

// look returns what status says as JSON.
func look(c *harness.Controller) (r report.Report) {
	c.Helper()
	out, err := exec.CommandContext(c.Context(), c.Binary(), "status", "--root", c.Root, "-o", "json").Output()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		c.Fatal(err)
	}
	c.Must(json.Unmarshal(out, &r))
	return r
}

// files gives a controller files of their own for many flags, and returns what they
// will be replaced by.
func files(c *harness.Controller) []replaced {
	c.Helper()
	e, lab, next := c.Env, labAuthority(c), newAuthority(c.Env)
	others := pki.FilesIn(e.Path("others"))
	c.Must(pki.Generate(others, pki.Spec{AdvertiseAddress: []byte{192, 0, 2, 10}, ServiceIP: []byte{10, 32, 0, 1}, ServerPort: 6443}))
	var all []replaced
	add := func(component, flag string, now []byte, reload drift.Reload, inForce func() error, content ...[]byte) {
		path := e.Path(component + "-" + flag)
		replace(e, path, now)
		c.Args = append(c.Args, "--"+component+"-arg", flag+"="+path)
		all = append(all, replaced{fmt.Sprintf("%s (%s)", component, flag), path, content, reload, inForce})
	}
	pair := func(component, certFlag, keyFlag string, port int) {
		cert, key := lab.issue(e, "kubernetes")
		newCert, newKey := lab.issue(e, "kubernetes")
		add(component, certFlag, cert, drift.ByItself, showsCertificate(port, newCert), newCert)
		add(component, keyFlag, key, drift.ByItself, func() error { return showsCertificate(port, newCert)() }, newKey)
	}
	ca, both := lab.pem(), [][]byte{lab.pem(), next.pem()}
	pair("kube-apiserver", "tls-cert-file", "tls-private-key-file", c.Ports.APIServer)
	pair("kube-controller-manager", "tls-cert-file", "tls-private-key-file", c.Ports.ControllerManager)
	pair("etcd", "cert-file", "key-file", c.Ports.EtcdClient)
	add("kube-apiserver", "client-ca-file", ca, drift.ByItself, knowsClients(c, next), both...)
	add("kube-apiserver", "authorization-config", fmt.Appendf(nil, authorizers, ""), drift.ByItself, reloadedAuthorizers(c), fmt.Appendf(nil, authorizers, "- {type: Node, name: node}\n"))
	add("kube-apiserver", "etcd-cafile", ca, drift.AtRestart, nil, both...)
	add("etcd", "trusted-ca-file", ca, drift.AtRestart, nil, both...)
	add("kube-apiserver", "service-account-key-file", read(e, c.Lab("service-account.pem")), drift.AtRestart, knowsTokens(c, others.ServiceAccountKey),
		read(e, c.Lab("service-account.pem")), read(e, others.ServiceAccount))
	add("kube-apiserver", "audit-policy-file", []byte(silentPolicy), drift.AtRestart, audits(c), []byte(loudPolicy))
	add("kube-controller-manager", "root-ca-file", ca, drift.AtRestart, publishes(c, next), both...)
	kubeconfig := read(e, c.Lab("kube-controller-manager.kubeconfig"))
	add("kube-controller-manager", "kubeconfig", kubeconfig, drift.AtRestart, nil, kubeconfig, []byte("# written again\n"))
	encryption := string(read(e, c.Lab("encryption-config.yaml")))
	all = append(all, replaced{"kube-apiserver (encryption-provider-config)", c.Lab("encryption-config.yaml"), [][]byte{withNewKey(c, encryption)}, drift.AtRestart, encryptsWith(c, "next")})
	return all
}

// showsCertificate wants a server to show a certificate.
func showsCertificate(port int, certPEM []byte) func() error {
	return func() error {
		got, err := shown(fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil && !bytes.Contains(certPEM, encode(got)) {
			err = fmt.Errorf("it shows the one with serial number %d", got.SerialNumber)
		}
		return err
	}
}

// knowsClients wants the apiserver to know users by certificates of a CA.
func knowsClients(c *harness.Controller, ca authority) func() error {
	cert, key := ca.issue(c.Env, "someone", "system:masters")
	return func() error {
		config, err := cluster.Config(c.Lab("admin.kubeconfig"))
		c.Must(err)
		config.CertData, config.KeyData = cert, key
		client, err := kubernetes.NewForConfig(config)
		c.Must(err)
		_, err = client.CoreV1().Namespaces().List(c.Context(), metav1.ListOptions{})
		return err
	}
}

// knowsTokens wants the apiserver to know service accounts by tokens of a key.
func knowsTokens(c *harness.Controller, keyFile string) func() error {
	key, err := keyutil.PrivateKeyFromFile(keyFile)
	c.Must(err)
	return func() error {
		client := c.Client()
		account, err := client.CoreV1().ServiceAccounts("default").Get(c.Context(), "default", metav1.GetOptions{})
		if err != nil {
			return err
		}
		generator, err := serviceaccount.JWTTokenGenerator("https://kubernetes.default.svc.cluster.local", key)
		c.Must(err)
		claims, private, err := serviceaccount.Claims(api.ServiceAccount{ObjectMeta: account.ObjectMeta}, nil, nil, nil, nil, nil, 3600, 0, []string{"https://kubernetes.default.svc.cluster.local"}, nil)
		c.Must(err)
		token, err := generator.GenerateToken(c.Context(), claims, private)
		c.Must(err)
		review, err := client.AuthenticationV1().TokenReviews().Create(c.Context(), &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
		if err == nil && !review.Status.Authenticated {
			err = errors.New(review.Status.Error)
		}
		return err
	}
}

// reloadedAuthorizers wants the apiserver to have taken over its authorizers; one
// that has just started has.
func reloadedAuthorizers(c *harness.Controller) func() error {
	starts := c.Process
	return func() error {
		if starts == nil {
			starts = c.Process
		}
		if starts != c.Process {
			return nil
		}
		page, err := c.Client().RESTClient().Get().AbsPath("/metrics").DoRaw(c.Context())
		if err == nil && !bytes.Contains(page, []byte(`apiserver_authorization_config_controller_automatic_reloads_total{apiserver_id_hash="`)) {
			err = errors.New("no reload is counted")
		}
		return err
	}
}

// audits wants requests to be audited.
func audits(c *harness.Controller) func() error {
	return func() error {
		if _, err := c.Client().CoreV1().Namespaces().List(c.Context(), metav1.ListOptions{}); err != nil {
			return err
		}
		info, err := os.Stat(filepath.Join(c.Root, "var/log/audit.log"))
		if err == nil && info.Size() == 0 {
			err = errors.New("nothing is audited")
		}
		return err
	}
}

// publishes wants a new namespace to be given a CA.
func publishes(c *harness.Controller, ca authority) func() error {
	return func() error {
		client := c.Client()
		namespace, err := client.CoreV1().Namespaces().Create(c.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "reload-"}}, metav1.CreateOptions{})
		c.Must(err)
		var published *corev1.ConfigMap
		c.Eventually("kube-root-ca.crt in "+namespace.Name, func(ctx context.Context) (err error) {
			published, err = client.CoreV1().ConfigMaps(namespace.Name).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
			return err
		})
		if !strings.Contains(published.Data["ca.crt"], string(ca.pem())) {
			return errors.New("the former CA is published")
		}
		return nil
	}
}

// encryptsWith wants a new secret to be encrypted with a key.
func encryptsWith(c *harness.Controller, key string) func() error {
	return func() error {
		secret, err := c.Client().CoreV1().Secrets("default").Create(c.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "reload-"}}, metav1.CreateOptions{})
		c.Must(err)
		stored, err := cluster.Raw(c.Context(), c.EtcdClient(c.Lab(""), fmt.Sprintf("https://127.0.0.1:%d", c.Ports.EtcdClient)), "secrets/default/"+secret.Name)
		c.Must(err)
		if !bytes.HasPrefix(stored, []byte("k8s:enc:aescbc:v1:"+key+":")) {
			return fmt.Errorf("it is stored as %.30q", stored)
		}
		return nil
	}
}

// withNewKey is an encryption configuration with another key before its own.
func withNewKey(c *harness.Controller, config string) []byte {
	c.Helper()
	const keys = "keys:\n"
	at := strings.Index(config, keys)
	if at < 0 {
		c.Fatalf("no keys in %s", config)
	}
	at += len(keys)
	indent := config[at : at+strings.Index(config[at:], "-")]
	return []byte(config[:at] + indent + "- name: next\n" + indent + "  secret: bmV4dG5leHRuZXh0bmV4dG5leHRuZXh0bmV4dG5leHQ=\n" + config[at:])
}
