// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/drift"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// CA is a rotation of the CA that is going on here, and how it is asked after.
type CA struct {
	*certs.CARotation
	cluster *Cluster
	plan    *plan.Plan
	probe   *probe
}

// OpenCA finds the controllers.
func OpenCA(ctx context.Context, p *plan.Plan, r *certs.CARotation) (*CA, error) {
	if !r.Next.HasKey() {
		return nil, fmt.Errorf("%s is missing: without it, nobody can be asked whether it trusts the next CA", p.Path(paths.NextCAKey))
	}
	cluster, err := find(ctx, p, r.Client)
	if err != nil {
		return nil, err
	}
	cluster.addMembers(r.Trusts)
	if p.Etcd == nil && r.Trusts(p.EtcdAccess.CAFile) {
		cluster.Controllers = append(cluster.Controllers, Controller{Name: "etcd", External: true, Etcd: slices.DeleteFunc(slices.Clone(p.EtcdAccess.Endpoints), isPlain)})
	}
	ca := &CA{CARotation: r, cluster: cluster, plan: p}
	ca.probe, err = newProbe(r, cluster.config.CAData)
	return ca, err
}

// isPlain reports whether nobody shows a certificate at a URL.
func isPlain(url string) bool { return !strings.HasPrefix(url, "https://") }

// Others names all controllers but this one.
func (c *CA) Others() []string { return c.cluster.Others() }

// Evidence asks all of them.
func (c *CA) Evidence(ctx context.Context) []Evidence {
	return c.probe.evidence(ctx, c.cluster.Controllers)
}

// MaySign returns why the next CA may not sign yet, or nil: every apiserver has to
// believe what it signs for kubelets, who show nothing else. The controllers
// themselves show that the old CA has signed the next one.
func (c *CA) MaySign(evidence []Evidence) error {
	var reasons []string
	for _, e := range evidence {
		switch {
		case e.Etcd || e.Trusts:
		case e.Problem != "":
			reasons = append(reasons, fmt.Sprintf("%s (%s) %s", e.Controller, e.Of, e.Problem))
		default:
			reasons = append(reasons, fmt.Sprintf("%s (%s) does not trust it", e.Controller, e.Of))
		}
	}
	return refused("the next CA signs when every controller trusts it", reasons)
}

// OnlyHere reports whether nothing but this controller, which takes its files over in
// a moment, speaks against MaySign.
func (c *CA) OnlyHere(evidence []Evidence) bool {
	others := slices.DeleteFunc(slices.Clone(evidence), func(e Evidence) bool { return e.Here && e.Problem == "" })
	return c.MaySign(others) == nil
}

// MayFinish returns why the old CA may not be given up yet, or nil.
func (c *CA) MayFinish(ctx context.Context, evidence []Evidence) error {
	var reasons []string
	for _, e := range evidence {
		switch {
		case e.Problem != "":
			reasons = append(reasons, fmt.Sprintf("%s (%s) %s", e.Controller, e.Of, e.Problem))
		case e.External && (!e.Shows || !e.Trusts):
			reasons = append(reasons, fmt.Sprintf("%s, which has the old CA too, has to trust the next one and to have a certificate of it, by its own files", e.Of))
		case !e.Shows:
			reasons = append(reasons, fmt.Sprintf("%s (%s) shows a certificate of the old CA; there: khw-controller certs rotate-ca", e.Controller, e.Of))
		case !e.Trusts && e.Etcd:
			reasons = append(reasons, fmt.Sprintf("%s (%s) does not trust the next CA; there: systemctl restart khw-controller", e.Controller, e.Of))
		case !e.Trusts:
			reasons = append(reasons, fmt.Sprintf("%s (%s) does not trust the next CA", e.Controller, e.Of))
		}
	}
	if c.Phase != certs.Signing {
		reasons = append(reasons, "the next CA does not sign here yet; khw-controller certs rotate-ca")
	}
	restart, err := needRestart(ctx, c.plan)
	if err != nil {
		return err
	}
	if len(restart) > 0 {
		reasons = append(reasons, fmt.Sprintf("this controller still uses what was in %s before; systemctl restart khw-controller", strings.Join(restart, ", ")))
	}
	published, err := c.published(ctx)
	if err != nil {
		return err
	}
	return refused("the old CA is still needed", append(reasons, published...))
}

// needRestart lists the files that this controller has read and not read again since
// they are others.
func needRestart(ctx context.Context, p *plan.Plan) ([]string, error) {
	r, err := ask(ctx, p)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, f := range r.Files {
		if f.Reload == drift.AtRestart && (f.State == drift.Replaced || f.State == drift.Added) {
			all = append(all, f.Path)
		}
	}
	return all, nil
}

