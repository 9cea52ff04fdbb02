// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// takeOver is how long this controller's apiserver may take to believe a CA that is
// new in its files: it watches them.
const takeOver = 20 * time.Second

// AwaitTrust returns why the next CA may not sign yet, or nil. While it is this
// controller only that does not trust it, it waits for a moment.
func (c *CA) AwaitTrust(ctx context.Context) error {
	var refused error
	_ = wait.PollUntilContextTimeout(ctx, time.Second/2, takeOver, true, func(ctx context.Context) (bool, error) {
		evidence := c.Evidence(ctx)
		refused = c.MaySign(evidence)
		return refused == nil || !c.OnlyHere(evidence), nil
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	return refused
}

// Continue has the next CA sign on this controller, if a rotation waits for that and
// every controller trusts it. It returns what was changed, or nil.
func Continue(ctx context.Context, p *plan.Plan) (*certs.Change, error) {
	r, err := certs.ReadCARotation(p)
	if err != nil || r.Phase != certs.Trusting {
		return nil, err
	}
	ca, err := OpenCA(ctx, p, r)
	if err != nil {
		return nil, err
	}
	if err := ca.MaySign(ca.Evidence(ctx)); err != nil {
		return nil, nil // another time
	}
	change, err := r.Sign(time.Now())
	if err != nil {
		return nil, err
	}
	return change, change.Write(time.Now())
}
