// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"

	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/encryption"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/preflight"
	"github.com/khw-controller/khw-controller/pkg/secretsencrypt"
)

// newFollower follows rotations of the encryption key on this controller.
func newFollower(p *plan.Plan, a *apiserver.Server, node string, reread func(path string)) *secretsencrypt.Follower {
	return &secretsencrypt.Follower{
		Controller: cmp.Or(p.Self.Name, node),
		Address:    p.AdvertisedAddress(),
		APIServer:  a,
		Path:       p.EncryptionConfig.Path, Change: p.Path(paths.Change), Inventory: p.Path(paths.Inventory),
		SigningKey: p.TokenSigningKey.Path,
		Unreadable: func(ctx context.Context, c *encryption.Config) ([]encryption.Unreadable, error) {
			return preflight.Unreadable(ctx, p, c)
		},
		Reread: reread,
	}
}
