// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	fakemetadata "k8s.io/client-go/metadata/fake"

	"github.com/khw-controller/khw-controller/pkg/defaults"
)

var roles = rbacv1.SchemeGroupVersion.WithResource("clusterroles")

// kept is a cluster with one object to keep, the ClusterRole "x".
type kept struct {
	*testing.T
	client *fakemetadata.FakeMetadataClient
	keeper *keeper

	mu      sync.Mutex
	outcome outcome
	refuses error
	puts    []time.Duration // since the test began
	told    []string
}

// keepOne keeps it until the test ends, in a bubble of its own.
func keepOne(t *testing.T, is marks, test func(*kept)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := &kept{T: t, client: newFakeMetadata(), outcome: unchanged}
		begun := time.Now()
		k.keeper = newKeeper(k.client, func(_ *target, o outcome, err error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			if k.told = append(k.told, string(o)); err != nil {
				k.told[len(k.told)-1] += " " + err.Error()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		k.object("1", "x")
		k.keeper.keep(ctx, target{
			key: key{resource: roles, name: "x"}, title: "ClusterRole x", source: "test",
			marksOf: versionMarks, is: is,
			put: func(context.Context) (outcome, marks, error) {
				k.mu.Lock()
				defer k.mu.Unlock()
				k.puts = append(k.puts, time.Since(begun))
				if k.refuses != nil {
					return failed, unknown, k.refuses
				}
				return k.outcome, unknown, nil
			},
		})
		ended := make(chan struct{})
		go func() { defer close(ended); k.keeper.run(ctx) }()
		k.after(time.Second)
		test(k)
		cancel()
		<-ended
	})
}

// object makes or changes an object of the cluster.
func (k *kept) object(version, name string) {
	o := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: version},
	}
	if _, err := k.client.Tracker().Get(roles, "", name); err == nil {
		if err := k.client.Tracker().Update(roles, o, ""); err != nil {
			k.Error(err)
		}
		return
	}
	if err := k.client.Tracker().Create(roles, o, ""); err != nil {
		k.Error(err)
	}
}

func (k *kept) delete(name string) {
	if err := k.client.Tracker().Delete(roles, "", name); err != nil {
		k.Error(err)
	}
}

func (k *kept) set(o outcome, refuses error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.outcome, k.refuses = o, refuses
}

// after returns what was told in d.
func (k *kept) after(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	told := k.told
	k.told = nil
	return told
}

func (k *kept) wants(what string, got []string, want ...string) {
	k.Helper()
	if !slices.Equal(got, want) {
		k.Errorf("%s: told %q, want %q", what, got, want)
	}
}

func TestWhatIsAsItWasIsLeftAlone(t *testing.T) {
	keepOne(t, "1", func(k *kept) {
		k.object("2", "another")
		k.wants("another object", k.after(time.Hour))
		if len(k.puts) != 0 {
			t.Errorf("it was put back after %v", k.puts)
		}
	})
}

func TestWhatIsNotKnownIsLookedAtOnce(t *testing.T) {
	keepOne(t, unknown, func(k *kept) {
		k.after(time.Hour)
		if len(k.puts) != 1 {
			t.Errorf("it was looked at after %v, want once", k.puts)
		}
	})
}

func TestWhatIsDeletedOrChangedIsPutBackAtOnce(t *testing.T) {
	keepOne(t, "1", func(k *kept) {
		k.set(created, nil)
		k.delete("x")
		k.wants("deleted", k.after(time.Millisecond), "created")
		k.set(unchanged, nil)
		k.object("2", "x") // what was done
		k.wants("seen", k.after(time.Hour), "unchanged")
		k.set(changed, nil)
		k.object("3", "x")
		k.wants("changed", k.after(time.Millisecond), "changed")
		k.set(unchanged, nil)
		k.wants("seen", k.after(time.Hour), "unchanged")
		k.wants("then", k.after(time.Hour))
	})
}

func TestWhatIsDeletedAgainBeforeItWasSeenIsPutBack(t *testing.T) {
	keepOne(t, "1", func(k *kept) {
		k.set(created, nil)
		k.delete("x")
		k.wants("deleted", k.after(time.Millisecond), "created") // and the watch shows nothing
		k.wants("looked at again", k.after(2*time.Second), "created")
	})
}

