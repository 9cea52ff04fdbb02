// SPDX-License-Identifier: Apache-2.0

package rotateca

import (
	"context"
	"errors"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

const account = "default"

// token has this node's apiserver sign a token of a service account.
func token(n *trio.Node) string {
	n.Helper()
	var token string
	n.Eventually("a token of "+n.Name, func(ctx context.Context) error {
		t, err := n.Client().CoreV1().ServiceAccounts(metav1.NamespaceDefault).
			CreateToken(ctx, account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err == nil {
			token = t.Status.Token
		}
		return err
	})
	return token
}

// legacyToken has the controller-manager sign one that is kept in a Secret.
func legacyToken(n *trio.Node) string {
	n.Helper()
	_, err := n.Client().CoreV1().Secrets(metav1.NamespaceDefault).Create(n.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "legacy", Annotations: map[string]string{corev1.ServiceAccountNameKey: account}},
		Type:       corev1.SecretTypeServiceAccountToken,
	}, metav1.CreateOptions{})
	n.Must(err)
	return awaitLegacyToken(n)
}

// renewLegacyToken does what the error says.
func renewLegacyToken(n *trio.Node) string {
	n.Helper()
	_, err := n.Client().CoreV1().Secrets(metav1.NamespaceDefault).
		Patch(n.Context(), "legacy", types.JSONPatchType, []byte(`[{"op":"remove","path":"/data/token"}]`), metav1.PatchOptions{})
	n.Must(err)
	return awaitLegacyToken(n)
}

func awaitLegacyToken(n *trio.Node) string {
	n.Helper()
	var token string
	n.Eventually("a token in a Secret", func(ctx context.Context) error {
		s, err := n.Client().CoreV1().Secrets(metav1.NamespaceDefault).Get(ctx, "legacy", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if token = string(s.Data[corev1.ServiceAccountTokenKey]); token == "" {
			return errors.New("there is none")
		}
		return nil
	})
	return token
}

// knows returns whether this node's apiserver knows who has a token.
func knows(n *trio.Node, token string) error {
	n.Helper()
	config := restclient.AnonymousClientConfig(n.Config(n.Lab("admin.kubeconfig")))
	config.Dial, config.BearerToken = n.Dial, token
	client, err := kubernetes.NewForConfig(config)
	n.Must(err)
	_, err = client.AuthenticationV1().SelfSubjectReviews().Create(n.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	return err
}
