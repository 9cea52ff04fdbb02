// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/bucket"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/snapshot"
)

// load reads the config file and the flags of cmd, without a plan: on another
// machine too, snapshots are listed and looked at.
func load(cmd *cobra.Command, flags *config.Flags) (*config.Config, error) {
	root, err := cli.Root(cmd)
	if err != nil {
		return nil, err
	}
	c, err := flags.Load(root)
	if err != nil {
		return nil, cli.UsageError{Err: err}
	}
	return c, nil
}

// located calls do with the path of a snapshot: of the file that is named, or of
// one that is fetched from a bucket for as long.
func located(ctx context.Context, c *config.Config, name string, do func(path string) error) error {
	if !bucket.IsURL(name) {
		return do(name)
	}
	fetched, err := snapshot.Fetch(ctx, plan.Bucket(c.SnapshotS3), name, paths.Snapshots.Below(c.Root))
	if err != nil {
		return err
	}
	defer fetched.Close()
	if err := do(fetched.Path); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// upload copies what was saved into the bucket, if there is one.
func upload(ctx context.Context, p *plan.Plan, path string) (url string, err error) {
	remote := p.SnapshotRemote()
	if remote == nil {
		return "", nil
	}
	if url, err = remote.Upload(ctx, path); err != nil {
		return "", fmt.Errorf("%s is saved, and not copied to the bucket: %w", path, err)
	}
	return url, nil
}
