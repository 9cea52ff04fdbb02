// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// labCSR is a certificate signing request of lab chapter 04.
const labCSR = `{
  "CN": %q,
  "key": {"algo": "rsa", "size": 2048},
  "names": [{"C": "US", "L": "Portland", "O": %q, "OU": %q, "ST": "Oregon"}]
}`

// labUnit is the organizational unit of the lab's certificates.
const labUnit = "Kubernetes The Hard Way"

const labCAConfig = `{
  "signing": {
    "default": {"expiry": "8760h"},
    "profiles": {
      "kubernetes": {"usages": ["signing", "key encipherment", "server auth", "client auth"], "expiry": "8760h"}
    }
  }
}`

// labEncryptionConfig is lab chapter 06's file of 2018.
const labEncryptionConfig = `kind: EncryptionConfig
apiVersion: v1
resources:
  - resources:
      - secrets
    providers:
      - aescbc:
          keys:
            - name: key1
              secret: %s
      - identity: {}
`

const labSchedulerConfig = `apiVersion: componentconfig/v1alpha1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: "/var/lib/kubernetes/kube-scheduler.kubeconfig"
leaderElection:
  leaderElect: true
`

// PrepareAsInTheLab does what lab chapters 04 to 06, and chapter 08 for the
// scheduler's file, have a person do: cfssl, kubeconfigs, the encryption key. The
// certificate is good for more addresses, such as the lab's KUBERNETES_PUBLIC_ADDRESS.
func (c *Controller) PrepareAsInTheLab(more ...string) {
	c.Helper()
	dir := c.Lab("")
	c.Must(os.MkdirAll(dir, 0o755))
	c.labWrite(filepath.Join(dir, "ca-config.json"), labCAConfig)
	c.labWrite(filepath.Join(dir, "ca-csr.json"), fmt.Sprintf(labCSR, "Kubernetes", "Kubernetes", "CA"))
	c.labShell(dir, "cfssl gencert -initca ca-csr.json | cfssljson -bare ca")

	host, err := process.HostAddress()
	c.Must(err)
	hostnames := strings.Join(append([]string{"10.32.0.1", "10.240.0.10", "10.240.0.11", "10.240.0.12", host.String(), "127.0.0.1", "kubernetes.default"}, more...), ",")
	c.labSign("kubernetes", "Kubernetes", "-hostname="+hostnames, "kubernetes")
	c.labSign("service-accounts", "Kubernetes", "", "service-account")
	for name, identity := range map[string][2]string{
		"kube-controller-manager": {"system:kube-controller-manager", "system:kube-controller-manager"},
		"kube-scheduler":          {"system:kube-scheduler", "system:kube-scheduler"},
		"admin":                   {"admin", "system:masters"},
	} {
		c.labSign(identity[0], identity[1], "", name)
		c.LabKubeconfig(name, identity[0], fmt.Sprintf("https://127.0.0.1:%d", c.Ports.APIServer), c.Lab(name+".kubeconfig"))
	}
	key := make([]byte, 32)
	_, err = rand.Read(key)
	c.Must(err)
	c.labWrite(filepath.Join(dir, "encryption-config.yaml"), fmt.Sprintf(labEncryptionConfig, base64.StdEncoding.EncodeToString(key)))
	config := filepath.Join(c.Root, "etc/kubernetes/config")
	c.Must(os.MkdirAll(config, 0o755))
	c.labWrite(filepath.Join(config, "kube-scheduler.yaml"), labSchedulerConfig)
}

func (c *Controller) labSign(commonName, organization, option, name string) {
	c.Helper()
	c.labWrite(c.Lab(name+"-csr.json"), fmt.Sprintf(labCSR, commonName, organization, labUnit))
	c.labShell(c.Lab(""), fmt.Sprintf("cfssl gencert -ca=ca.pem -ca-key=ca-key.pem -config=ca-config.json %s -profile=kubernetes %s-csr.json | cfssljson -bare %s",
		option, name, name))
}

// LabKubeconfig is lab chapter 05's `kubectl config` with --embed-certs=true, for who
// has a certificate.
func (c *Controller) LabKubeconfig(name, user, server, path string) {
	c.Helper()
	c.labKubeconfig(user, &clientcmdapi.AuthInfo{ClientCertificateData: c.labRead(name + ".pem"), ClientKeyData: c.labRead(name + "-key.pem")}, server, path)
}

// LabToken is the same for who has a token.
func (c *Controller) LabToken(user, token, server, path string) {
	c.Helper()
	c.labKubeconfig(user, &clientcmdapi.AuthInfo{Token: token}, server, path)
}

func (c *Controller) labKubeconfig(user string, auth *clientcmdapi.AuthInfo, server, path string) {
	c.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["kubernetes-the-hard-way"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: c.labRead("ca.pem")}
	config.AuthInfos[user] = auth
	config.Contexts["default"] = &clientcmdapi.Context{Cluster: "kubernetes-the-hard-way", AuthInfo: user}
	config.CurrentContext = "default"
	c.Must(os.MkdirAll(filepath.Dir(path), 0o755))
	c.Must(clientcmd.WriteToFile(*config, path))
}

// LabWorker is what lab chapters 04 and 05 have a person do for a worker: a certificate
// for its node and its server, in dir, with a kubeconfig.
func (c *Controller) LabWorker(name, address, server, dir string) {
	c.Helper()
	c.labSign("system:node:"+name, "system:nodes", fmt.Sprintf("-hostname=%s,%s", name, address), name)
	for _, file := range []string{name + ".pem", name + "-key.pem"} {
		c.labWrite(filepath.Join(dir, file), string(c.labRead(file)))
	}
	c.LabKubeconfig(name, "system:node:"+name, server, filepath.Join(dir, "kubeconfig"))
}

// LabPrometheus makes the certificate that Prometheus scrapes with, as the lab makes its
// admin's, of a group that may get metrics.
func (c *Controller) LabPrometheus() {
	c.Helper()
	c.labSign("prometheus", "system:monitoring", "", "prometheus")
}

// LabProxy is LabWorker for kube-proxy, whose kubeconfig it writes.
func (c *Controller) LabProxy(server, path string) {
	c.Helper()
	c.labSign("system:kube-proxy", "system:node-proxier", "", "kube-proxy")
	c.LabKubeconfig("kube-proxy", "system:kube-proxy", server, path)
}

func (c *Controller) labRead(name string) []byte {
	c.Helper()
	data, err := os.ReadFile(c.Lab(name))
	c.Must(err)
	return data
}

func (c *Controller) labWrite(path, text string) {
	c.Helper()
	c.Must(os.WriteFile(path, []byte(text), 0o600))
}

func (c *Controller) labShell(dir, line string) {
	c.Helper()
	if _, err := exec.LookPath("cfssljson"); err != nil {
		c.Fatalf("%v; run hack/install-test-deps", err)
	}
	cmd := exec.CommandContext(c.Context(), "bash", "-e", "-o", "pipefail", "-c", line)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		c.Fatalf("%s: %v: %s", line, err, out)
	}
}
