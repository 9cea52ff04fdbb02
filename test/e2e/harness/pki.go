// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// GeneratePKI puts all of the lab's files below the root before any start.
func (c *Controller) GeneratePKI() {
	c.Helper()
	address, err := process.HostAddress()
	c.Must(err)
	c.Must(pki.Generate(pki.FilesIn(c.Lab("")), pki.Spec{
		AdvertiseAddress: address,
		ServiceIP:        net.IPv4(10, 32, 0, 1),
		ServerPort:       c.Ports.APIServer,
	}))
}

// CopyPKI puts the lab's files of another controller below the root, with the
// kubeconfigs made to point to this one's apiserver.
func (c *Controller) CopyPKI(from *Controller) {
	c.Helper()
	c.copyPKI(from.Lab(""), c.Lab(""), c.Ports.APIServer)
}

func (e *Env) copyPKI(from, to string, port int) {
	e.Helper()
	e.Must(os.CopyFS(to, os.DirFS(from)))
	for _, name := range []string{"admin", "kube-controller-manager", "kube-scheduler"} {
		path := filepath.Join(to, name+".kubeconfig")
		config, err := clientcmd.LoadFromFile(path)
		e.Must(err)
		for _, cl := range config.Clusters {
			cl.Server = fmt.Sprintf("https://127.0.0.1:%d", port)
		}
		e.Must(clientcmd.WriteToFile(*config, path))
	}
}
