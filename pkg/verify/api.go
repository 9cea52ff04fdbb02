// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// startIt is what to do when nobody listens where a part of the control plane
// should: start it, unless it runs.
func (t Target) startIt() string {
	if t.PID != 0 {
		return fmt.Sprintf("process %d runs, and does not listen there now: see what it waits for in khw-controller status, and journalctl -u khw-controller", t.PID)
	}
	return "start it with systemctl start khw-controller, and see khw-controller status or journalctl -u khw-controller"
}

// api is the apiserver as the admin reaches it.
type api struct {
	*kubernetes.Clientset
	server     string
	kubeconfig string
	startIt    string // what to do when nobody listens there
}

// Client returns a client of the admin of a target, and what says what an error of its
// requests means.
func Client(t Target) (client kubernetes.Interface, explain func(error) *Failure, bad *Failure) {
	a, bad := newAPI(t)
	if bad != nil {
		return nil, nil, bad
	}
	return a.Clientset, a.explain, nil
}

// newAPI returns the apiserver of the kubeconfig, or what is wrong with the file.
func newAPI(t Target) (*api, *Failure) {
	kubeconfig := t.Kubeconfig
	if _, err := os.Stat(kubeconfig); err != nil {
		return nil, &Failure{"the admin's kubeconfig: " + connerr.OneLine(err), "point to it with --kubeconfig admin.kubeconfig; the lab leaves it where you made it"}
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, badKubeconfig(kubeconfig, err)
	}
	config.WarningHandler = restclient.NoWarnings{} // componentstatuses is deprecated
	config.QPS = -1                                 // the number of questions is small and fixed
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, badKubeconfig(kubeconfig, err)
	}
	return &api{client, config.Host, kubeconfig, t.startIt()}, nil
}

func badKubeconfig(path string, err error) *Failure {
	return &Failure{path + ": " + connerr.OneLine(err), "make it anew as in lab chapter 05, or point to another with --kubeconfig"}
}

// explain returns what an error of a request means, and what to do.
func (a *api) explain(err error) *Failure {
	switch {
	case apierrors.IsUnauthorized(err):
		return &Failure{"the apiserver does not know the user of " + a.kubeconfig, "sign its certificate with the CA of --client-ca-file, as in lab chapter 05"}
	case apierrors.IsForbidden(err):
		return &Failure{a.kubeconfig + ": " + connerr.OneLine(err), "use the kubeconfig of an admin (O=system:masters, as in lab chapter 04)"}
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), apierrors.IsInternalError(err), apierrors.IsServiceUnavailable(err):
		return &Failure{"the apiserver has trouble: " + connerr.OneLine(err), "see the step etcd members, and journalctl -u khw-controller"}
	}
	reason, words := connerr.Explain(err)
	problem := fmt.Sprintf("the apiserver at %s %s", a.server, words)
	switch reason {
	case connerr.Refused:
		return &Failure{problem, a.startIt}
	case connerr.NoAnswer:
		return &Failure{problem, "see whether it is hung: khw-controller status, journalctl -u khw-controller"}
	case connerr.UnknownCA, connerr.WrongName, connerr.Expired, connerr.BadCertificate:
		return &Failure{problem, "use the kubeconfig of this cluster, or make the certificates anew as in lab chapter 04"}
	case connerr.NoSuchHost, connerr.NoRoute, connerr.NotTLS:
		return &Failure{problem, "correct the server in " + a.kubeconfig + ", or point to another with --kubeconfig"}
	}
	return &Failure{problem, "see khw-controller status and journalctl -u khw-controller"}
}
