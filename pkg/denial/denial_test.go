// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	restclient "k8s.io/client-go/rest"
)

const scheduler = "system:kube-scheduler"

// cluster is an apiserver that denies what it is told to, in upstream's words.
type cluster struct {
	*testing.T
	mu        sync.Mutex
	deny      error // the answer to all but reviews
	allowed   bool  // by reviews
	unasked   bool  // reviews are denied too
	reviewed  []authorizationv1.SelfSubjectAccessReviewSpec
	reviewers []string
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	review := strings.HasSuffix(r.URL.Path, "selfsubjectaccessreviews")
	switch {
	case review && c.unasked || !review && c.deny != nil:
		responsewriters.ErrorNegotiated(c.deny, scheme.Codecs, schema.GroupVersion{Version: "v1"}, w, r)
	case review:
		var asked authorizationv1.SelfSubjectAccessReview
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			c.Error(err)
		}
		c.reviewed, c.reviewers = append(c.reviewed, asked.Spec), append(c.reviewers, r.Header.Get("Authorization"))
		asked.Status.Allowed = c.allowed
		w.WriteHeader(http.StatusCreated)
		if err := json.NewEncoder(w).Encode(asked); err != nil {
			c.Error(err)
		}
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		if err := json.NewEncoder(w).Encode(&corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}); err != nil {
			c.Error(err)
		}
	}
}

// set changes what the apiserver answers.
func (c *cluster) set(change func(*cluster)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// client returns a client of the cluster whose answers rights looks at.
func (c *cluster) client(rights *Rights, contentType string) kubernetes.Interface {
	server := httptest.NewServer(c)
	c.Cleanup(server.Close)
	config := &restclient.Config{Host: server.URL, BearerToken: "token", ContentConfig: restclient.ContentConfig{ContentType: contentType}}
	config.Wrap(rights.Wrap)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		c.Fatal(err)
	}
	return client
}

func bind(client kubernetes.Interface) error {
	return client.CoreV1().Pods("default").Bind(context.Background(), &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "pod"}}, metav1.CreateOptions{})
}

// denied is what an apiserver answers whose authorizer says no.
func denied(a authorizer.AttributesRecord, reason string) error {
	a.User = &user.DefaultInfo{Name: scheduler}
	return responsewriters.ForbiddenStatusError(a, reason)
}

var bindingDenied = authorizer.AttributesRecord{Verb: "create", Namespace: "default", Resource: "pods", Subresource: "binding", Name: "pod", ResourceRequest: true}

func TestWhatIsLackingIsNamed(t *testing.T) {
	const why = "; its roles, or another authorizer, do not let it"
	for name, test := range map[string]struct {
		answer error
		want   string // "" is no lack of rights
	}{
		"a subresource":         {denied(bindingDenied, ""), "lacks the right to create pods/binding (user system:kube-scheduler)" + why},
		"with a reason":         {denied(bindingDenied, "RBAC: role\nnot found"), "lacks the right to create pods/binding (user system:kube-scheduler)" + why + ": RBAC: role not found"},
		"in a group":            {denied(authorizer.AttributesRecord{Verb: "update", Namespace: "x", APIGroup: "apps", Resource: "deployments", Subresource: "status", ResourceRequest: true}, ""), "lacks the right to update deployments.apps/status (user system:kube-scheduler)" + why},
		"everywhere":            {denied(authorizer.AttributesRecord{Verb: "list", Resource: "nodes", ResourceRequest: true}, ""), "lacks the right to list nodes (user system:kube-scheduler)" + why},
		"a path":                {denied(authorizer.AttributesRecord{Verb: "get", Path: "/metrics"}, ""), "lacks the right to get /metrics (user system:kube-scheduler)" + why},
		"a namespace that goes": {apierrors.NewForbidden(corev1.Resource("pods"), "pod", errors.New("unable to create new content in namespace default because it is being terminated")), ""},
		"a quota":               {apierrors.NewForbidden(corev1.Resource("pods"), "pod", errors.New("exceeded quota: q, requested: pods=1")), ""},
		"a webhook's no":        {apierrors.NewForbidden(corev1.Resource("pods"), "pod", errors.New(`admission webhook "w" denied the request: no`)), ""},
		"another error":         {apierrors.NewConflict(corev1.Resource("pods"), "pod", errors.New("changed")), ""},
		"none":                  {nil, ""},
	} {
		for _, contentType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
			t.Run(name+" in "+contentType, func(t *testing.T) {
				var rights Rights
				c := &cluster{T: t, deny: test.answer}
				err := bind(c.client(&rights, contentType))
				if (err == nil) != (test.answer == nil) || err != nil && err.Error() != test.answer.Error() {
					t.Errorf("the client got %v, want %v", err, test.answer)
				}
				got := ""
				if err := rights.Healthy(t.Context()); err != nil {
					got = err.Error()
				}
				if got != test.want {
					t.Errorf("got\n%s\nwant\n%s", got, test.want)
				}
			})
		}
	}
}

