// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"context"
	"fmt"
	"os"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	controllerhealthz "k8s.io/controller-manager/pkg/healthz"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"
	serviceaccountcontroller "k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/serviceaccount"
)

const serviceAccountTokens = names.ServiceAccountTokenController

// tokensController is the one controller whose stock constructor cannot be
// called from outside (cmd/kube-controller-manager/app/service_accounts.go,
// newServiceAccountTokenController): it is bound to the full-power client builder there.
type tokensController struct {
	run func(ctx context.Context)
}

func (*tokensController) Name() string              { return serviceAccountTokens }
func (c *tokensController) Run(ctx context.Context) { c.run(ctx) }

// newTokensController returns nil when there is no
// --service-account-private-key-file, as stock.
func (t *term) newTokensController(ctx context.Context) (app.Controller, error) {
	settings := t.config.ComponentConfig.SAController
	if settings.ServiceAccountKeyFile == "" {
		klog.FromContext(ctx).Info("Controller is disabled because there is no private key", "controller", serviceAccountTokens)
		return nil, nil
	}
	key, err := keyutil.PrivateKeyFromFile(settings.ServiceAccountKeyFile)
	if err != nil {
		return nil, fmt.Errorf("--service-account-private-key-file: %w", err)
	}
	config, err := t.root.Config("tokens-controller")
	if err != nil {
		return nil, err
	}
	rootCA := config.CAData
	if settings.RootCAFile != "" {
		if rootCA, err = readCA(settings.RootCAFile); err != nil {
			return nil, fmt.Errorf("--root-ca-file %s: %w", settings.RootCAFile, err)
		}
	}
	client, err := t.root.Client("tokens-controller")
	if err != nil {
		return nil, err
	}
	generator, err := serviceaccount.JWTTokenGenerator(serviceaccount.LegacyIssuer, key)
	if err != nil {
		return nil, fmt.Errorf("making the token generator: %w", err)
	}
	controller, err := serviceaccountcontroller.NewTokensController(klog.FromContext(ctx),
		t.context.InformerFactory.Core().V1().ServiceAccounts(),
		t.context.InformerFactory.Core().V1().Secrets(),
		client,
		serviceaccountcontroller.TokensControllerOptions{TokenGenerator: generator, RootCA: rootCA})
	if err != nil {
		return nil, fmt.Errorf("making the token controller: %w", err)
	}
	return &tokensController{run: func(ctx context.Context) {
		controller.Run(ctx, int(settings.ConcurrentSATokenSyncs))
	}}, nil
}

func readCA(file string) ([]byte, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, err = certutil.ParseCertsPEM(pem)
	return pem, err
}

// addPing adds the check that app.BuildControllers gives every controller.
func addPing(health *controllerhealthz.MutableHealthzHandler, controller string) {
	health.AddHealthChecker(controllerhealthz.NamedPingChecker(controller))
}
