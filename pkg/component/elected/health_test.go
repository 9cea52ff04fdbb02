// SPDX-License-Identifier: Apache-2.0

package elected

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusForbidden, Body: io.NopCloser(strings.NewReader(
		`{"kind":"Status","apiVersion":"v1","status":"Failure","code":403,"message":"leases is forbidden: User \"u\" cannot get resource \"leases\" in API group \"x\" at the cluster scope"}`))}, nil
}

func TestARightThatLacksIsTold(t *testing.T) {
	var h Health
	if err := h.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost/apis/x/v1/leases", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.Rights.Wrap(refusing{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := h.Healthy(t.Context()); err == nil || !strings.Contains(err.Error(), "lacks the right to get leases.x (user u)") {
		t.Errorf("got %v", err)
	}
}
