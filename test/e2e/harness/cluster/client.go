// SPDX-License-Identifier: Apache-2.0

// Package cluster knows how to start control planes, khw-controller's and stock
// ones, and what to ask and give to one that runs.
package cluster

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config reads a kubeconfig for a client that never holds itself back: what is
// measured and tested is the server.
func Config(kubeconfig string) (*restclient.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", kubeconfig, err)
	}
	c.QPS = -1
	c.WarningHandler = restclient.NoWarnings{}
	return c, nil
}

// Client returns a client for Config.
func Client(kubeconfig string) (*kubernetes.Clientset, error) {
	c, err := Config(kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(c)
}

// Readyz returns nil when the apiserver's /readyz says ok.
func Readyz(ctx context.Context, c kubernetes.Interface) error {
	code := 0
	body, err := c.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&code).Raw()
	if err != nil {
		return fmt.Errorf("/readyz: %w", err)
	}
	if code != http.StatusOK || string(body) != "ok" {
		return fmt.Errorf("/readyz: %d %s", code, body)
	}
	return nil
}
