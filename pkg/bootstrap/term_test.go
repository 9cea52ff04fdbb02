// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fakemetadata "k8s.io/client-go/metadata/fake"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/component-base/metrics/testutil"

	"github.com/khw-controller/khw-controller/pkg/defaults"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// fakeCluster is a cluster that refuses some objects, and what was said of it.
type fakeCluster struct {
	mu       sync.Mutex // guards what follows
	refuses  map[string]error
	attempts []string
	reports  []string
	events   *record.FakeRecorder
	term     *term
	metadata *fakemetadata.FakeMetadataClient
}

// store keeps the metadata of o, for those who watch.
func (w *fakeCluster) store(o object) {
	resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	kept := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: o.GetAPIVersion(), Kind: o.GetKind()},
		ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), Annotations: o.GetAnnotations()},
	}
	if err := w.metadata.Tracker().Create(resource, kept, o.GetNamespace()); err != nil && !apierrors.IsAlreadyExists(err) {
		panic(err)
	}
}

// begin begins a round of which the test makes the passes itself.
func (w *fakeCluster) begin(t *testing.T) {
	w.term.done, w.term.said = map[string]bool{}, map[string]bool{}
	w.term.keeper = newKeeper(w.metadata, w.term.tellKept)
	t.Cleanup(w.term.keeper.queue.ShutDown)
}

// newFakeMetadata returns a client of the metadata of an empty cluster.
func newFakeMetadata() *fakemetadata.FakeMetadataClient {
	scheme := fakemetadata.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		panic(err)
	}
	return fakemetadata.NewSimpleMetadataClient(scheme)
}

func newFakeCluster(dir string) *fakeCluster {
	w := &fakeCluster{refuses: map[string]error{}, events: record.NewFakeRecorder(1000), metadata: newFakeMetadata()}
	report := func(_ supervisor.State, detail string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.reports = append(w.reports, detail)
	}
	w.term = &term{
		candidate: &candidate{Bootstrap: New(Config{ManifestsDir: dir}), recorder: w.events, report: report},
		metadata:  w.metadata,
		defaults:  func(context.Context) ([]defaults.Object, error) { return nil, nil },
		resourceOf: func(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
			resource, _ := meta.UnsafeGuessKindToResource(kind)
			return resource, nil
		},
		apply: func(_ context.Context, o object) (outcome, *unstructured.Unstructured, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.attempts = append(w.attempts, o.GetName())
			if err := w.refuses[o.GetName()]; err != nil {
				return failed, nil, err
			}
			w.store(o)
			return created, o.Unstructured, nil
		},
	}
	return w
}

// seen returns what was tried and reported so far.
func (w *fakeCluster) seen() (attempts, reports []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.attempts), slices.Clone(w.reports)
}

// refuse has the cluster refuse an object, or accept it where err is nil.
func (w *fakeCluster) refuse(name string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuses[name] = err
}

func manifest(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n"
}

const role = "system:kube-apiserver-to-kubelet"

