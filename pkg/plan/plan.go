// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/khw-controller/khw-controller/pkg/activation"
	"github.com/khw-controller/khw-controller/pkg/address"
	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/component/controllermanager"
	"github.com/khw-controller/khw-controller/pkg/component/etcd"
	"github.com/khw-controller/khw-controller/pkg/component/scheduler"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/machine"
	"github.com/khw-controller/khw-controller/pkg/memfd"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// Plan is what `run` will do: every setting of every component in force.
type Plan struct {
	// Config is what the user requested.
	Config *config.Config
	// Controllers are the cluster's, none where --controllers does not say, and Self
	// is which of them this machine is.
	Controllers controllers.List
	Self        controllers.Controller
	// Address is what the apiserver advertises.
	Address address.Result
	// Flags are each component's flags, in the lab's order.
	Flags map[lab.Component][]lab.Setting
	// Dropped are each component's flags that are given up.
	Dropped map[lab.Component][]lab.Dropped
	// Notices are lines for the user about old spellings.
	Notices []string

	// APIServer, ControllerManager and Scheduler are the parsed flags.
	APIServer         *apiserver.Options
	ControllerManager *controllermanager.Options
	Scheduler         *scheduler.Options
	// Etcd is the embedded member, or nil with external ones.
	Etcd *embed.Config

	// Files are the lab's files where the flags have them.
	Files pki.Files
	// Settings are the values that more than one part of the program acts on.
	Settings
	// HealthSocket is systemd's socket for health checks, or nil.
	HealthSocket *activation.Socket
	// Machine is what the process has of the machine.
	Machine machine.Size
	// HealthGrace is how long a yes to a health check stands for.
	HealthGrace time.Duration
	// MemoryLimit is Go's memory limit in bytes, or 0 where there is none or the user
	// has set it.
	MemoryLimit int64
	// GCPercent is Go's GOGC at rest, or 0 where the user has set that.
	GCPercent int

	documents       []memfd.File // that options refer to
	schedulerConfig []byte       // the content of the scheduler's
}

