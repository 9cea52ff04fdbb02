// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/rotation"
)

// rotateEvery is how often it is looked whether a rotation of the CA can go on here.
const rotateEvery = 15 * time.Second

// rotateCA goes on with a rotation of the CA that an operator has begun, as soon as
// every controller trusts the next one, until ctx ends: so it takes one command on
// each controller, in whatever order, and not one more when the last has been given.
func rotateCA(ctx context.Context, p *plan.Plan) {
	failed := ""
	tick := time.NewTicker(rotateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p.ChangeInterrupted() {
			continue // for the same command or the next start
		}
		change, err := rotation.Continue(ctx, p)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && err.Error() != failed:
			failed = err.Error()
			klog.ErrorS(err, "The rotation of the CA does not go on here")
		case err == nil && change != nil:
			failed = ""
			logSigning(change)
		}
	}
}

func logSigning(change *certs.Change) {
	var files []string
	for _, e := range change.Edits {
		files = append(files, e.Path)
	}
	klog.InfoS("Every controller trusts the next CA, which signs here from now on; see khw-controller certs rotate-ca --help", "files", files)
}
