// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/api/googleapi"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// settled makes changes repeatable: what somebody else, or an earlier run whose
// end was not seen, has made or deleted meanwhile is as good if it is as it
// should be.
type settled struct{ lb.Resource }

func (s settled) Create(ctx context.Context) error {
	err := s.Resource.Create(ctx)
	if !hasCode(err, http.StatusConflict) {
		return err
	}
	state, readErr := s.Read(ctx)
	switch {
	case readErr != nil:
		return readErr
	case !state.Exists:
		return err
	case state.Problem == "" && len(state.Changes) == 0:
		return nil
	}
	return &explained{"somebody else has made it meanwhile, and differently; the same command plans anew", err}
}

func (s settled) Delete(ctx context.Context) error {
	err := s.Resource.Delete(ctx)
	if absent(err) {
		return nil
	}
	return err
}

// message is what the API says, or "".
func message(err error) string {
	var api *googleapi.Error
	if errors.As(err, &api) {
		return api.Message
	}
	return ""
}
