// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

func TestNamedPipesAreRefused(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(clientcmdapi.Config{
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"me": {TokenFile: pipe}},
	}, kubeconfig); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		component lab.Component
		arg       string
		path      string
	}{
		"the CA":                   {lab.APIServer, "client-ca-file=" + pipe, pipe},
		"a key":                    {lab.APIServer, "tls-private-key-file=" + pipe, pipe},
		"through a link":           {lab.APIServer, "tls-cert-file=" + link, link},
		"a service account's key":  {lab.APIServer, "service-account-key-file=" + pipe, pipe},
		"the encryption":           {lab.APIServer, "encryption-provider-config=" + pipe, pipe},
		"an audit policy":          {lab.APIServer, "audit-policy-file=" + pipe, pipe},
		"a kubeconfig":             {lab.ControllerManager, "kubeconfig=" + pipe, pipe},
		"what a kubeconfig names":  {lab.ControllerManager, "kubeconfig=" + kubeconfig, pipe},
		"a kubeconfig for reviews": {lab.Scheduler, "authentication-kubeconfig=" + pipe, pipe},
		"what signs":               {lab.ControllerManager, "cluster-signing-key-file=" + pipe, pipe},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := planFor(t, config.Config{Args: map[lab.Component][]lab.Override{test.component: args(test.arg)}})
			if err == nil || !strings.Contains(err.Error(), test.path) || !strings.Contains(err.Error(), "is a named pipe") {
				t.Errorf("got %v", err)
			}
		})
	}
}
