// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/component/serving/servingtest"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

func TestEveryRunOpensItsPortAnew(t *testing.T) {
	f := pki.FilesIn(filepath.Join(t.TempDir(), "kubernetes"))
	if err := pki.Generate(f, pki.Spec{AdvertiseAddress: net.ParseIP("192.0.2.10"), ServiceIP: net.ParseIP("10.32.0.1"), ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
	o, err := Parse([]string{"--kubeconfig=" + f.ControllerManagerKubeconfig, "--bind-address=127.0.0.1", "--secure-port=" + servingtest.FreePort(t)})
	if err != nil {
		t.Fatal(err)
	}
	servingtest.OpensAnew(t, func() (net.Listener, error) {
		c, err := o.configure(t.Context(), nil)
		if err != nil {
			return nil, err
		}
		return c.SecureServing.Listener, nil
	})
}
