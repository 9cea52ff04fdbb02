// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/kubernetes/pkg/serviceaccount"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// signed is a token as Kubernetes signs one with the key in a file.
func signed(t *testing.T, path string) string {
	t.Helper()
	key, err := keyutil.PrivateKeyFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	generator, err := serviceaccount.JWTTokenGenerator("https://issuer", key)
	if err != nil {
		t.Fatal(err)
	}
	public, private := serviceaccount.LegacyClaims(corev1.ServiceAccount{}, corev1.Secret{})
	token, err := generator.GenerateToken(t.Context(), public, private)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func keyRotation(t *testing.T) (*plan.Plan, *Tokens) {
	t.Helper()
	p := controller(t)
	change, err := certs.BeginKeyRotation(p, time.Now())
	write(t, change, err)
	k, err := certs.ReadKeyRotation(p)
	if err != nil {
		t.Fatal(err)
	}
	id, err := keyID(k)
	if err != nil {
		t.Fatal(err)
	}
	return p, &Tokens{KeyRotation: k, plan: p, keyID: id}
}

func TestTokensAreToldApart(t *testing.T) {
	p, tokens := keyRotation(t)
	if tokens.isOfNext(signed(t, p.Files.ServiceAccountKey)) {
		t.Error("one of the old key is taken for one of the next")
	}
	if !tokens.isOfNext(signed(t, p.Path(paths.NextServiceAccountKey))) {
		t.Error("one of the next key is not known")
	}
	for _, token := range []string{"", "a.b.c", "e30.e30."} {
		if tokens.isOfNext(token) {
			t.Errorf("%q is taken for a token of the next key", token)
		}
	}
}

func TestMaySignTokens(t *testing.T) {
	tokens := &Tokens{}
	good := TokenEvidence{Controller: "a", Of: "https://a", Verifies: true}
	for says, evidence := range map[string]TokenEvidence{
		"": good,
		"b (https://b) does not accept its tokens": {Controller: "b", Of: "https://b"},
		"b (https://b) is away":                    {Controller: "b", Of: "https://b", Problem: "is away"},
	} {
		err := tokens.MaySign([]TokenEvidence{good, evidence})
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: got %v", evidence, err)
		}
	}
	if err := tokens.MayUndo([]TokenEvidence{good, {Controller: "b", Of: "https://b", Signs: true}}); err == nil || !strings.Contains(err.Error(), "b (https://b) signs with the next key already") {
		t.Errorf("got %v", err)
	}
	if err := tokens.MayUndo([]TokenEvidence{good}); err != nil {
		t.Error(err)
	}
}
