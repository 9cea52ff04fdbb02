// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ktesting "k8s.io/client-go/testing"

	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/encryption"
)

func TestARotationOverThreeControllers(t *testing.T) {
	w := newWorld(t, 3, withKey(plain))
	w.follow(w.controllers...)
	plan, err := w.rotator().Rotate(t.Context(), Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	key := plan.Target.Key
	if !regexp.MustCompile(`^key-\d{8}-\d{6}$`).MatchString(key) || plan.Target.Provider != "aescbc" {
		t.Errorf("the new key is %s", plan.Target.Short())
	}
	if got := w.headers(); !slices.Equal(got, []string{"aescbc " + key}) {
		t.Errorf("stored are %q", got)
	}
	var files []string
	for _, c := range w.controllers {
		if got := w.providers(c.Path); got != "secrets: aescbc "+key+", identity" {
			t.Errorf("%s has %s", c.Controller, got)
		}
		data, err := os.ReadFile(c.Path)
		w.must(err)
		files = append(files, string(data))
		kept, err := filepath.Glob(c.Path + ".*")
		w.must(err)
		if len(kept) != 1 || w.providers(kept[0]) != "secrets: aescbc "+key+", aescbc key1, identity" {
			t.Errorf("%s has kept %v", c.Controller, kept)
		}
		if inForce, _ := c.EncryptionInForce(""); inForce != encryption.Hash(data) {
			t.Errorf("%s has not taken it over", c.Controller)
		}
	}
	if files[0] != files[1] || files[1] != files[2] {
		t.Error("the controllers have different files")
	}
	if r, err := ReadRotation(t.Context(), w.client); r != nil || err != nil {
		t.Errorf("left behind: %+v, %v", r, err)
	}
}

// TestNothingSecretIsInTheCluster looks at all that was ever written there.
func TestNothingSecretIsInTheCluster(t *testing.T) {
	w := newWorld(t, 1, withKey(plain))
	w.follow(w.controllers...)
	if _, err := w.rotator().Rotate(t.Context(), Wanted{}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(w.controllers[0].Path)
	w.must(err)
	secrets := regexp.MustCompile(`[A-Za-z0-9+/]{43}=`).FindAllString(string(data)+withKey(), -1)
	if len(secrets) != 2 {
		t.Fatalf("the keys are %v", secrets)
	}
	written := 0
	for _, a := range w.client.Actions() {
		if o, ok := a.(ktesting.CreateAction); ok {
			written++
			for _, s := range secrets {
				if strings.Contains(fmt.Sprintf("%s", o.GetObject()), s) {
					t.Errorf("a key was written to the cluster: %s %s", a.GetVerb(), a.GetResource().Resource)
				}
			}
		}
	}
	if written == 0 {
		t.Error("nothing was written")
	}
}

// TestARotationGoesOn interrupts each step, and runs the next from another controller.
func TestARotationGoesOn(t *testing.T) {
	w := newWorld(t, 2, withKey(plain))
	w.follow(w.controllers...)
	count := func() int {
		if _, err := w.rotator().Rotate(t.Context(), Wanted{}); err != nil {
			t.Fatal(err)
		}
		return len(w.said)
	}()
	if count < 5 {
		t.Fatalf("it said only %q", w.said)
	}
	for i := range count {
		before := w.providers(w.controllers[0].Path)
		r := w.rotator()
		ctx, interrupt := context.WithCancel(t.Context())
		said := 0
		r.Say = func(string, ...any) {
			if said == i {
				interrupt()
			}
			said++
		}
		_, err := r.Rotate(ctx, Wanted{})
		interrupted := ctx.Err() != nil
		interrupt()
		if err == nil && i < count-1 || !interrupted {
			t.Errorf("step %d was not interrupted: %v", i, err)
		}
		r = w.rotator()
		r.Path = w.controllers[1].Path
		if err != nil {
			if _, err := r.Rotate(t.Context(), Wanted{}); err != nil {
				t.Fatalf("after step %d: %v", i, err)
			}
		}
		after := w.providers(w.controllers[0].Path)
		if strings.Count(after, "aescbc") != 1 || after == before || len(w.headers()) != 1 || !strings.Contains(after, w.headers()[0]) {
			t.Errorf("after step %d: %s, stored are %q", i, after, w.headers())
		}
	}
}

func TestMoves(t *testing.T) {
	w := newWorld(t, 1, withKey(plain))
	w.follow(w.controllers...)
	for _, step := range []struct {
		wanted Wanted
		file   string
		stored string
	}{
		{Wanted{Provider: "secretbox"}, `^secrets: secretbox key-[\d-]+, identity$`, `^secretbox key-`},
		{Wanted{Provider: "identity"}, `^secrets: identity$`, "^identity$"},
		{Wanted{Provider: "aescbc"}, `^secrets: aescbc key-[\d-]+, identity$`, `^aescbc key-`},
	} {
		if _, err := w.rotator().Rotate(t.Context(), step.wanted); err != nil {
			t.Fatal(err)
		}
		file, stored := w.providers(w.controllers[0].Path), w.headers()
		if !regexp.MustCompile(step.file).MatchString(file) || len(stored) != 1 || !regexp.MustCompile(step.stored).MatchString(stored[0]) {
			t.Errorf("to %s: %s, stored are %q", step.wanted.Provider, file, stored)
		}
	}
}

// refused wants no rotation to begin, nor anything to change, for this reason.
func refused(w *world, r *Rotator, wanted Wanted, says string) {
	w.Helper()
	before, err := os.ReadFile(w.controllers[0].Path)
	w.must(err)
	if _, err := r.Rotate(w.Context(), wanted); err == nil || !strings.Contains(err.Error(), says) {
		w.Errorf("got %v, want %q", err, says)
	}
	after, err := os.ReadFile(w.controllers[0].Path)
	w.must(err)
	rotation, err := ReadRotation(w.Context(), w.client)
	if rotation != nil || err != nil || string(before) != string(after) {
		w.Errorf("something has begun: %+v, %v", rotation, err)
	}
}

func TestWhoHasNotReported(t *testing.T) {
	list, err := controllers.Parse([]string{"controller-0=10.240.0.10", "controller-1=10.240.0.11", "controller-2=10.240.0.12"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 3, withKey(plain))
	refused(w, w.rotator(), Wanted{}, "the apiserver at 10.240.0.10:6443 has not reported")
	w.controllers[0].lookWith(t.Context(), w.client)
	w.controllers[1].lookWith(t.Context(), w.client)
	refused(w, w.rotator(), Wanted{}, "the apiserver at 10.240.0.12:6443 has not reported its encryption configuration: it has to be run by a khw-controller")
	w.must(w.client.DiscoveryV1().EndpointSlices("default").Delete(t.Context(), "controller-2", metav1.DeleteOptions{}))
	configured := w.rotator()
	configured.Controllers = list
	refused(w, configured, Wanted{}, "controller-2 (10.240.0.12) has not reported its encryption configuration: start khw-controller there")

	// One that has stopped is remembered, until it is gone for good.
	age := func(c *controller) {
		t.Helper()
		leases := w.client.CoordinationV1().Leases("kube-system")
		l, err := leases.Get(t.Context(), leaseName(c.Address), metav1.GetOptions{})
		w.must(err)
		l.Spec.RenewTime = &metav1.MicroTime{Time: time.Now().Add(-2 * reportGood)}
		_, err = leases.Update(t.Context(), l, metav1.UpdateOptions{})
		w.must(err)
	}
	age(w.controllers[1])
	refused(w, w.rotator(), Wanted{}, "controller-1 (10.240.0.11:6443) has not reported for 2m0s: start khw-controller there, or, if it is gone for good, khw-controller kubectl delete lease -n kube-system khw-secrets-encrypt-10-240-0-11-6443")
	configured.Controllers = list[:1]
	w.must(w.client.DiscoveryV1().EndpointSlices("default").Delete(t.Context(), "controller-1", metav1.DeleteOptions{}))
	w.follow(w.controllers[0])
	if _, err := configured.Rotate(t.Context(), Wanted{}); err != nil {
		t.Errorf("a controller that is none any more counts: %v", err)
	}
}

func TestOneThatReportsAMomentLaterIsWaitedFor(t *testing.T) {
	w := newWorld(t, 2, withKey(plain))
	w.follow(w.controllers[0])
	r := w.rotator()
	r.pace.report = 10 * time.Second
	waited := 0
	r.Say = func(format string, args ...any) {
		if strings.Contains(fmt.Sprintf(format, args...), "waiting a moment") {
			waited++
			w.follow(w.controllers[1])
		}
	}
	if _, err := r.Rotate(t.Context(), Wanted{}); err != nil || waited != 1 {
		t.Errorf("%v; waited %d times, want once", err, waited)
	}
}

func TestOneThatStopsMeanwhile(t *testing.T) {
	w := newWorld(t, 2, withKey(plain))
	w.follow(w.controllers[0])
	stop := w.follow(w.controllers[1])
	r := w.rotator()
	r.pace.takeover = time.Second
	r.Say = func(format string, args ...any) {
		if strings.Contains(fmt.Sprintf(format, args...), "added as second on") {
			stop()
		}
	}
	_, err := r.Rotate(t.Context(), Wanted{})
	if err == nil || !strings.Contains(err.Error(), "controller-1 has not taken the configuration over") {
		t.Fatalf("got %v", err)
	}
	if got := w.headers(); !slices.Equal(got, []string{"aescbc key1"}) {
		t.Errorf("rewritten before all can read it: %q", got)
	}
	if got := w.providers(w.controllers[0].Path); !strings.Contains(got, "key1") {
		t.Errorf("the old key is dropped: %s", got)
	}
	if _, err := w.rotator().Rotate(t.Context(), Wanted{Provider: "secretbox"}); err == nil || !strings.Contains(err.Error(), "is under way") {
		t.Errorf("another rotation: %v", err)
	}
	w.follow(w.controllers[1])
	if _, err := w.rotator().Rotate(t.Context(), Wanted{}); err != nil || w.providers(w.controllers[1].Path) != w.providers(w.controllers[0].Path) {
		t.Errorf("after it is back: %v", err)
	}
}

func TestOneThatCannotFollow(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(c *controller)
		says  string
	}{
		"its apiserver takes nothing over": {func(c *controller) { c.mu.Lock(); c.stuck = true; c.mu.Unlock() }, "controller-1 has the configuration in its file but not in force"},
		"it has another key to open it":    {func(c *controller) { c.SigningKey = signingKey(c.world.T) }, "controller-1 cannot follow: the configuration was sealed with another service account key"},
		"it could not read what is stored": {func(c *controller) {
			c.Unreadable = func(context.Context, *encryption.Config) ([]encryption.Unreadable, error) {
				return []encryption.Unreadable{{Resource: schema.GroupResource{Resource: "secrets"}, Object: "default/s0", Provider: encryption.Provider{Name: "aescbc", Key: "key0"}}}, nil
			}
		}, "controller-1 cannot follow: the next configuration cannot read stored secrets such as default/s0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, withKey(plain))
			test.spoil(w.controllers[1])
			w.follow(w.controllers...)
			r := w.rotator()
			r.pace.takeover = 300 * time.Millisecond
			if _, err := r.Rotate(t.Context(), Wanted{}); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if got := w.headers(); !slices.Equal(got, []string{"aescbc key1"}) {
				t.Errorf("stored are %q", got)
			}
		})
	}
}

func TestDifferentConfigurations(t *testing.T) {
	w := newWorld(t, 2, withKey(plain))
	second := w.controllers[1]
	w.must(os.WriteFile(second.Path, []byte(withKey()), 0o600))
	stop := w.follow(w.controllers...)
	refused(w, w.rotator(), Wanted{}, "controller-1 has another encryption configuration in its file")
	stop()
	w.must(os.WriteFile(second.Path, []byte(withKey(plain)), 0o600))
	second.inForce = []byte("else")
	w.follow(w.controllers...)
	refused(w, w.rotator(), Wanted{}, "controller-1 has another encryption configuration in force than in its file: restart")
}

// TestWhatIsNotRewrittenIsNotLost has the apiserver refuse one object.
func TestWhatIsNotRewrittenIsNotLost(t *testing.T) {
	w := newWorld(t, 1, withKey())
	w.follow(w.controllers...)
	broken := true
	w.metadata.PrependReactor("patch", "secrets", func(a ktesting.Action) (bool, runtime.Object, error) {
		if broken && a.(ktesting.PatchAction).GetName() == "s3" {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "s3", errors.New("a webhook"))
		}
		return false, nil, nil
	})
	_, err := w.rotator().Rotate(t.Context(), Wanted{})
	if err == nil || !strings.Contains(err.Error(), "1 secrets such as default/s3 are encrypted with the key key1 of aescbc still") || !strings.Contains(err.Error(), "a webhook") {
		t.Errorf("got %v", err)
	}
	if got := w.providers(w.controllers[0].Path); !strings.Contains(got, "aescbc key1") {
		t.Errorf("the key is dropped that is needed: %s", got)
	}
	broken = false
	if _, err := w.rotator().Rotate(t.Context(), Wanted{}); err != nil || len(w.headers()) != 1 {
		t.Errorf("after that: %v, stored are %q", err, w.headers())
	}
}

