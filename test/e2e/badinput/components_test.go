// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"os"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// file writes a file below the root and returns the argument that names it.
func file(c *harness.Controller, flag, content string) {
	write(c, "etc/"+flag, content)
	c.Args = append(c.Args, "--kube-apiserver-arg", flag+"="+c.Root+"/etc/"+flag)
}

// componentInputs are what only the components themselves can judge: each was
// accepted once and ended or crippled the run.
func componentInputs() []input {
	api := func(value string) []string { return []string{"--kube-apiserver-arg", value} }
	kcm := func(value string) []string { return []string{"--kube-controller-manager-arg", value} }
	return []input{
		{
			name: "a feature gate is unknown", args: []string{"--feature-gates", "NoSuchGate=true"},
			code: 1, says: []string{"unrecognized feature gate: NoSuchGate", "correct --feature-gates"},
		},
		{
			name: "a feature gate is locked", args: []string{"--feature-gates", "NodeLogQuery=maybe"},
			code: 1, says: []string{"NodeLogQuery", "correct --feature-gates"},
		},
		{
			name: "an admission plugin is gone", args: api("enable-admission-plugins=PodSecurityPolicy"),
			code: 1, says: []string{"PodSecurityPolicy", "unknown", "correct --kube-apiserver-arg enable-admission-plugins"},
		},
		{
			name: "an authorizer lacks its file", args: api("authorization-mode=RBAC,Webhook"),
			code: 1, says: []string{"Webhook", "correct --kube-apiserver-arg authorization-mode"},
		},
		{
			name: "an authorizer is unknown", args: api("authorization-mode=RBACC"),
			code: 1, says: []string{"RBACC", "--kube-apiserver-arg authorization-mode"},
		},
		{
			name: "an API group is unknown", args: api("runtime-config=foo/v1=true"),
			code: 1, says: []string{"foo/v1", "correct --kube-apiserver-arg runtime-config"},
		},
		{
			name: "a cipher suite is unknown", args: api("tls-cipher-suites=TLS_NONE"),
			code: 1, says: []string{"TLS_NONE", "correct --kube-apiserver-arg tls-cipher-suites"},
		},
		{
			name: "a storage format is unknown", args: api("storage-media-type=text/plain"),
			code: 1, says: []string{"text/plain", "correct --kube-apiserver-arg storage-media-type"},
		},
		{
			name: "an issuer is no HTTPS URL", args: append(api("oidc-issuer-url=http://issuer"), api("oidc-client-id=me")...),
			code: 1, says: []string{"http://issuer", "https", "correct --kube-apiserver-arg oidc-issuer-url"},
		},
		{
			name: "an audit policy does not parse",
			spoil: func(c *harness.Controller) {
				file(c, "audit-policy-file", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadta\n")
			},
			code: 1, says: []string{"Metadta", "ROOT/etc/audit-policy-file", "correct --kube-apiserver-arg audit-policy-file"},
		},
		{
			name: "an audit policy is not there", args: api("audit-policy-file=/does/not/exist"),
			code: 1, says: []string{"/does/not/exist", "correct --kube-apiserver-arg audit-policy-file"},
		},
		{
			name:  "an admission configuration does not parse",
			spoil: func(c *harness.Controller) { file(c, "admission-control-config-file", "hello") },
			code:  1, says: []string{"kube-apiserver: failed to apply admission", "--kube-apiserver-arg admission-control-config-file"},
		},
		{
			name:  "a tracing configuration does not parse",
			spoil: func(c *harness.Controller) { file(c, "tracing-config-file", "hello") },
			code:  1, says: []string{"tracing", "--kube-apiserver-arg tracing-config-file"},
		},
		{
			name:  "an egress configuration does not parse",
			spoil: func(c *harness.Controller) { file(c, "egress-selector-config-file", "hello") },
			code:  1, says: []string{"egress selector", "--kube-apiserver-arg egress-selector-config-file"},
		},
		{
			name:  "an authentication configuration does not parse",
			spoil: func(c *harness.Controller) { file(c, "authentication-config", "hello") },
			code:  1, says: []string{"ROOT/etc/authentication-config", "correct --kube-apiserver-arg authentication-config"},
		},
		{
			name: "a controller is unknown", args: kcm("controllers=*,no-such"),
			code: 1, says: []string{"no-such", "correct --kube-controller-manager-arg controllers"},
		},
		{
			name: "a lease is shorter than its renewals", args: kcm("leader-elect-lease-duration=5s"),
			code: 1, says: []string{"leaseDuration must be greater than renewDeadline", "correct --kube-controller-manager-arg leader-elect-lease-duration"},
		},
		{
			name: "the scheduler's lease is shorter than its renewals", args: []string{"--kube-scheduler-arg", "leader-elect-lease-duration=5s"},
			code: 1, says: []string{"kube-scheduler: ", "RenewDeadline", "correct --kube-scheduler-arg leader-elect-lease-duration"},
		},
		{
			name: "a plugin of the scheduler is unknown",
			spoil: func(c *harness.Controller) {
				write(c, "etc/kubernetes/config/kube-scheduler.yaml", "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"+
					"clientConnection: {kubeconfig: /var/lib/kubernetes/kube-scheduler.kubeconfig}\nprofiles: [{plugins: {filter: {enabled: [{name: NoSuch}]}}}]\n")
			},
			code: 1, says: []string{"NoSuch", "does not exist"},
		},
	}
}

// TestNothingIsMadeForAComponentThatCannotStart begins on an empty root, where the
// lab's files would be made first.
func TestNothingIsMadeForAComponentThatCannotStart(t *testing.T) {
	for _, in := range componentInputs() {
		if in.spoil != nil {
			continue // it needs a file below the root
		}
		t.Run(in.name, func(t *testing.T) {
			e := harness.New(t)
			c := e.Controller("controller", e.FreePorts())
			c.Args = append(c.Args, in.args...)
			c.Start()
			mustBeRefused(c, in)
			if _, err := os.Lstat(c.Root); !os.IsNotExist(err) {
				t.Errorf("the refused start made %s: %v", c.Root, err)
			}
			for _, line := range c.Process.Lines() {
				if strings.Contains(line, "Made a certificate authority") {
					t.Errorf("certificates were made: %s", line)
				}
			}
		})
	}
}
