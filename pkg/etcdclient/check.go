// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// Check wants one member to answer with the agreement of most others, within
// MemberTimeout. It returns what is wrong, or nil.
func (c Config) Check(ctx context.Context, endpoint string) *Problem {
	ctx, cancel := context.WithTimeout(ctx, MemberTimeout)
	defer cancel()
	if err := c.check(ctx, endpoint); err != nil {
		return c.Explain(endpoint, err)
	}
	return nil
}

// errAnotherAnswered is why a member is not waited for any longer.
var errAnotherAnswered = errors.New("another member has answered")

// CheckAll is Check for several members, all at once; it returns what is wrong with each,
// or nil. Once one has answered, the others are waited for no longer than patience.
func (c Config) CheckAll(ctx context.Context, endpoints []string, patience time.Duration) []*Problem {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	problems := make([]*Problem, len(endpoints))
	var wg sync.WaitGroup
	for i, endpoint := range endpoints {
		wg.Go(func() {
			p := c.Check(ctx, endpoint)
			switch {
			case p == nil:
				time.AfterFunc(patience, func() { cancel(errAnotherAnswered) })
			case errors.Is(context.Cause(ctx), errAnotherAnswered):
				p = &Problem{endpoint, connerr.NoAnswer, "has not answered yet, and another member has", fix(connerr.NoAnswer)}
			}
			problems[i] = p
		})
	}
	wg.Wait()
	return problems
}

func (c Config) check(ctx context.Context, endpoint string) error {
	if err := c.Dial(ctx, endpoint); err != nil {
		return err
	}
	client, err := c.Client(ctx, endpoint)
	if err != nil {
		return err
	}
	defer client.Close()
	err = CheckQuorum(ctx, client)
	if errors.Is(err, errNoQuorum) && c.security(endpoint) == plain && speaksTLS(ctx, endpoint) {
		return &Problem{endpoint, connerr.Other, "wants TLS", "correct --etcd-servers: https:// in front of the first of them"}
	}
	return err
}

// speaksTLS reports whether a member that does not answer in plain words does so
// over TLS, whatever its certificate. It asks after ctx has ended too.
func speaksTLS(ctx context.Context, endpoint string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tlsTimeout)
	defer cancel()
	network, address, _ := interpret(endpoint)
	var certificate *tls.CertificateVerificationError
	conn, err := (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}}).DialContext(ctx, network, address)
	if err == nil {
		conn.Close()
	}
	return err == nil || errors.As(err, &certificate)
}

// tlsTimeout is how long speaksTLS waits for a member that is reachable.
const tlsTimeout = 500 * time.Millisecond

// errNoQuorum marks that a member answers, but not what it has to ask the others
// for.
var errNoQuorum = errors.New("no answer with the agreement of most members")

// CheckQuorum reads through the leader, as the apiserver's own check does: a
// member that cannot reach most others does not answer that. To be denied the
// key is an answer too.
func CheckQuorum(ctx context.Context, kv clientv3.KV) error {
	_, err := kv.Get(ctx, "health", clientv3.WithCountOnly())
	switch {
	case err == nil, errors.Is(err, rpctypes.ErrPermissionDenied):
		return nil
	case ctx.Err() != nil, isNoLeader(err):
		return fmt.Errorf("%w: %w", errNoQuorum, err)
	}
	return err
}

// isNoLeader reports whether a member says that it cannot reach most others.
func isNoLeader(err error) bool {
	for _, e := range []error{rpctypes.ErrNoLeader, rpctypes.ErrTimeout, rpctypes.ErrTimeoutDueToLeaderFail, rpctypes.ErrTimeoutDueToConnectionLost} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
