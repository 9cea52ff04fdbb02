// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
)

// Raw returns what the apiserver has stored under a key below /registry.
func Raw(ctx context.Context, c *clientv3.Client, key string) ([]byte, error) {
	resp, err := c.Get(ctx, "/registry/"+key)
	if err != nil {
		return nil, err
	}
	if len(resp.Kvs) != 1 {
		return nil, fmt.Errorf("%d values in etcd under /registry/%s, want 1", len(resp.Kvs), key)
	}
	return resp.Kvs[0].Value, nil
}

// StoredHolder returns who holds a lease by what is in etcd; "" is nobody.
func StoredHolder(ctx context.Context, c *clientv3.Client, name string) (string, error) {
	value, err := Raw(ctx, c, "leases/kube-system/"+name)
	if err != nil {
		return "", err
	}
	lease := &coordinationv1.Lease{}
	if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(value, nil, lease); err != nil {
		return "", fmt.Errorf("decoding the stored lease %s: %w", name, err)
	}
	return ptr.Deref(lease.Spec.HolderIdentity, ""), nil
}