func TestWhatIsGrantedIsForgotten(t *testing.T) {
	var rights Rights
	c := &cluster{T: t, deny: denied(bindingDenied, "")}
	if err := bind(c.client(&rights, runtime.ContentTypeProtobuf)); !apierrors.IsForbidden(err) {
		t.Fatal(err)
	}
	if rights.Healthy(t.Context()) == nil {
		t.Error("nothing is lacking")
	}
	c.set(func(c *cluster) { c.allowed = true })
	for range 2 {
		if err := rights.Healthy(t.Context()); err != nil {
			t.Error(err)
		}
	}
	want := authorizationv1.ResourceAttributes{Verb: "create", Version: "*", Resource: "pods", Subresource: "binding", Namespace: "default", Name: "pod"}
	if len(c.reviewed) != 2 || *c.reviewed[1].ResourceAttributes != want || !slices.Equal(c.reviewers, []string{"Bearer token", "Bearer token"}) {
		t.Errorf("asked was %v as %v; want twice %v", c.reviewed, c.reviewers, want)
	}
}

func TestWhoMayNotEvenAskIsBelievedForAWhile(t *testing.T) {
	c := &cluster{T: t, deny: denied(bindingDenied, ""), unasked: true}
	var rights Rights
	if err := bind(c.client(&rights, runtime.ContentTypeJSON)); !apierrors.IsForbidden(err) {
		t.Fatal(err)
	}
	if rights.Healthy(t.Context()) == nil {
		t.Error("nothing is lacking")
	}
	synctest.Test(t, func(t *testing.T) {
		var rights Rights
		rights.add(right{verb: "list"}, refusal{at: time.Now(), ask: func(context.Context, right, refusal) (bool, error) { return false, errors.New("no") }})
		time.Sleep(unaskable)
		if rights.Healthy(t.Context()) == nil {
			t.Error("it is not believed")
		}
		time.Sleep(time.Second)
		if err := rights.Healthy(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestARefusalDuringTheQuestionIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rights Rights
		r := right{verb: "list", resource: "nodes"}
		again := refusal{ask: func(context.Context, right, refusal) (bool, error) { return false, nil }}
		rights.add(r, refusal{at: time.Now(), ask: func(context.Context, right, refusal) (bool, error) {
			time.Sleep(time.Second)
			again.at = time.Now()
			rights.add(r, again)
			return true, nil
		}})
		_ = rights.Healthy(t.Context())
		if rights.Healthy(t.Context()) == nil {
			t.Error("it is forgotten")
		}
		rights.Forget()
		if err := rights.Healthy(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTheLackingAreCountedAndBounded(t *testing.T) {
	var rights Rights
	no := func(context.Context, right, refusal) (bool, error) { return false, nil }
	for i := range 2 * most {
		rights.add(right{user: "u", verb: "list", resource: "r" + string(rune('A'+i))}, refusal{at: time.Now(), ask: no})
	}
	if err := rights.Healthy(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "lacks the right to list rA (user u), list rB (user u), list rC (user u), and 47 more;") {
		t.Errorf("got %v", err)
	}
}
