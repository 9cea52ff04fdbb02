// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/pki"
)

func TestEveryRunOpensItsPortAnew(t *testing.T) {
	f := pki.FilesIn(filepath.Join(t.TempDir(), "kubernetes"))
	if err := pki.Generate(f, pki.Spec{AdvertiseAddress: net.ParseIP("192.0.2.10"), ServiceIP: net.ParseIP("10.32.0.1"), ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(reserved.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := reserved.Close(); err != nil {
		t.Fatal(err)
	}
	o, err := Parse([]string{"--kubeconfig=" + f.ControllerManagerKubeconfig, "--bind-address=127.0.0.1", "--secure-port=" + port})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, err := o.configure(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", c.SecureServing.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.SecureServing.Listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