// TestWhatEtcdSaysCounts has the apiserver say of an object that it was changed
// meanwhile, while etcd has it as it was.
func TestWhatEtcdSaysCounts(t *testing.T) {
	w := newWorld(t, 1, withKey())
	w.follow(w.controllers...)
	w.metadata.PrependReactor("patch", "secrets", func(a ktesting.Action) (bool, runtime.Object, error) {
		if name := a.(ktesting.PatchAction).GetName(); name == "s3" {
			return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, name, errors.New("changed"))
		}
		return false, nil, nil
	})
	_, err := w.rotator().Rotate(t.Context(), Wanted{})
	if err == nil || !strings.Contains(err.Error(), "1 secrets such as default/s3 are encrypted with the key key1 of aescbc still; nothing is dropped") {
		t.Errorf("got %v", err)
	}
	if got := w.providers(w.controllers[0].Path); !strings.Contains(got, "aescbc key1") {
		t.Errorf("the key is dropped that is needed: %s", got)
	}
}

func TestWhatIsChangedOrDeletedMeanwhile(t *testing.T) {
	w := newWorld(t, 1, withKey(plain))
	tries := map[string]int{}
	w.metadata.PrependReactor("patch", "secrets", func(a ktesting.Action) (bool, runtime.Object, error) {
		gr := schema.GroupResource{Resource: "secrets"}
		object := a.(ktesting.PatchAction).GetName()
		tries[object]++
		switch object {
		case "s0":
			return true, nil, apierrors.NewConflict(gr, object, errors.New("changed"))
		case "s1":
			return true, nil, apierrors.NewNotFound(gr, object)
		case "s2":
			if tries[object] < 3 {
				return true, nil, apierrors.NewTooManyRequests("wait", 0)
			}
		case "s4":
			return true, nil, apierrors.NewForbidden(gr, object, errors.New("no"))
		}
		return false, nil, nil
	})
	secrets := served{schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, schema.GroupVersionKind{Version: "v1", Kind: "Secret"}}
	done := 0
	failed, err := rewrite(t.Context(), w.metadata, secrets, func(int) { done++ })
	if err != nil || done != 5 || len(failed) != 1 || failed[0].object != "default/s4" || tries["s2"] != 3 || tries["s0"] != 1 {
		t.Errorf("got %v, %v, %d done, tries %v", failed, err, done, tries)
	}
}

