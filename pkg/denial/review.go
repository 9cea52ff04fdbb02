// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// review asks an apiserver whether a user may do something by now, as the same user
// and on the same way as the request that was denied.
type review struct {
	transport http.RoundTripper
	url       *url.URL
	header    http.Header // holds the user's credentials
}

// reviews is where users ask what they may do, which all may by default.
const reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

func newReview(transport http.RoundTripper, denied *http.Request) *review {
	at := *denied.URL
	before, _, _ := strings.Cut(at.Path, "/api") // an apiserver may be below a path
	at.Path, at.RawPath, at.RawQuery = strings.TrimSuffix(before, "/")+reviews, "", ""
	header := denied.Header.Clone()
	header.Set("Accept", "application/json")
	header.Set("Content-Type", "application/json")
	return &review{transport: transport, url: &at, header: header}
}

func (r *review) allowed(ctx context.Context, denied right, refused refusal) (bool, error) {
	body, err := json.Marshal(&authorizationv1.SelfSubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: authorizationv1.SchemeGroupVersion.String(), Kind: "SelfSubjectAccessReview"},
		Spec:     spec(denied, refused),
	})
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url.String(), bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header = r.header.Clone()
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return false, fmt.Errorf("asking what it may do: %s", resp.Status)
	}
	var answer authorizationv1.SelfSubjectAccessReview
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}

// spec is the question.
func spec(denied right, refused refusal) authorizationv1.SelfSubjectAccessReviewSpec {
	if denied.resource == "" {
		return authorizationv1.SelfSubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: denied.verb, Path: denied.path}}
	}
	resource, sub, _ := strings.Cut(denied.resource, "/")
	return authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Verb: denied.verb, Group: denied.group, Version: "*", Resource: resource, Subresource: sub,
		Namespace: refused.namespace, Name: refused.name,
	}}
}
