// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"net"
	"os"

	"k8s.io/apiserver/pkg/features"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/tools/cache"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Evaluate does with a command line what [Server.Run] does before it serves:
// feature gates are set, options completed and validated, and every file that
// they name is loaded and compiled. It listens on a loopback port that the kernel
// chooses, and asks nobody anything.
//
// What it sets is the process's, and is not taken back: it is for a process of
// its own.
func Evaluate(ctx context.Context, argv []string) error {
	o, err := Parse(argv)
	if err != nil {
		return err
	}
	registry := o.GenericServerRunOptions.ComponentGlobalsRegistry
	if err := registry.Set(); err != nil {
		return fmt.Errorf("--feature-gates: %w", err)
	}
	if err := logsapi.ValidateAndApply(o.Logs, registry.FeatureGateFor("kube")); err != nil {
		return fmt.Errorf("--logging-format: %w", err)
	}
	if o.SecureServing.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	defer o.SecureServing.Listener.Close()
	// Where no serving certificate is named, one is made and written.
	if o.SecureServing.ServerCert.CertDirectory, err = os.MkdirTemp("", "khw-check-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.SecureServing.ServerCert.CertDirectory)
	o.Etcd.SkipHealthEndpoints = true // they connect
	if o.Audit.LogOptions.Path != "" {
		o.Audit.LogOptions.Path = "-" // a file would be made
	}
	name, err := cache.NewInformerName(string(lab.APIServer))
	if err != nil {
		return err
	}
	defer name.Release()
	completed, err := o.complete(ctx, name)
	if err != nil {
		return err
	}
	// Its leases are in etcd, and a client of that waits for it to be there
	// (k8s.io/kubernetes/pkg/controlplane/apiserver/peer.go, CreatePeerEndpointLeaseReconciler).
	if err := utilfeature.DefaultMutableFeatureGate.Set(string(features.UnknownVersionInteroperabilityProxy) + "=false"); err != nil {
		return err
	}
	_, err = app.NewConfig(completed)
	return err
}
