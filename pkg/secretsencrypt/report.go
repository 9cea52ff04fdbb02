// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/peers"
)

// Report is what a controller tells of its encryption configuration, without a key.
type Report struct {
	// Controller is its name, and Address where its apiserver is, host:port.
	Controller string `json:"controller"`
	Address    string `json:"address"`
	// File and InForce are the hashes of what its file holds, and of what its apiserver
	// uses; empty where there is none.
	File    string `json:"file"`
	InForce string `json:"inForce"`
	// Providers are what it has in its file, by name, each as resources: providers.
	Providers []string `json:"providers"`
	// Phase is the phase of the rotation that it has seen last, and Problem why it cannot
	// follow there.
	Phase   Phase  `json:"phase,omitempty"`
	Problem string `json:"problem,omitempty"`

	// At is when it was written, by its own clock, and Lease its object in kube-system.
	At    time.Time `json:"-"`
	Lease string    `json:"-"`
}

const (
	// reportLabel is on the Leases that are reports.
	reportLabel = "khw-controller/report"
	// reportAnnotation holds the report.
	reportAnnotation = "khw-controller/encryption-config"
	// reportEvery is how often a report is renewed, and reportGood how long it is good.
	reportEvery = 15 * time.Second
	reportGood  = 60 * time.Second
)

// leaseName is a controller's report.
func leaseName(address string) string {
	return Name + "-" + strings.Trim(strings.NewReplacer(".", "-", ":", "-", "[", "", "]", "").Replace(address), "-")
}

// write has the cluster hold the report.
func (r Report) write(ctx context.Context, client kubernetes.Interface, now time.Time) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	leases := client.CoordinationV1().Leases(metav1.NamespaceSystem)
	name := leaseName(r.Address)
	set := func(l *coordinationv1.Lease) {
		metav1.SetMetaDataLabel(&l.ObjectMeta, reportLabel, "secrets-encrypt")
		metav1.SetMetaDataAnnotation(&l.ObjectMeta, reportAnnotation, string(data))
		l.Spec.HolderIdentity = &r.Controller
		l.Spec.LeaseDurationSeconds = ptr.To(int32(reportGood / time.Second))
		l.Spec.RenewTime = &metav1.MicroTime{Time: now}
	}
	there, err := leases.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		made := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceSystem}}
		set(made)
		_, err = leases.Create(ctx, made, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	set(there)
	_, err = leases.Update(ctx, there, metav1.UpdateOptions{})
	return err
}

// reports are what all controllers have told, and who serves.
type reports struct {
	all []Report
	// serving are the apiservers that the service kubernetes leads to.
	serving []string
	// configured are the controllers that the configuration names; none where it does not.
	configured controllers.List
	now        time.Time
}

// readReports returns the reports of all controllers, by their names.
func readReports(ctx context.Context, client kubernetes.Interface, configured controllers.List, now time.Time) (reports, error) {
	found := reports{configured: configured, now: now}
	leases, err := client.CoordinationV1().Leases(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: reportLabel})
	if err != nil {
		return found, err
	}
	for _, l := range leases.Items {
		r := Report{Lease: l.Name}
		if json.Unmarshal([]byte(l.Annotations[reportAnnotation]), &r) != nil || l.Spec.RenewTime == nil {
			return found, fmt.Errorf("the Lease kube-system/%s is not a report; delete it, and its controller writes another", l.Name)
		}
		r.At = l.Spec.RenewTime.Time
		found.all = append(found.all, r)
	}
	slices.SortFunc(found.all, func(a, b Report) int { return strings.Compare(a.Controller+a.Address, b.Controller+b.Address) })
	found.serving, err = peers.APIServers(ctx, client)
	return found, err
}

// stale reports whether a report is too old to say how its controller is.
func (f reports) stale(r Report) bool { return f.now.Sub(r.At) > reportGood }

// isConfigured reports whether a report is of one of the configured controllers.
func (f reports) isConfigured(r Report) bool {
	return slices.ContainsFunc(f.configured, func(c controllers.Controller) bool { return isOf(r, c) })
}

func isOf(r Report, c controllers.Controller) bool {
	if r.Controller == c.Name {
		return true
	}
	a, err := netip.ParseAddrPort(r.Address)
	return err == nil && a.Addr().Unmap() == c.Address
}

// missing says of each controller that has not reported, or not for a while, what to
// do. One that is stopped counts: it would come back with what it has.
func (f reports) missing() []string {
	var out []string
	for _, c := range f.configured {
		if !slices.ContainsFunc(f.all, func(r Report) bool { return isOf(r, c) }) {
			out = append(out, fmt.Sprintf("%s (%s) has not reported its encryption configuration: start khw-controller there", c.Name, c.Address))
		}
	}
	for _, address := range f.serving {
		if !slices.ContainsFunc(f.all, func(r Report) bool { return r.Address == address }) {
			out = append(out, fmt.Sprintf("the apiserver at %s has not reported its encryption configuration: it has to be run by a khw-controller of this version", address))
		}
	}
	for _, r := range f.all {
		if !f.stale(r) || len(f.configured) > 0 && !f.isConfigured(r) {
			continue
		}
		out = append(out, fmt.Sprintf("%s (%s) has not reported for %s: start khw-controller there, or, if it is gone for good, khw-controller kubectl delete lease -n kube-system %s",
			r.Controller, r.Address, f.now.Sub(r.At).Round(time.Second), r.Lease))
	}
	return out
}

// counting are the reports that count: all but those of controllers that are none any
// more.
func (f reports) counting() []Report {
	return slices.DeleteFunc(slices.Clone(f.all), func(r Report) bool {
		return f.stale(r) && len(f.configured) > 0 && !f.isConfigured(r)
	})
}

// names lists controllers for a line.
func names(all []Report) string {
	var out []string
	for _, r := range all {
		out = append(out, r.Controller)
	}
	return strings.Join(out, ", ")
}
