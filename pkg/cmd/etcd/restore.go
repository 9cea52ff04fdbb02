// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/client/pkg/v3/types"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/snapshot"
)

func newRestore() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "restore FILE|s3://BUCKET/KEY",
		Short: "Make etcd's data out of a snapshot",
		Long: `Make the data of the embedded etcd member out of a snapshot, on a controller
that does not run and has none. In a cluster, stop all controllers, restore one
and the same snapshot on each, and start them: the config file's controllers say
who is in it. Members that were restored from different snapshots, or from none,
do not join each other.

All that was in etcd when the snapshot was taken is there again. The revision is
raised by a thousand million, and all before is marked as compacted, so that
whoever watches lists anew.

Of what was saved with --with-pki, the files are laid down too, all or none; those
that are there already with the same content stay, and none is overwritten. It
takes the private key (--identity) or the passphrase.

With --data-dir, the data are those of a member of an external etcd: give each
member its own --name and --initial-advertise-peer-urls, and all the same file and
--initial-cluster, as etcdutl has them. Then start etcd there with the same flags.
The files of a pack are not laid down then.`,
		Example: `  sudo systemctl stop khw-controller
  sudo mv /var/lib/etcd/member /var/lib/etcd-old
  sudo khw-controller etcd snapshot restore /var/lib/khw-controller/snapshots/etcd-20261126T093012Z-r48211.db
  sudo systemctl start khw-controller
  sudo khw-controller etcd snapshot restore s3://backups/controller-0/etcd-20261126T093012Z-r48211.db
  sudo khw-controller etcd snapshot restore etcd-20261126T093012Z-r48211.db --data-dir /var/lib/etcd \
    --name etcd-0 --initial-advertise-peer-urls https://10.240.0.10:2380`,
		Args: oneFile,
	}
	external, keys := externalFlags(cmd), keyFlags(cmd)
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if external.DataDir != "" {
			c, err := load(cmd, &flags)
			if err != nil {
				return err
			}
			m, err := external.member()
			if err != nil {
				return err
			}
			return located(cmd.Context(), c, args[0], func(path string) error {
				return keys.opened(cmd, c, path, func(path string, _ []string) error {
					info, err := snapshot.Restore(path, m)
					return tellRestored(cmd, info, nil, m, err)
				})
			})
		}
		p, err := cli.Plan(cmd, &flags)
		if err != nil {
			return err
		}
		defer p.Close()
		if p.Etcd == nil {
			return cli.Usagef("--etcd-servers: this etcd is not embedded; stop it and restore on each of its machines, with --data-dir: see khw-controller etcd snapshot restore --help")
		}
		m := member(p)
		err = located(cmd.Context(), p.Config, args[0], func(path string) error {
			return keys.unpacked(cmd, p.Config, path, func(u *snapshot.Unpacked) error {
				if u == nil {
					info, err := snapshot.Restore(path, m)
					return tellRestored(cmd, info, nil, m, err)
				}
				info, made, err := snapshot.RestoreUnpacked(u, m, p.Path(paths.Change))
				return tellRestored(cmd, info, made, m, err)
			})
		})
		if err != nil {
			return err
		}
		if p.IsCluster() {
			fmt.Fprintf(cmd.OutOrStdout(), "Restore the same file on each of %s before any of them is started.\n", p.Controllers)
		}
		return nil
	}
	return cmd
}

func tellRestored(cmd *cobra.Command, info snapshot.Info, files []string, m snapshot.Member, err error) error {
	if err != nil {
		return err
	}
	for _, f := range files {
		fmt.Fprintf(cmd.OutOrStdout(), "restored %s\n", f)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "restored %d keys, up to revision %d, to %s\n", info.Keys, info.Revision, m.DataDir)
	return nil
}

// external is a member of an external etcd, as flags describe it.
type external struct {
	snapshot.Member
}

// externalFlags adds the flags of etcdutl's that describe a member.
func externalFlags(cmd *cobra.Command) *external {
	m := &external{}
	cmd.Flags().StringVar(&m.DataDir, "data-dir", "", "The data `directory` of a member of an external etcd.")
	cmd.Flags().StringVar(&m.WALDir, "wal-dir", "", "The `directory` of its log, where that is elsewhere.")
	cmd.Flags().StringVar(&m.Name, "name", "", "Its `name`.")
	cmd.Flags().StringSliceVar(&m.PeerURLs, "initial-advertise-peer-urls", nil, "Where the other members reach it: `URL,...`")
	cmd.Flags().StringVar(&m.InitialCluster, "initial-cluster", "", "All members: `name=URL,...` (default that one)")
	cmd.Flags().StringVar(&m.Token, "initial-cluster-token", "etcd-cluster-0", "The `token` of the cluster, the lab's.")
	return m
}

func (m *external) member() (snapshot.Member, error) {
	if _, err := types.NewURLs(m.PeerURLs); err != nil || m.Name == "" {
		return snapshot.Member{}, cli.Usagef("--data-dir is of a member of an external etcd; say which: --name etcd-0 --initial-advertise-peer-urls https://10.240.0.10:2380")
	}
	if m.InitialCluster == "" {
		var all []string
		for _, u := range m.PeerURLs {
			all = append(all, m.Name+"="+u)
		}
		m.InitialCluster = strings.Join(all, ",")
	}
	return m.Member, nil
}

// member is the embedded member as a snapshot is restored for it.
func member(p *plan.Plan) snapshot.Member {
	m := snapshot.Member{
		Name: p.Etcd.Name, InitialCluster: p.Etcd.InitialCluster, Token: p.Etcd.InitialClusterToken,
		DataDir: p.Etcd.Dir, WALDir: p.Etcd.WalDir, Lock: p.Path(paths.Lock),
	}
	for _, u := range p.Etcd.AdvertisePeerUrls {
		m.PeerURLs = append(m.PeerURLs, u.String())
	}
	for _, urls := range [][]url.URL{p.Etcd.ListenClientUrls, p.Etcd.ListenPeerUrls} {
		for _, u := range urls {
			m.Listen = append(m.Listen, u.Host)
		}
	}
	return m
}
