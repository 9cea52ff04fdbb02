// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"errors"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const refused = `Internal error occurred: failed calling webhook "all.example.com": failed to call webhook: Post "https://gone.default.svc:443/?timeout=10s": service "gone" not found`

func TestWhichWebhookRefuses(t *testing.T) {
	for words, want := range map[string]string{
		refused: "all.example.com",
		`leases.coordination.k8s.io "x" is forbidden: admission webhook "no.example.com" denied the request: no`: "no.example.com",
		"etcdserver: request timed out": "",
		"":                              "",
	} {
		if got := Refusing(words); got != want {
			t.Errorf("%s: got %q, want %q", words, got, want)
		}
	}
}

func TestWhereItIsConfigured(t *testing.T) {
	client := fake.NewClientset(
		&admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "policy"}, Webhooks: []admissionv1.ValidatingWebhook{{Name: "all.example.com"}, {Name: "pods.example.com"}}},
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "sidecar"}, Webhooks: []admissionv1.MutatingWebhook{{Name: "all.example.com"}}},
	)
	where, err := Configurations(t.Context(), client)
	if err != nil || len(where) != 2 || !slices.Equal(where["all.example.com"], []string{"validatingwebhookconfiguration/policy", "mutatingwebhookconfiguration/sidecar"}) {
		t.Errorf("got %v, %v", where, err)
	}
	if got := Fix("all.example.com", where); !strings.HasSuffix(got, "khw-controller kubectl delete validatingwebhookconfiguration/policy mutatingwebhookconfiguration/sidecar") {
		t.Errorf("the fix is %q", got)
	}
	if got := Fix("all.example.com", nil); !strings.Contains(got, "kubectl get validatingwebhookconfigurations,") {
		t.Errorf("the fix is %q where nothing is known", got)
	}
	for _, resource := range []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations"} {
		broken := fake.NewClientset()
		broken.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no") })
		if _, err := Configurations(t.Context(), broken); err == nil {
			t.Errorf("%s cannot be listed, and nobody says so", resource)
		}
	}
}

func TestALeaseIsTriedAndNotMade(t *testing.T) {
	client := fake.NewClientset()
	var answer error
	client.PrependReactor("create", "leases", func(a clienttesting.Action) (bool, runtime.Object, error) {
		options := a.(clienttesting.CreateActionImpl).GetCreateOptions()
		if !slices.Equal(options.DryRun, []string{metav1.DryRunAll}) || a.GetNamespace() != "kube-system" {
			t.Errorf("it is made in %s with %+v", a.GetNamespace(), options)
		}
		return true, nil, answer
	})
	for _, test := range []struct {
		answer error
		want   string
		err    bool
	}{
		{nil, "", false},
		{errors.New(refused), "all.example.com", false},
		{errors.New("no"), "", true},
	} {
		answer = test.answer
		if got, err := TryLease(t.Context(), client); got != test.want || (err != nil) != test.err {
			t.Errorf("%v: got %q, %v, want %q", test.answer, got, err, test.want)
		}
	}
}
