// SPDX-License-Identifier: Apache-2.0

package defrag

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// lockPrefix is where the keys of the lock are in etcd, beside Kubernetes' own.
const lockPrefix = "/khw-controller/defrag"

// lockTTL is for how many seconds a lock outlives its holder: more than the member
// is silent that renews it.
const lockTTL = 300

// ErrLocked tells that somebody else defragments the members already.
var ErrLocked = errors.New("another controller, or somebody by hand, defragments etcd's members already")

// Lock keeps others from defragmenting members of the cluster until release is
// called. The context it returns ends when the lock is lost. An etcd that lets
// nobody write a lock, because it has run out of its quota or because of its
// roles, is none to be kept from being defragmented.
func Lock(ctx context.Context, client *clientv3.Client) (held context.Context, release func(), err error) {
	session, err := concurrency.NewSession(client, concurrency.WithTTL(lockTTL), concurrency.WithContext(ctx))
	if err == nil {
		if err = concurrency.NewMutex(session, lockPrefix).TryLock(ctx); err != nil {
			session.Close()
		}
	}
	switch {
	case errors.Is(err, concurrency.ErrLocked):
		return nil, nil, ErrLocked
	case errors.Is(err, rpctypes.ErrNoSpace), errors.Is(err, rpctypes.ErrPermissionDenied):
		return ctx, func() {}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("locking the members: %w", err)
	}
	held, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-session.Done():
			cancel()
		case <-held.Done():
		}
	}()
	return held, func() { cancel(); session.Close() }, nil
}