func TestASecondWillIsNotFoughtInALoop(t *testing.T) {
	keepOne(t, "1", func(k *kept) {
		k.set(changed, nil)
		version := "a"
		stop := time.Now().Add(time.Hour)
		for time.Now().Before(stop) {
			version += "a"
			k.object(version, "x")
			k.after(20 * time.Second)
		}
		if n := len(k.puts); n < 30 || n > 70 {
			t.Errorf("it was put back %d times in an hour, want about once a minute", n)
		}
		k.set(unchanged, nil)
		k.after(time.Hour)
		k.set(changed, nil)
		k.object("b", "x")
		k.wants("after an hour of peace", k.after(time.Millisecond), "changed")
		k.object("c", "x")
		k.wants("and again", k.after(2*firstPause), "changed")
	})
}

func TestWhatCannotBePutBackIsTriedAgain(t *testing.T) {
	keepOne(t, "1", func(k *kept) {
		k.set("", errors.New("the namespace is terminating"))
		k.delete("x")
		k.wants("refused", k.after(1500*time.Millisecond), "failed the namespace is terminating", "failed the namespace is terminating")
		k.set(created, nil)
		k.wants("at last", k.after(2*time.Second), "created")
	})
}

func TestMarksTellWhatIsOursApart(t *testing.T) {
	entry := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	object := func(uid, autoupdate string, managed ...metav1.ManagedFieldsEntry) *metav1.PartialObjectMetadata {
		o := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x", UID: types.UID(uid), ResourceVersion: "1", Labels: map[string]string{"a": "b"}, ManagedFields: managed}}
		if autoupdate != "" {
			o.Annotations = map[string]string{rbacv1.AutoUpdateAnnotationKey: autoupdate, "other": "y"}
		}
		return o
	}
	ours := entry(FieldManager, `{"f:data":{"f:a":{},"f:b":{}}}`)
	base := object("1", "", ours)
	status := ours
	status.Subresource = "status"
	for name, test := range map[string]struct {
		o    *metav1.PartialObjectMetadata
		same bool
	}{
		"somebody else's field":       {object("1", "", entry("kubectl", `{"f:data":{"f:c":{}}}`), ours), true},
		"the same fields, reordered":  {object("1", "", entry(FieldManager, `{"f:data":{"f:b":{},"f:a":{}}}`)), true},
		"a field of ours is taken":    {object("1", "", entry(FieldManager, `{"f:data":{"f:a":{}}}`), entry("kubectl", `{"f:data":{"f:b":{}}}`)), false},
		"all fields of ours":          {object("1", ""), false},
		"another object of that name": {object("2", "", ours), false},
		"to be left alone":            {object("1", "false", ours), false},
		"a status":                    {object("1", "", status), false},
	} {
		if got := ownedMarks(trimmed(test.o)) == ownedMarks(base); got != test.same {
			t.Errorf("%s: the same is %v, want %v", name, got, test.same)
		}
	}
	if got := trimmed(base); got.Labels != nil || got.ResourceVersion != "1" || versionMarks(got) != "1" {
		t.Errorf("kept is %v", got)
	}
}

func TestDefaultsAreKeptAsFarAsTheyAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeCluster(t.TempDir())
		client := fake.NewClientset()
		w.term.defaults = func(context.Context) ([]defaults.Object, error) { return defaults.PriorityClasses(client), nil }
		serve := w.term.resourceOf
		var served atomic.Bool
		w.term.resourceOf = func(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
			if kind.Kind == "PriorityClass" && !served.Load() {
				return schema.GroupVersionResource{}, errors.New("no discovery")
			}
			return serve(kind)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = w.term.Lead(ctx, func() {}) }()
		synctest.Wait()
		if err := w.term.Healthy(ctx); err == nil || !strings.Contains(err.Error(), "no discovery") {
			t.Errorf("it is unhealthy because of %v", err)
		}
		served.Store(true)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if err := w.term.Healthy(ctx); err != nil {
			t.Error(err)
		}
		list, err := client.SchedulingV1().PriorityClasses().List(ctx, metav1.ListOptions{})
		if err != nil || len(list.Items) != 2 {
			t.Errorf("there are %v, %v", list, err)
		}
		cancel()
		<-ended
		if !said(w, "Normal PutBack PriorityClass system-node-critical was deleted, and is again as Kubernetes has it by default") {
			t.Error("no event says so")
		}

		w.term.resourceOf = func(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
			return schema.GroupVersionResource{}, &meta.NoKindMatchError{GroupKind: kind.GroupKind()}
		}
		w.term.defaultsKept = false
		if err := w.term.keepDefaults(t.Context()); err != nil {
			t.Errorf("what is not served: %v", err)
		}
	})
}

// said reports whether an event was recorded.
func said(w *fakeCluster, text string) bool {
	for {
		select {
		case e := <-w.events.Events:
			if e == text {
				return true
			}
		default:
			return false
		}
	}
}