// New resolves and parses everything that c requests. It reads files but neither
// writes any nor starts anything; an error names the flag or key that is wrong. A
// Plan that is not carried out has to be closed.
func New(ctx context.Context, c *config.Config) (*Plan, error) {
	p := &Plan{Config: c, Machine: machine.Here(), HealthGrace: max(0, c.HealthzGrace), Flags: map[lab.Component][]lab.Setting{}, Dropped: map[lab.Component][]lab.Dropped{}}
	if err := p.resolve(ctx); err != nil {
		return nil, err
	}
	if err := p.parse(); err != nil {
		p.Close()
		return nil, err
	}
	p.Settings = p.settings()
	if err := p.refusePipes(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Path returns where a path of the lab is here.
func (p *Plan) Path(path paths.Path) string { return path.Below(p.Config.Root) }

// Close gives back what a plan holds that is not carried out.
func (p *Plan) Close() {
	for _, d := range p.documents {
		d.Close()
	}
	p.documents = nil
}

// resolve fills in Flags: the lab's flags with the user's over them.
func (p *Plan) resolve(ctx context.Context) error {
	overrides, err := processWide(p.Config)
	if err != nil {
		return err
	}
	if err := p.findSelf(); err != nil {
		return err
	}
	if err := p.findAddress(ctx, overrides[lab.APIServer]); err != nil {
		return err
	}
	if err := p.applyProfiles(overrides); err != nil {
		return err
	}
	values := lab.Values{Root: p.Config.Root, AdvertiseAddress: p.Address.IP.String(), EtcdServers: p.Config.EtcdServers}
	for _, c := range lab.Components() {
		r, err := lab.Resolve(c, values, overrides[c])
		if err != nil {
			return err
		}
		p.Flags[c], p.Dropped[c] = r.Settings, r.Dropped
		p.Notices = append(p.Notices, r.Notices...)
	}
	p.Files = p.files()
	lab.LookUpCallersWith(p.Files.ControllerManagerKubeconfig, p.Files.CA, p.Flags[lab.ControllerManager])
	if lab.Get(p.Flags[lab.APIServer], "etcd-servers") == "" {
		return p.embedEtcd()
	}
	if len(p.Config.EtcdArgs) > 0 {
		return fmt.Errorf("--etcd-arg %s is for the embedded etcd, which --etcd-servers replaces; remove one of the two", p.Config.EtcdArgs[0].Name)
	}
	return nil
}

func (p *Plan) findAddress(ctx context.Context, overrides []lab.Override) error {
	requested, source := p.Config.AdvertiseAddress, "--advertise-address"
	for _, o := range overrides {
		if o.Name == "advertise-address" {
			requested, source = o.Value, "--kube-apiserver-arg advertise-address"
		}
	}
	if requested == "" && p.Self.Name != "" {
		p.Address = address.Result{IP: p.Self.Address.AsSlice(), Source: "--controllers"}
		return nil
	}
	if requested == "" {
		found, err := address.Detect(ctx)
		p.Address = found
		return err
	}
	ip := net.ParseIP(requested)
	if !ip.IsGlobalUnicast() {
		return fmt.Errorf("%s %q: want an IP address at which other machines reach this one, which is neither loopback, link-local, multicast nor 0.0.0.0", source, requested)
	}
	p.Address = address.Result{IP: ip, Source: source}
	return nil
}

// FromEmbeddedEtcd is the source of --etcd-servers when the member is our own.
const FromEmbeddedEtcd = "embedded etcd"

// embedEtcd plans a member of our own, and points the apiserver at it.
func (p *Plan) embedEtcd() error {
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("naming the etcd member: %w", err)
	}
	name, _, _ = strings.Cut(name, ".")
	tls := etcd.TLS{CertFile: p.Files.Cert, KeyFile: p.Files.Key, CAFile: p.Files.CA}
	settings := etcd.Defaults(name, p.Path(paths.EtcdDir), tls)
	if p.IsCluster() {
		settings = etcd.ClusterDefaults(p.Self, p.Controllers, p.Path(paths.EtcdDir), tls)
	}
	for _, o := range append(yieldToTLS13(p.profile(profile.Etcd), p.Config.EtcdArgs), p.Config.EtcdArgs...) {
		settings = append(settings, etcd.Setting{Name: o.Name, Value: o.Value})
	}
	if p.Etcd, err = etcd.Configure(settings); err != nil {
		return err
	}
	flags := p.Flags[lab.APIServer]
	for i, s := range flags {
		if s.Name == "etcd-servers" {
			flags[i].Value = strings.Join(etcd.Endpoints(p.Etcd), ",")
			flags[i].Source = FromEmbeddedEtcd
		}
	}
	return nil
}

// parse hands the flags to the components' own flag sets.
func (p *Plan) parse() (err error) {
	if p.APIServer, err = apiserver.Parse(lab.Argv(p.Flags[lab.APIServer])); err != nil {
		return err
	}
	if p.ControllerManager, err = controllermanager.Parse(lab.Argv(p.Flags[lab.ControllerManager])); err != nil {
		return err
	}
	argv, err := p.schedulerArgv()
	if err != nil {
		return err
	}
	p.Scheduler, err = scheduler.Parse(argv)
	return err
}

// files are the lab's files where the flags have them; what no flag names is
// where the lab has it.
func (p *Plan) files() pki.Files {
	api, kcm := p.Flags[lab.APIServer], p.Flags[lab.ControllerManager]
	return pki.Files{
		CA:                          lab.Get(api, "client-ca-file"),
		CAKey:                       lab.Get(kcm, "cluster-signing-key-file"),
		Cert:                        lab.Get(api, "tls-cert-file"),
		Key:                         lab.Get(api, "tls-private-key-file"),
		ServiceAccount:              lab.Get(api, "service-account-key-file"),
		ServiceAccountKey:           lab.Get(api, "service-account-signing-key-file"),
		EncryptionConfig:            p.labEncryptionConfig(),
		ControllerManagerKubeconfig: lab.Get(kcm, "kubeconfig"),
		SchedulerKubeconfig:         p.Path(paths.SchedulerKubeconfig),
		AdminKubeconfig:             p.Path(paths.AdminKubeconfig),
	}
}

// labEncryptionConfig is where the lab's encryption configuration is or is to be
// made; "" where the user has one of their own in another place. It belongs to no
// other file of the lab's.
func (p *Plan) labEncryptionConfig() string {
	path := lab.Get(p.Flags[lab.APIServer], "encryption-provider-config")
	if path != p.Path(paths.EncryptionConfig) {
		if _, err := os.Stat(path); err == nil {
			return ""
		}
	}
	return path
}
