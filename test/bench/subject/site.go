// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Site is where a Subject lives: a root with the lab's files, and ports.
type Site struct {
	// Dir is the site's own directory, with the logs.
	Dir string
	// Ports are where the Subject listens.
	Ports cluster.Ports
	// EtcdArgs are more flags for etcd, without dashes.
	EtcdArgs []string
}

// advertise is an address for documentation (RFC 5737): nothing is reached there.
const advertise = "192.0.2.10"

func newSite(dir string, etcdArgs []string) (Site, error) {
	ports, err := cluster.FreePorts()
	if err != nil {
		return Site{}, err
	}
	s := Site{Dir: dir, Ports: ports, EtcdArgs: etcdArgs}
	return s, pki.Generate(pki.FilesIn(s.Lab("")), pki.Spec{
		AdvertiseAddress: net.ParseIP(advertise),
		ServiceIP:        net.IPv4(10, 32, 0, 1),
		ServerPort:       ports.APIServer,
	})
}

// Lab returns the path of one of the lab's files.
func (s Site) Lab(name string) string { return filepath.Join(s.root(), "var/lib/kubernetes", name) }

// Log returns the path of a process's log.
func (s Site) Log(name string) string { return filepath.Join(s.Dir, name+".log") }

func (s Site) root() string { return filepath.Join(s.Dir, "root") }

// Config returns the admin's configuration of a client that speaks as components do:
// decoding JSON would cost the benchmark more than its work costs the server.
func (s Site) Config() (*restclient.Config, error) {
	config, err := cluster.Config(s.Lab("admin.kubeconfig"))
	if err != nil {
		return nil, err
	}
	config.ContentType = runtime.ContentTypeProtobuf
	return config, nil
}

// NewClient returns a client with a connection of its own.
func (s Site) NewClient() (*kubernetes.Clientset, error) {
	config, err := s.Config()
	if err != nil {
		return nil, err
	}
	// Clients of the same configuration share a connection; one that dials by itself
	// does not.
	config.Dial = (&net.Dialer{}).DialContext
	return kubernetes.NewForConfig(config)
}

// logs returns the ends of all logs.
func (s Site) logs(lines int) string {
	paths, err := filepath.Glob(s.Log("*"))
	if err != nil {
		return err.Error()
	}
	all := ""
	for _, path := range paths {
		all += fmt.Sprintf("--- the end of %s:\n%s\n", filepath.Base(path), (&process.Process{Log: path}).Tail(lines))
	}
	return all
}

// remove removes the site. KEEP=1 keeps that of a failed run, as it does in test/e2e.
func (s Site) remove(failed bool) error {
	if failed && os.Getenv("KEEP") == "1" {
		fmt.Fprintln(os.Stderr, "kept:", s.Dir)
		return nil
	}
	return os.RemoveAll(s.Dir)
}
