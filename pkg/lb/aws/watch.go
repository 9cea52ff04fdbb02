// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// watch sees every attempt of every call.
type watch struct {
	// tell is told about each.
	tell func(what string)
	// made is true once something was created: what depends on it may not see it
	// for some seconds.
	made atomic.Bool
}

type attemptKey struct{}

// install is one of a client's APIOptions.
func (w *watch) install(stack *middleware.Stack) error {
	count := middleware.InitializeMiddlewareFunc("count attempts", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(middleware.WithStackValue(ctx, attemptKey{}, new(int)), in)
		if err == nil && strings.HasPrefix(awsmiddleware.GetOperationName(ctx), "Create") {
			w.made.Store(true)
		}
		return out, metadata, err
	})
	tell := middleware.FinalizeMiddlewareFunc("tell attempts", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		w.attempt(ctx)
		return next.HandleFinalize(ctx, in)
	})
	if err := stack.Initialize.Add(count, middleware.After); err != nil {
		return err
	}
	return stack.Finalize.Insert(tell, "Retry", middleware.After)
}

func (w *watch) attempt(ctx context.Context) {
	what := action(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx))
	if n, ok := middleware.GetStackValue(ctx, attemptKey{}).(*int); ok {
		if *n++; *n > 1 {
			what += fmt.Sprintf(", attempt %d", *n)
		}
	}
	w.tell(what)
}
