// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/cis"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/profile"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

const benchmarkIntro = `# The CIS Kubernetes Benchmark, item by item

` + "```sh\nsudo khw-controller verify --profile cis             # text, -o json, -o junit; exit code 1 when an item fails\n```" + `

goes through the items of the %s that are about a control plane: sections 1 (its components), 2 (etcd), 3 (authentication
and audit), and of 5 (policies) what the API can be asked. Each one

- **passes**;
- **fails**, and there is a fix: a flag, a command, or ` + "`profile: cis`" + `;
- **differs**: the lab's own value is another one, and the reason is told. It does not count as failed;
- is **skipped**, where there is nothing to judge, or only people can.

What is judged is what the components run with: their flags after the profile, the config file and yours, parsed by their own code, as ` +
	"`khw-controller flags`" + `
shows them; the files' modes; the audit policy, as the API server evaluates it; and the objects of the cluster. Where a controller runs on the root, it
says with which profile it was started; verify has to be given the same flags, and says so when they differ. Section 4 is about workers, and
for them.

The benchmark's items go by their numbers, in words of our own. Some of them speak of pod specifications, which there are none of: what is in
their place are ` + "`khw-controller.yaml` and `kube-scheduler.yaml`" + `. Rights that are to be few (5.1) fail where whoever comes along has them, such as
system:authenticated; who else has them is shown, for you to judge.

The tables are printed by ` + "`make docs`" + `: what verify says of the lab's own settings in a new cluster, and with [the profile](profiles.md).
`

// benchmarkPage is what verify says of each item, without the profile and with it.
func benchmarkPage() ([]byte, error) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard) // what is made for this is of no interest
	root, err := os.MkdirTemp("", "khw-gendocs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	// With the profile first, which makes the files of both.
	with, err := judge(root, profile.CIS)
	if err != nil {
		return nil, err
	}
	without, err := judge(root)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	fmt.Fprintf(&page, benchmarkIntro, cis.Benchmark)
	section := ""
	for i, r := range without {
		if s := cis.Section(r.ID); s != section {
			section = s
			fmt.Fprintf(&page, "\n## %s\n\n| | what is asked for | the lab | profile: cis | why |\n|---|---|---|---|---|\n", section)
		}
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %s |\n", r.ID, r.Title, word(r), word(with[i]), strings.ReplaceAll(reasons(r, with[i]), root, ""))
	}
	return page.Bytes(), nil
}

// judge is what verify says with the lab's settings and a profile.
func judge(root string, profiles ...string) ([]cis.Result, error) {
	p, err := plan.New(context.Background(), &config.Config{Root: root, AdvertiseAddress: "10.240.0.10", Profiles: profiles})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := p.GenerateMissing(); err != nil {
		return nil, err
	}
	return cis.Run(context.Background(), p, 0, newCluster()), nil
}

// newCluster has what every cluster has, and an admin as the lab's.
func newCluster() cis.Cluster {
	var objects []runtime.Object
	for _, name := range []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease} {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	client := fake.NewClientset(objects...)
	client.PrependReactor("create", "selfsubjectreviews", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, &authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{
			UserInfo: authenticationv1.UserInfo{Username: "admin", Groups: []string{"system:masters"}},
		}}, nil
	})
	return cis.Cluster{Client: client, Explain: func(err error) *verify.Failure { return &verify.Failure{Problem: err.Error()} }}
}

// filesSection is about modes and owners, which are those of the machine.
const filesSection = "1.1."

func word(r cis.Result) string {
	if strings.HasPrefix(r.ID, filesSection) {
		return "as the files are"
	}
	return map[verify.Outcome]string{verify.Passed: "passes", verify.Failed: "**fails**", verify.Differs: "differs", verify.Skipped: "skipped"}[r.Outcome]
}

// reasons are why an item fails without the profile, or does not pass with it.
func reasons(without, with cis.Result) string {
	switch {
	case strings.HasPrefix(with.ID, filesSection):
		return ""
	case with.Outcome == verify.Differs:
		return with.Differs
	case with.Outcome == verify.Skipped:
		return with.Skipped
	case without.Outcome == verify.Differs:
		return without.Differs
	case without.Outcome == verify.Failed:
		return without.Failures[0].Problem
	}
	return ""
}
