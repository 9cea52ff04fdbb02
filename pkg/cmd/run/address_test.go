// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/khw-controller/khw-controller/pkg/address"
	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

func TestAnAddressIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, want := 0, &plan.Plan{}
		got, err := awaitAddress(t.Context(), notify.Notifier{}, func() (*plan.Plan, error) {
			if asked++; asked < 5 {
				return nil, fmt.Errorf("%w: no route", address.ErrNotFound)
			}
			return want, nil
		})
		if got != want || err != nil || asked != 5 {
			t.Errorf("got %v, %v after %d questions", got, err, asked)
		}
	})
}

func TestWhatIsWrongIsNotWaitedFor(t *testing.T) {
	wrong := errors.New("--advertise-address: wrong")
	if p, err := awaitAddress(t.Context(), notify.Notifier{}, func() (*plan.Plan, error) { return nil, wrong }); p != nil || !errors.Is(err, wrong) {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestAStopEndsTheWaitInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		p, err := awaitAddress(ctx, notify.Notifier{}, func() (*plan.Plan, error) { return nil, address.ErrNotFound })
		if p != nil || err != nil {
			t.Errorf("got %v, %v", p, err)
		}
	})
}
