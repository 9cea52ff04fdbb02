// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/evaluation"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// TestComponentsEvaluateTheirFlags asks the components: the table of what they
// refuse is in test/e2e/badinput.
func TestComponentsEvaluateTheirFlags(t *testing.T) {
	in, _ := sound(t)
	flags := in.Flags[lab.APIServer]
	in.Flags[lab.APIServer] = append(flags, lab.Setting{Arg: lab.ParseArg("enable-admission-plugins=PodSecurityPolicy"), Source: "flag"})
	found := checkComponents(t.Context(), in)
	if len(found) != 1 || found[0].Severity != Error || !strings.Contains(found[0].String(), `"PodSecurityPolicy" is unknown; correct --kube-apiserver-arg enable-admission-plugins`) {
		t.Errorf("found %v", found)
	}
}

func TestFixForNamesTheFlag(t *testing.T) {
	in := input{Plan: &plan.Plan{Flags: map[lab.Component][]lab.Setting{lab.APIServer: {
		{Arg: lab.ParseArg("allow-privileged=true"), Source: lab.FromLab},
		{Arg: lab.ParseArg("audit-policy-file=/etc/policy.yaml"), Source: "flag"},
		{Arg: lab.ParseArg("runtime-config=api/all=true,foo/v1=true"), Source: "flag"},
		{Arg: lab.ParseArg("feature-gates=NoSuch=true"), Source: plan.ProcessWide},
	}}}}
	in.EncryptionConfig = plan.File{Path: "/etc/enc.yaml", Flag: "--x"}
	for reason, want := range map[string]string{
		`--storage-media-type "x" invalid`:            "correct --kube-apiserver-arg storage-media-type",
		"loading /etc/policy.yaml: no level":          "correct --kube-apiserver-arg audit-policy-file",
		"audit policy file has no rules":              "correct --kube-apiserver-arg audit-policy-file",
		"unknown api groups foo/v1":                   "correct --kube-apiserver-arg runtime-config",
		"unrecognized feature gate: NoSuch":           "correct --feature-gates",
		"--feature-gates: invalid value of X=maybe":   "correct --feature-gates",
		"auditPolicy file.rules[0] has no level":      "correct --kube-apiserver-arg audit-policy-file",
		"resources[0].providers: Required value":      "correct /etc/enc.yaml (--x)",
		"something is wrong, allow privileged or not": "correct --kube-apiserver-arg audit-policy-file or --kube-apiserver-arg runtime-config or --feature-gates",
		"true is not true":                            "correct --kube-apiserver-arg audit-policy-file or --kube-apiserver-arg runtime-config or --feature-gates",
	} {
		if got := fixFor(in, evaluation.Failure{Component: lab.APIServer, Reason: reason}); got != want {
			t.Errorf("%s: got %q, want %q", reason, got, want)
		}
	}
	if got := fixFor(in, evaluation.Failure{Component: lab.Scheduler, Reason: "broken"}); !strings.Contains(got, "khw-controller flags") {
		t.Errorf("with no flag of the user's: %q", got)
	}
}

// TestNobodyIsAskedForAnEvaluation listens where the apiserver will: a connection
// there would be taken for a client's by whoever holds the port now.
func TestNobodyIsAskedForAnEvaluation(t *testing.T) {
	in, _ := sound(t)
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(in.Port)))
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Errorf("%s has connected", conn.RemoteAddr())
			conn.Close()
		}
	}()
	if found := checkComponents(t.Context(), in); len(found) > 0 {
		t.Errorf("found %v", found)
	}
	l.Close()
	<-asked
}
