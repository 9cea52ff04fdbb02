// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"time"

	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/webhook"
)

// webhookTimeout is what a control plane that runs may take to answer.
const webhookTimeout = 3 * time.Second

// checkWebhooks wants the control plane that runs here to accept leases. One that
// does not answer is for other checks, and for `status`, to tell.
func checkWebhooks(ctx context.Context, in input) []Finding {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", in.Files.AdminKubeconfig)
	if err != nil {
		return nil
	}
	config.WarningHandler = restclient.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil
	}
	name, err := webhook.TryLease(ctx, client)
	if err != nil || name == "" {
		return nil
	}
	// Where it is configured is of help, not needed.
	configurations, _ := webhook.Configurations(ctx, client)
	return failure(config.Host, webhook.Problem(name), webhook.Fix(name, configurations))
}