// some names things, and counts those behind the first few.
func some(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// published looks at what those outside of the control plane trust, and are told to.
func (c *CA) published(ctx context.Context) ([]string, error) {
	client, err := kubernetes.NewForConfig(c.cluster.config)
	if err != nil {
		return nil, err
	}
	var reasons []string
	if c.Trusts(c.plan.RootCA.Path) {
		lacking, err := c.namespacesWithout(ctx, client)
		if err != nil {
			return nil, err
		}
		if len(lacking) > 0 {
			reasons = append(reasons, fmt.Sprintf("pods in %s are not told of the next CA yet (%s): the controller-manager that leads has to be restarted",
				some(lacking), rootCAConfigMap))
		}
	}
	kubelets, err := c.probe.kubelets(ctx, client)
	if err != nil {
		return nil, err
	}
	if len(kubelets) > 0 {
		reasons = append(reasons, "the kubelets of "+some(kubelets)+" do not trust the next CA; put both into their --client-ca-file and kubeconfig, and restart them")
	}
	info, err := client.CoreV1().ConfigMaps(metav1.NamespacePublic).Get(ctx, clusterInfo, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return reasons, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the ConfigMap %s/%s: %w", metav1.NamespacePublic, clusterInfo, err)
	}
	cas, err := pki.KubeconfigAuthorities([]byte(info.Data[corev1.ServiceAccountKubeconfigKey]))
	if err == nil && slices.ContainsFunc(cas, c.IsOld) && !slices.ContainsFunc(cas, c.IsNext) {
		reasons = append(reasons, fmt.Sprintf("kubelets that join are told of the old CA only; put both into the kubeconfig of the ConfigMap %s/%s", metav1.NamespacePublic, clusterInfo))
	}
	return reasons, nil
}

const (
	rootCAConfigMap = "kube-root-ca.crt"
	rootCAKey       = "ca.crt"
	clusterInfo     = "cluster-info"
)

// namespacesWithout lists the namespaces whose pods are not told of the next CA.
func (c *CA) namespacesWithout(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	maps, err := client.CoreV1().ConfigMaps(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + rootCAConfigMap})
	if err != nil {
		return nil, fmt.Errorf("the ConfigMaps %s: %w", rootCAConfigMap, err)
	}
	var lacking []string
	for _, m := range maps.Items {
		cas, err := pki.ParseCertificates([]byte(m.Data[rootCAKey]))
		if err != nil || !slices.ContainsFunc(cas, c.IsNext) {
			lacking = append(lacking, m.Namespace)
		}
	}
	return lacking, nil
}

// MayBegin returns why no rotation may begin here, or nil: another controller trusts
// a CA that this one does not know, so that one has begun there.
func MayBegin(ctx context.Context, p *plan.Plan) error {
	cluster, known, err := here(ctx, p)
	if err != nil {
		return err
	}
	for _, o := range cluster.Controllers {
		subjects, err := cluster.acceptable(ctx, o)
		if err != nil {
			return fmt.Errorf("%s (%s) %s; a rotation begins when every controller answers", o.Name, o.APIServer, explain(err))
		}
		if o.Here { // which comes first
			known = append(known, subjects...)
		}
		for _, s := range subjects {
			if !slices.ContainsFunc(known, func(k []byte) bool { return bytes.Equal(k, s) }) {
				return fmt.Errorf("%s trusts a CA that is not in %s here: where a rotation has begun, copy %s and %s from there, and go on without --begin",
					o.Name, p.Files.CA, paths.NextCA, paths.NextCAKey)
			}
		}
	}
	return nil
}

// MayUndo returns why the next CA may not be given up here any more, or nil.
func (c *CA) MayUndo(evidence []Evidence) error {
	var reasons []string
	for _, e := range evidence {
		if e.Shows {
			reasons = append(reasons, fmt.Sprintf("%s (%s) shows a certificate of the next CA already", e.Controller, e.Of))
		}
	}
	return refused("go on with the rotation", reasons)
}

// here finds the controllers as the CA that signs now, and returns the subjects of
// the CAs that are trusted here.
func here(ctx context.Context, p *plan.Plan) (cluster *Cluster, subjects [][]byte, err error) {
	client, err := signs(p)
	if err != nil {
		return nil, nil, err
	}
	if cluster, err = find(ctx, p, client); err != nil {
		return nil, nil, err
	}
	known, err := pki.ParseCertificates(cluster.config.CAData)
	for _, c := range known {
		subjects = append(subjects, c.RawSubject)
	}
	return cluster, subjects, err
}

// signs returns the signer of the CA whose key is here.
func signs(p *plan.Plan) (signer, error) {
	cert, err := os.ReadFile(p.Files.CA)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(p.Files.CAKey)
	if err != nil {
		return nil, fmt.Errorf("the controllers are asked with a certificate of the CA: %w", err)
	}
	authority, err := pki.ParseAuthority(cert, key, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", p.Files.CA, p.Files.CAKey, err)
	}
	return authority.Client, nil
}
