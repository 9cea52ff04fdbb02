// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"

	"github.com/khw-controller/khw-controller/pkg/component/etcd"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// checkControllers warns of a number of controllers that bears no more failures
// than one less.
func checkControllers(in input) []Finding {
	n := len(in.Controllers)
	if n == 0 || n%2 == 1 || in.Etcd == nil {
		return nil
	}
	return warning("--controllers", fmt.Sprintf("%d etcd members bear the loss of %d, as %d do", n, (n-1)/2, n-1), "use an odd number")
}

// checkEtcdData reads the embedded member's data as etcd will: damage is found
// here, before anything is served, and so are data that are another member's.
func checkEtcdData(in input) []Finding {
	if in.Etcd == nil {
		return nil
	}
	data, err := etcd.ReadData(in.Etcd)
	if err != nil {
		return failure(in.Etcd.Dir, "etcd's data are damaged: "+err.Error(), in.RepairEtcd())
	}
	i := slices.IndexFunc(data.Members, func(m membership.Member) bool { return m.ID == data.Member })
	if i < 0 {
		return nil // none yet, or a new member that has not been told of itself
	}
	if !in.IsCluster() {
		return checkAlone(in, data)
	}
	own := data.Members[i]
	for _, c := range in.Controllers {
		if c != in.Self && slices.Contains(own.PeerURLs, etcd.PeerURL(c)) {
			return failure(in.Etcd.Dir, fmt.Sprintf("holds a copy of the data of %s, and two members with one identity damage the cluster", c.Name),
				fmt.Sprintf("move it away (mv %s/member %s-copy); this controller, %s, gets its data from the others: khw-controller etcd member list on %s says whether it is a member",
					in.Etcd.Dir, in.Etcd.Dir, in.Self.Name, c.Name))
		}
	}
	return nil
}

// checkAlone wants the data of a controller that is to be alone to be of a member
// that is.
func checkAlone(in input, data etcd.Data) []Finding {
	var others []string
	for _, m := range data.Members {
		if m.ID != data.Member {
			others = append(others, m.Name)
		}
	}
	if len(others) == 0 || slices.ContainsFunc(in.Config.EtcdArgs, func(o lab.Override) bool { return o.Name == "initial-cluster" }) {
		return nil
	}
	slices.Sort(others)
	return failure(in.Etcd.Dir, "holds the data of a member of a cluster, with "+strings.Join(others, " and "),
		"set --controllers as on the others, or move the data away")
}
