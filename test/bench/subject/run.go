// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Run is a Subject on a new Site, and a client for it.
type Run struct {
	Subject
	Site
	Client *kubernetes.Clientset
}

// Use calls use with a Run of a Subject that has not been started. Afterwards no
// process and no file of it is left, however it ended.
func Use(ctx context.Context, kind Kind, etcdArgs []string, use func(*Run) error) (err error) {
	dir, err := os.MkdirTemp("", "khw-bench-")
	if err != nil {
		return err
	}
	site := Site{Dir: dir}
	defer func() { err = errors.Join(err, site.remove(err != nil)) }()
	if site, err = newSite(dir, etcdArgs); err != nil {
		return err
	}
	client, err := site.NewClient()
	if err != nil {
		return err
	}
	s := kind.on(site)
	defer s.Kill()
	err = use(&Run{Subject: s, Site: site, Client: client})
	if err != nil && ctx.Err() == nil {
		fmt.Fprint(os.Stderr, site.logs(20))
	}
	return err
}

// How often a condition is looked at.
const pollEvery = 20 * time.Millisecond

// Await waits until done returns nil, for as long as the Subject runs and ctx and
// patience last.
func (r *Run) Await(ctx context.Context, patience time.Duration, what string, done func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var failed error
	err := process.WaitFor(ctx, pollEvery, what, func(ctx context.Context) error {
		if failed = r.Failed(); failed != nil {
			cancel()
			return failed
		}
		return done(ctx)
	})
	if failed != nil {
		return failed
	}
	return err
}

// Rest waits for so long, in which nothing is asked of the Subject.
func Rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
