// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// lookAtEtcd wants every member healthy, one leader and no alarm.
func lookAtEtcd(ctx context.Context, t Target) observation {
	config, bad := t.Etcd.tls()
	if bad != nil {
		return observation{findings: []Finding{*bad}}
	}
	asked := askMembers(ctx, t.Etcd.Servers, config)
	asked = append(asked, askMembers(ctx, notAsked(asked), config)...)
	return judgeEtcd(asked)
}

// tls returns how members are spoken to with TLS.
func (e Etcd) tls() (*tls.Config, *Finding) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if e.CA != "" {
		ca, err := os.ReadFile(e.CA)
		if err != nil {
			return nil, &Finding{oneLine(err), "correct --kube-apiserver-arg etcd-cafile, or run as a user who can read it"}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, &Finding{e.CA + " holds no certificate", "correct --kube-apiserver-arg etcd-cafile"}
		}
	}
	if e.Cert != "" {
		pair, err := tls.LoadX509KeyPair(e.Cert, e.Key)
		if err != nil {
			return nil, &Finding{"the client certificate for etcd: " + oneLine(err), "correct --kube-apiserver-arg etcd-certfile and etcd-keyfile, or run as a user who can read them"}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// etcdClient returns a client for some members.
func etcdClient(ctx context.Context, servers []string, config *tls.Config) (*clientv3.Client, error) {
	if !slices.ContainsFunc(servers, func(s string) bool { return strings.HasPrefix(s, "https://") }) {
		config = nil
	}
	return clientv3.New(clientv3.Config{Endpoints: servers, TLS: config, Context: ctx, Logger: zap.NewNop()})
}

// judgeEtcd judges what all members said.
func judgeEtcd(asked []member) (o observation) {
	leaders := map[uint64]bool{}
	listed := map[uint64]*etcdserverpb.Member{}
	told := map[string]bool{}
	for _, m := range asked {
		if m.finding != nil {
			o.findings = append(o.findings, *m.finding)
		}
		for _, other := range m.members {
			listed[other.ID] = other
		}
		if m.status == nil {
			continue
		}
		leaders[m.status.Leader] = true
		for _, trouble := range m.status.Errors {
			if !told[trouble] { // alarms are the whole cluster's
				told[trouble] = true
				o.find("etcd says: "+strings.TrimSpace(trouble), nextForTrouble(trouble))
			}
		}
	}
	for _, m := range asked {
		if m.status != nil {
			o.output = append(o.output, m.line(listed))
		}
	}
	if len(leaders) > 1 {
		o.find("the members do not agree on a leader", "see whether tcp 2380 is open between all controllers, and run this again")
	}
	for _, id := range slices.Sorted(maps.Keys(listed)) {
		switch other := listed[id]; {
		case other.Name == "":
			o.find(fmt.Sprintf("the member at %s was added and has never been started", strings.Join(other.PeerURLs, ",")), "start it, or remove it with etcdctl member remove")
		case other.IsLearner:
			o.find("the member "+other.Name+" is a learner, which does not vote", "etcdctl member promote, once it has caught up")
		}
	}
	return o
}

func nextForTrouble(trouble string) string {
	switch {
	case strings.Contains(trouble, "NOSPACE"):
		return "etcdctl compact and defrag, or raise --etcd-arg quota-backend-bytes, then etcdctl alarm disarm"
	case strings.Contains(trouble, "CORRUPT"):
		return "remove the member, and add it anew with an empty data directory"
	case strings.Contains(trouble, "no leader"):
		return "start the other members: etcd needs more than half of them"
	}
	return "see etcd's log: journalctl -u etcd, or journalctl -u khw-controller where it is embedded"
}