func TestWhatFailsIsTriedAgainAndTheRestIsNot(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "1.yaml"), manifest("first"))
	broken := write(t, filepath.Join(dir, "2.yaml"), "a: [\n")
	write(t, filepath.Join(dir, "3.yaml"), manifest("third"))
	synctest.Test(t, func(t *testing.T) {
		w := newFakeCluster(dir)
		w.refuses["first"] = errors.New("no namespace")
		ctx, cancel := context.WithCancel(t.Context())
		w.term.Reapply() // before its term, which applies everything anyway
		result := make(chan error, 1)
		go func() { result <- w.term.Lead(ctx, func() {}) }()
		synctest.Wait()
		if got, _ := w.seen(); !slices.Equal(got, []string{role, "first", "third"}) {
			t.Errorf("tried %q", got)
		}
		err := w.term.Healthy(ctx)
		if err == nil || !strings.Contains(err.Error(), broken) || !strings.Contains(err.Error(), "and 1 more") {
			t.Errorf("unhealthy because of %v; want the bad file and 1 more", err)
		}
		if n, err := testutil.GetGaugeMetricValue(skipped); n != 1 || err != nil {
			t.Errorf("%v files are counted as skipped, %v", n, err)
		}
		w.refuse("first", nil)
		write(t, broken, manifest("second"))
		time.Sleep(time.Hour)
		synctest.Wait()
		attempts, reports := w.seen()
		if want := []string{role, "first", "third", "first", "second"}; !slices.Equal(attempts, want) {
			t.Errorf("tried %q, want %q", attempts, want)
		}
		if err := w.term.Healthy(ctx); err != nil {
			t.Errorf("unhealthy with everything applied: %v", err)
		}
		if want := []string{"4 objects applied"}; !slices.Equal(reports, want) {
			t.Errorf("reported %q, want %q", reports, want)
		}
		w.term.Reapply()
		synctest.Wait()
		if got, _ := w.seen(); !slices.Equal(got, append(attempts, role, "first", "second", "third")) {
			t.Errorf("asked again, it tried %q", got)
		}
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestTroubleThatComesBackIsToldAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "1.yaml"), manifest("first"))
	synctest.Test(t, func(t *testing.T) {
		w := newFakeCluster(dir)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- w.term.Lead(ctx, func() {}) }()
		for range 2 {
			w.refuse("first", errors.New("no namespace"))
			w.term.Reapply()
			time.Sleep(time.Hour)
			w.refuse("first", nil)
			time.Sleep(time.Hour)
		}
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
		close(w.events.Events)
		told := 0
		for e := range w.events.Events {
			if strings.HasPrefix(e, "Warning ApplyFailed ConfigMap first") {
				told++
			}
		}
		if told != 2 {
			t.Errorf("it is told %d times, want once each time it came", told)
		}
	})
}

func TestAFormerLeaderIsHealthy(t *testing.T) {
	w := newFakeCluster(t.TempDir())
	w.refuses[role] = errors.New("the webhook is down")
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- w.term.Lead(ctx, func() {}) }()
	for e := range w.events.Events {
		if strings.Contains(e, "the webhook is down") {
			break
		}
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
	if err := w.term.Healthy(t.Context()); err != nil {
		t.Errorf("its successor applies now, and it is unhealthy: %v", err)
	}
}

func TestWhatIsAppliedIsAnEventOfTheObject(t *testing.T) {
	w := newFakeCluster(t.TempDir())
	w.begin(t)
	for _, o := range []outcome{created, changed, unchanged, protected} {
		w.term.done, w.term.apply = map[string]bool{}, func(_ context.Context, obj object) (outcome, *unstructured.Unstructured, error) {
			return o, obj.Unstructured, nil
		}
		if problems := w.term.pass(t.Context()); problems != nil {
			t.Error(problems)
		}
	}
	close(w.events.Events)
	var said []string
	for e := range w.events.Events {
		said = append(said, e)
	}
	if want := []string{"Normal Created Created from the lab's kubelet RBAC", "Normal Corrected Made to be as in the lab's kubelet RBAC"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestTroubleIsToldOnceInATerm(t *testing.T) {
	w := newFakeCluster(t.TempDir())
	w.begin(t)
	w.refuses[role] = errors.New("the webhook is down")
	for range 3 {
		if problems := w.term.pass(t.Context()); len(problems) != 1 {
			t.Errorf("problems %v", problems)
		}
	}
	close(w.events.Events)
	var said []string
	for e := range w.events.Events {
		said = append(said, e)
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "Warning ApplyFailed ClusterRole "+role) || !strings.Contains(said[0], "the webhook is down") {
		t.Errorf("said %q", said)
	}
}

// TestADefaultThatIsHeldUpDoesNotHoldUpTheEnd has an apiserver not answer who makes a
// role, as one does whose webhook hangs.
func TestADefaultThatIsHeldUpDoesNotHoldUpTheEnd(t *testing.T) {
	held := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}`))
			return
		}
		// The server sees that a client has gone once it has read what it sent.
		_, _ = io.Copy(io.Discard, r.Body)
		held <- r.Method + " " + r.URL.Path
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := &candidate{Bootstrap: New(Config{}), client: &restclient.Config{Host: server.URL}}
	prepared, err := c.Prepare(ctx, election.Until(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	all, err := prepared.(*term).defaults(ctx)
	if err != nil || len(all) < 70 {
		t.Fatalf("%d defaults, %v", len(all), err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := all[0].Ensure(ctx)
		ended <- err
	}()
	if got := <-held; !strings.HasSuffix(got, "/clusterroles") {
		t.Errorf("it asks for %s", got)
	}
	stop()
	if err := <-ended; err == nil {
		t.Error("what was never made is taken for made")
	}
}
