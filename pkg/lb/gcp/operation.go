// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"google.golang.org/api/compute/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// change starts an operation and waits until it is done. All attempts to start it
// bear one request ID, so that the service starts it once even when an answer was
// lost.
func (c *client) change(ctx context.Context, start func(ctx context.Context, requestID string) (*compute.Operation, error)) error {
	id := string(uuid.NewUUID())
	op, err := call(ctx, c, func(ctx context.Context) (*compute.Operation, error) { return start(ctx, id) })
	if err != nil {
		return err
	}
	deadline := time.Now().Add(c.pace.patience)
	for pause := c.pace.poll; op.Status != "DONE"; {
		if time.Now().After(deadline) {
			return fmt.Errorf("operation %s is still %s after %s; another run continues, gcloud compute operations describe shows it", op.Name, op.Status, c.pace.patience)
		}
		if err := sleep(ctx, pause.Step()); err != nil {
			return err
		}
		if op, err = c.look(ctx, op); err != nil {
			return err
		}
	}
	if op.Error != nil && len(op.Error.Errors) > 0 {
		return &operationError{op}
	}
	return nil
}

// look reads an operation where it is: in a zone, a region or the project.
func (c *client) look(ctx context.Context, op *compute.Operation) (*compute.Operation, error) {
	return call(ctx, c, func(ctx context.Context) (*compute.Operation, error) {
		switch {
		case op.Zone != "":
			return c.ZoneOperations.Get(c.project, path.Base(op.Zone), op.Name).Context(ctx).Do()
		case op.Region != "":
			return c.RegionOperations.Get(c.project, path.Base(op.Region), op.Name).Context(ctx).Do()
		}
		return c.GlobalOperations.Get(c.project, op.Name).Context(ctx).Do()
	})
}

// operationError is an operation that was started and failed.
type operationError struct{ op *compute.Operation }

func (e *operationError) Error() string {
	var all []string
	for _, one := range e.op.Error.Errors {
		all = append(all, fmt.Sprintf("%s (%s)", strings.TrimRight(oneLine(one.Message), "."), one.Code))
	}
	return strings.Join(all, "; ")
}

// code is the operation's first error code, such as QUOTA_EXCEEDED.
func (e *operationError) code() string { return e.op.Error.Errors[0].Code }
