// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"os"
	"time"

	"github.com/khw-controller/khw-controller/pkg/component/etcd"
	"github.com/khw-controller/khw-controller/pkg/encryption"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// storedTimeout is what reading a part of what is stored may take.
const storedTimeout = 5 * time.Second

// pluginTimeout is what the answers of KMS plugins may take, as the apiserver's own
// default (k8s.io/apiserver, pkg/apis/apiserver/v1, SetDefaults_KMSConfiguration).
const pluginTimeout = 3 * time.Second

// checkStored holds the encryption configuration against what etcd has stored: an
// apiserver that cannot read one object of a resource never becomes ready. An etcd
// that does not answer is reported by the checks of etcd, and a configuration that
// cannot be loaded by those of its own.
func checkStored(ctx context.Context, in input) []Finding {
	config, err := encryption.Load(ctx, in.EncryptionConfig.Path)
	if err != nil {
		return nil
	}
	reading, cancel := context.WithTimeout(ctx, storedTimeout)
	defer cancel()
	// What cannot be read now is no finding of its own: an etcd that does not answer, or
	// damaged data, is told by their checks.
	unreadable, _ := readStored(reading, in, config)
	return append(checkPlugins(ctx, in, config), ofUnreadable(in.Plan, unreadable)...)
}

// Stored is what the encryption configuration of a control plane that runs, as it is
// on the disk, cannot read of what its etcd has stored.
func Stored(ctx context.Context, p *plan.Plan) ([]Finding, error) {
	config, err := encryption.Load(ctx, p.EncryptionConfig.Path)
	if err != nil {
		return nil, err
	}
	unreadable, err := Unreadable(ctx, p, config)
	return ofUnreadable(p, unreadable), err
}

func ofUnreadable(p *plan.Plan, unreadable []encryption.Unreadable) []Finding {
	subject := p.EncryptionConfig.String()
	if p.EncryptionConfig.Path == "" {
		subject = "--kube-apiserver-arg encryption-provider-config: without it the apiserver"
	}
	var found []Finding
	for _, u := range unreadable {
		found = append(found, failure(subject, u.Problem(), u.Fix())...)
	}
	return found
}

// readStored reads from the etcd that answers, or from the database of an embedded
// member that does not run.
func readStored(ctx context.Context, in input, config *encryption.Config) ([]encryption.Unreadable, error) {
	if in.Etcd != nil {
		database := etcd.DatabasePath(in.Etcd)
		if _, err := os.Stat(database); err != nil {
			return nil, err
		}
		unreadable, err := config.Check(ctx, encryption.Database{Path: database, Prefix: in.EtcdPrefix})
		if err == nil {
			return unreadable, nil
		}
	}
	return Unreadable(ctx, in.Plan, config)
}

// Unreadable is what a configuration cannot read of what the etcd of a control plane
// has stored.
func Unreadable(ctx context.Context, p *plan.Plan, config *encryption.Config) ([]encryption.Unreadable, error) {
	client, err := p.EtcdAccess.Client(ctx)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return config.Check(ctx, encryption.Etcd{KV: client, Prefix: p.EtcdPrefix})
}

// checkPlugins asks the KMS plugins, all at once. The apiserver starts without them,
// and is not ready until they answer.
func checkPlugins(ctx context.Context, in input, config *encryption.Config) []Finding {
	ctx, cancel := context.WithTimeout(ctx, pluginTimeout)
	defer cancel()
	var found []Finding
	for _, p := range config.AskPlugins(ctx) {
		found = append(found, warning(in.EncryptionConfig.String(), "the KMS plugin "+p.Name+" "+p.Problem+": until it answers, what it encrypts can be neither read nor written",
			"start the plugin, or correct its endpoint "+p.Socket)...)
	}
	return found
}