func TestWhatCannotBeWanted(t *testing.T) {
	w := newWorld(t, 1, withKey())
	w.controllers[0].inForce = []byte(withKey("  - kms: {apiVersion: v2, name: vault, endpoint: 'unix:///run/v.sock'}\n"))
	w.must(os.WriteFile(w.controllers[0].Path, w.controllers[0].inForce, 0o600))
	w.follow(w.controllers...)
	for says, wanted := range map[string]Wanted{
		"has a KMS plugin vault already":  {Provider: "kms", KMSName: "vault", KMSEndpoint: "unix:///run/w.sock"},
		`--kms-endpoint "/run/w.sock"`:    {Provider: "kms", KMSName: "w", KMSEndpoint: "/run/w.sock"},
		"the KMS plugin w has the socket": {Provider: "kms", KMSName: "w", KMSEndpoint: "unix:///nowhere/w.sock"},
		`--kms-name "a:b"`:                {Provider: "kms", KMSName: "a:b", KMSEndpoint: "unix:///run/w.sock"},
	} {
		refused(w, w.rotator(), wanted, says)
	}
	r := w.rotator()
	r.SigningKey = ""
	refused(w, r, Wanted{}, "service-account-signing-key-file")
	r = w.rotator()
	r.Path = ""
	refused(w, r, Wanted{}, "encryption-provider-config is not set")
	config := func(providers string) *encryption.Config {
		c, err := encryption.Parse(t.Context(), []byte("kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n"+providers))
		w.must(err)
		return c
	}
	const vault = "- {resources: [secrets], providers: [{kms: {apiVersion: v2, name: vault, endpoint: 'unix:///run/v.sock'}}]}\n"
	const box = "- {resources: [configmaps], providers: [{secretbox: {keys: [{name: a, secret: a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=}]}}]}\n"
	for says, c := range map[string]*encryption.Config{
		"nothing is encrypted; say with --provider": config("- {resources: [secrets], providers: [{identity: {}}]}"),
		"the KMS plugin vault that encrypts":        config(vault),
		"kms and secretbox are in use":              config(vault + box),
	} {
		if _, err := target(c, Wanted{}, "1"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

func TestAReportThatIsNone(t *testing.T) {
	w := newWorld(t, 1, withKey())
	_, err := w.client.CoordinationV1().Leases("kube-system").Create(t.Context(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: map[string]string{reportLabel: "x"}},
	}, metav1.CreateOptions{})
	w.must(err)
	refused(w, w.rotator(), Wanted{}, "the Lease kube-system/x is not a report")
}

func TestLeaseNames(t *testing.T) {
	for address, want := range map[string]string{"10.240.0.10:6443": "khw-secrets-encrypt-10-240-0-10-6443", "[fd00::1]:6443": "khw-secrets-encrypt-fd00--1-6443"} {
		if got := leaseName(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
