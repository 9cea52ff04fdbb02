// SPDX-License-Identifier: Apache-2.0

// Package bundle makes what the controllers of a cluster are given before their
// first start: the lab's files of chapters 04 to 06 under the lab's names and the
// config file, in one directory for all of them or in one for each. One that is
// there is added to: another controller, another name that the apiserver is reached
// by. Nothing that is there is overwritten.
package bundle

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// apiServerPort is where the controllers' apiservers listen, as in the lab.
const apiServerPort = 6443

// Request is what a bundle is to be good for.
type Request struct {
	// Dir is the bundle's directory; "" for a new one that is not written to any.
	Dir string
	// PerNode makes a directory for each controller, below Dir and of its name, with
	// keys that no other one has, but for what they have to share.
	PerNode bool
	// Controllers are those to be there; those in the bundle stay.
	Controllers controllers.List
	// PublicAddresses are names and addresses at which the apiservers are reached
	// together: a balancer's, a virtual address.
	PublicAddresses []string
	// ServiceRange is the service range; "" for the bundle's, or the lab's.
	ServiceRange string
	// KeyAlgorithm is that of keys that are made.
	KeyAlgorithm pki.KeyAlgorithm
	// Profiles are those that the config file is to name; none: as it is, or none.
	Profiles []string
	// Authority signs; nil for the bundle's, or one that is made.
	Authority *pki.Authority
}

// Bundle is a bundle as it is to become.
type Bundle struct {
	dir string
	// Controllers are all that it is for.
	Controllers controllers.List
	// Changes are what makes it so.
	Changes []pki.Change
	// Warnings are what is allowed, and unwise.
	Warnings []string

	cluster *pki.Cluster
}

// New reads what is in the directory and returns what is to be made there. It
// writes nothing. A bundle of another cluster, or of another kind, is an error.
func New(r Request, now time.Time) (*Bundle, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.Dir != "" && atomicfiles.Interrupted(journal(r.Dir)) {
		return nil, fmt.Errorf("%s: a change of this bundle was interrupted; the same command without --dry-run finishes it", journal(r.Dir))
	}
	there, err := read(r.Dir, r.PerNode)
	if err != nil {
		return nil, err
	}
	all, err := merge(there.controllers, r.Controllers)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there is no bundle to add to; name the controllers: --controllers controller-0=10.240.0.10,…", r.Dir)
	}
	if r.ServiceRange, err = there.serviceRange(r.ServiceRange); err != nil {
		return nil, err
	}
	b := &Bundle{dir: r.Dir, Controllers: all, cluster: there.cluster}
	if len(all)%2 == 0 {
		b.Warnings = append(b.Warnings, fmt.Sprintf("%d controllers: an even number bears the loss of no more of them than %d would; etcd wants an odd one", len(all), len(all)-1))
	}
	if err := b.prepare(r, now); err != nil {
		return nil, err
	}
	for _, n := range there.nodes(all) {
		changes, err := n.converge(b.cluster, r, there, now)
		if err != nil {
			return nil, err
		}
		b.Changes = append(b.Changes, changes...)
	}
	return b, nil
}

// prepare makes the cluster's shared keys, or sees that those in the bundle are the
// ones wanted.
func (b *Bundle) prepare(r Request, now time.Time) (err error) {
	if b.cluster == nil {
		b.cluster, err = pki.NewCluster(r.Authority, r.KeyAlgorithm, now)
		return err
	}
	if r.Authority != nil && !b.cluster.Uses(r.Authority) {
		return fmt.Errorf("--ca: %s holds a bundle of another CA; leave out --ca and --ca-key to add to it, or use another directory", r.Dir)
	}
	return nil
}

// Pending counts the files that are to be written.
func (b *Bundle) Pending() int { return len(pki.Changed(b.Changes)) }

// Write makes all changes or none.
func (b *Bundle) Write(now time.Time) error {
	if b.Pending() == 0 {
		return nil
	}
	return atomicfiles.Write(journal(b.dir), pki.Changed(b.Changes), now)
}

// Finish finishes a Write that was interrupted, and returns the files that it put
// in place.
func Finish(dir string) ([]string, error) { return atomicfiles.Finish(journal(dir)) }

func journal(dir string) string { return filepath.Join(dir, filepath.Base(string(paths.Change))) }

func (r Request) check() error {
	for _, host := range r.PublicAddresses {
		if err := checkPublic(host); err != nil {
			return err
		}
	}
	if r.ServiceRange != "" {
		if _, err := pki.ServiceIP(r.ServiceRange); err != nil {
			return err
		}
	}
	return nil
}

// checkPublic wants a name or an address that a client can use.
func checkPublic(host string) error {
	const flag = "--public-address"
	if ip := net.ParseIP(host); ip != nil {
		if ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() {
			return fmt.Errorf("%s %q: other machines cannot reach the balancer there; want its address or its DNS name", flag, host)
		}
		return nil
	}
	if name, port, err := net.SplitHostPort(host); err == nil && !strings.ContainsRune(port, '/') {
		return fmt.Errorf("%s %q: a certificate names no port; write %s, without :%s", flag, host, name, port)
	}
	if problems := validation.IsDNS1123Subdomain(host); len(problems) > 0 {
		return fmt.Errorf("%s %q is neither an IP address nor a DNS name; want 203.0.113.10 or k8s.example.com", flag, host)
	}
	return nil
}

// merge adds to the controllers of a bundle. The same one may be named again.
func merge(there, more controllers.List) (controllers.List, error) {
	var items []string
	for _, c := range slices.Concat(there, more) {
		if !slices.Contains(items, c.String()) {
			items = append(items, c.String())
		}
	}
	all, err := controllers.Parse(items)
	if err != nil {
		return nil, fmt.Errorf("--controllers, with those of the bundle: %w", err)
	}
	return all, nil
}
