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
func (c *client) change(ctx context.Context, what string, start func(ctx context.Context, requestID string) (*compute.Operation, error)) error {
	id := string(uuid.NewUUID())
	op, err := call(ctx, c, what, func(ctx context.Context) (*compute.Operation, error) { return start(ctx, id) })
	if err != nil {
		return err
	}
	if op, err = c.finish(ctx, op); err != nil {
		return err
	}
	if op.Error != nil && len(op.Error.Errors) > 0 {
		return &operationError{op}
	}
	return nil
}

// finish waits until an operation is done, well or not.
func (c *client) finish(ctx context.Context, op *compute.Operation) (*compute.Operation, error) {
	deadline := time.Now().Add(c.pace.patience)
	for pause := c.pace.poll; op.Status != "DONE"; {
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("operation %s (%s of %s) is still %s after %s; another run continues, gcloud compute operations describe shows it",
				op.Name, op.OperationType, path.Base(op.TargetLink), op.Status, c.pace.patience)
		}
		if err := sleep(ctx, pause.Step()); err != nil {
			return nil, err
		}
		var err error
		if op, err = c.look(ctx, op); err != nil {
			return nil, err
		}
	}
	return op, nil
}

// look reads an operation where it is: in a zone, a region or the project.
func (c *client) look(ctx context.Context, op *compute.Operation) (*compute.Operation, error) {
	what := fmt.Sprintf("Operations.get, %s of %s", op.OperationType, path.Base(op.TargetLink))
	switch {
	case op.Zone != "":
		return call(ctx, c, "zone"+what, func(ctx context.Context) (*compute.Operation, error) {
			return c.ZoneOperations.Get(c.project, path.Base(op.Zone), op.Name).Context(ctx).Do()
		})
	case op.Region != "":
		return call(ctx, c, "region"+what, func(ctx context.Context) (*compute.Operation, error) {
			return c.RegionOperations.Get(c.project, path.Base(op.Region), op.Name).Context(ctx).Do()
		})
	}
	return call(ctx, c, "global"+what, func(ctx context.Context) (*compute.Operation, error) {
		return c.GlobalOperations.Get(c.project, op.Name).Context(ctx).Do()
	})
}

// settle waits for what somebody else, such as another run, is changing about the
// resource of this tail: what is read meanwhile is neither the old nor the new.
func (c *client) settle(ctx context.Context, tail string) error {
	scope := path.Dir(path.Dir(tail)) // global, regions/R or zones/Z
	if c.underway[scope] == nil {
		running, err := c.running(ctx, scope)
		if err != nil && !denied(err) {
			return err // who may not look finds out when a change collides
		}
		c.underway[scope] = running
	}
	op := c.underway[scope][tail]
	if op == nil {
		return nil
	}
	delete(c.underway[scope], tail)
	_, err := c.finish(ctx, op)
	return err
}

// running are the operations of a scope that are not done, by what they change.
func (c *client) running(ctx context.Context, scope string) (map[string]*compute.Operation, error) {
	const filter = `status != "DONE"`
	all := map[string]*compute.Operation{}
	for token := ""; ; {
		page, err := call(ctx, c, c.operations(scope)+".list", func(ctx context.Context) (*compute.OperationList, error) {
			switch kind, name, _ := strings.Cut(scope, "/"); kind {
			case "zones":
				return c.ZoneOperations.List(c.project, name).Filter(filter).PageToken(token).Context(ctx).Do()
			case "regions":
				return c.RegionOperations.List(c.project, name).Filter(filter).PageToken(token).Context(ctx).Do()
			}
			return c.GlobalOperations.List(c.project).Filter(filter).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return map[string]*compute.Operation{}, err
		}
		for _, op := range page.Items {
			all[tail(op.TargetLink)] = op
		}
		if token = page.NextPageToken; token == "" {
			return all, nil
		}
	}
}

// operations is the API's name for those of a scope.
func (c *client) operations(scope string) string {
	switch kind, _, _ := strings.Cut(scope, "/"); kind {
	case "zones":
		return "zoneOperations"
	case "regions":
		return "regionOperations"
	}
	return "globalOperations"
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
