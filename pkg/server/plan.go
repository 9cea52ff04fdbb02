// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/khw-controller/khw-controller/pkg/activation"
	"github.com/khw-controller/khw-controller/pkg/address"
	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/component/controllermanager"
	"github.com/khw-controller/khw-controller/pkg/component/etcd"
	"github.com/khw-controller/khw-controller/pkg/component/scheduler"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// Plan is what `run` will do: every setting of every component in force.
type Plan struct {
	// Config is what the user asked for.
	Config *config.Config
	// Address is what the apiserver advertises.
	Address address.Result
	// Settings are each component's flags in the lab's order.
	Settings map[lab.Component][]lab.Setting
	// Dropped are each component's flags that are given up.
	Dropped map[lab.Component][]lab.Dropped
	// Notices are lines for the user about old spellings.
	Notices []string
	// Etcd is the embedded member, or nil with external ones.
	Etcd *embed.Config
	// Files are the lab's files where the flags have them.
	Files pki.Files
	// HealthSocket is systemd's socket for health checks, or nil.
	HealthSocket *activation.Socket

	apiServer         *apiserver.Options
	controllerManager *controllermanager.Options
	scheduler         *scheduler.Options
	documents         []document // that options refer to
}

// labDir is where the lab keeps its files.
const labDir = "/var/lib/kubernetes"

// etcdDir is where lab chapter 07 keeps etcd's data.
const etcdDir = "/var/lib/etcd"

// NewPlan resolves and parses everything that c asks for. It reads files but
// neither writes any nor starts anything; an error names the flag or key that
// is wrong.
func NewPlan(ctx context.Context, c *config.Config) (*Plan, error) {
	p := &Plan{Config: c, Settings: map[lab.Component][]lab.Setting{}, Dropped: map[lab.Component][]lab.Dropped{}}
	if err := p.resolve(ctx); err != nil {
		return nil, err
	}
	return p, p.parse()
}

// resolve fills in Settings: the lab's flags with the user's over them.
func (p *Plan) resolve(ctx context.Context) error {
	overrides, err := processWide(p.Config)
	if err != nil {
		return err
	}
	if err := p.findAddress(ctx, overrides[lab.APIServer]); err != nil {
		return err
	}
	values := lab.Values{Root: p.Config.Root, AdvertiseAddress: p.Address.IP.String(), EtcdServers: p.Config.EtcdServers}
	for _, c := range lab.Components() {
		r, err := lab.Resolve(c, values, overrides[c])
		if err != nil {
			return err
		}
		p.Settings[c], p.Dropped[c] = r.Settings, r.Dropped
		p.Notices = append(p.Notices, r.Notices...)
	}
	p.Files = p.files()
	lab.LookUpCallersWith(p.Files.ControllerManagerKubeconfig, p.Files.CA, p.Settings[lab.ControllerManager])
	if lab.Get(p.Settings[lab.APIServer], "etcd-servers") == "" {
		return p.embedEtcd()
	}
	if len(p.Config.EtcdArgs) > 0 {
		return fmt.Errorf("--etcd-arg %s is for the embedded etcd, which --etcd-servers replaces; remove one of the two", p.Config.EtcdArgs[0].Name)
	}
	return nil
}

func (p *Plan) findAddress(ctx context.Context, overrides []lab.Override) error {
	given, source := p.Config.AdvertiseAddress, "--advertise-address"
	for _, o := range overrides {
		if o.Name == "advertise-address" {
			given, source = o.Value, "--kube-apiserver-arg advertise-address"
		}
	}
	if given == "" {
		found, err := address.Detect(ctx)
		p.Address = found
		return err
	}
	ip := net.ParseIP(given)
	if ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		return fmt.Errorf("%s %q: want an IP address at which other machines reach this one, neither loopback nor 0.0.0.0", source, given)
	}
	p.Address = address.Result{IP: ip, Source: source}
	return nil
}

// embeddedEtcd is the source of --etcd-servers when the member is our own.
const embeddedEtcd = "embedded etcd"

// embedEtcd plans a member of our own, and points the apiserver at it.
func (p *Plan) embedEtcd() error {
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("naming the etcd member: %w", err)
	}
	name, _, _ = strings.Cut(name, ".")
	settings := etcd.Defaults(name, p.Config.Path(etcdDir), etcd.TLS{
		CertFile: p.Files.Cert, KeyFile: p.Files.Key, CAFile: p.Files.CA,
	})
	for _, o := range p.Config.EtcdArgs {
		settings = append(settings, etcd.Setting{Name: o.Name, Value: o.Value})
	}
	if p.Etcd, err = etcd.Configure(settings); err != nil {
		return err
	}
	settingsOfAPIServer := p.Settings[lab.APIServer]
	for i, s := range settingsOfAPIServer {
		if s.Name == "etcd-servers" {
			settingsOfAPIServer[i].Value = strings.Join(etcd.Endpoints(p.Etcd), ",")
			settingsOfAPIServer[i].Source = embeddedEtcd
		}
	}
	return nil
}

// parse hands the settings to the components' own flag sets.
func (p *Plan) parse() (err error) {
	if p.apiServer, err = apiserver.Parse(lab.Argv(p.Settings[lab.APIServer])); err != nil {
		return err
	}
	if p.controllerManager, err = controllermanager.Parse(lab.Argv(p.Settings[lab.ControllerManager])); err != nil {
		return err
	}
	argv, err := p.schedulerArgv()
	if err != nil {
		return err
	}
	p.scheduler, err = scheduler.Parse(argv)
	return err
}

func (p *Plan) files() pki.Files {
	api, kcm := p.Settings[lab.APIServer], p.Settings[lab.ControllerManager]
	f := pki.FilesIn(p.Config.Path(labDir))
	f.CA = lab.Get(api, "client-ca-file")
	f.CAKey = lab.Get(kcm, "cluster-signing-key-file")
	f.Cert = lab.Get(api, "tls-cert-file")
	f.Key = lab.Get(api, "tls-private-key-file")
	f.ServiceAccount = lab.Get(api, "service-account-key-file")
	f.ServiceAccountKey = lab.Get(api, "service-account-signing-key-file")
	f.EncryptionConfig = lab.Get(api, "encryption-provider-config")
	f.ControllerManagerKubeconfig = lab.Get(kcm, "kubeconfig")
	return f
}
