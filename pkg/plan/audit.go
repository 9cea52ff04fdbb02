// SPDX-License-Identifier: Apache-2.0

package plan

import "fmt"

// Unaudited says why nothing of what the apiserver is asked is recorded, and what to
// do; "" where something is.
func (p *Plan) Unaudited() string {
	audit := p.APIServer.Audit
	log, webhook := audit.LogOptions.Path, audit.WebhookOptions.ConfigFile
	switch {
	case audit.PolicyFile != "" && (log != "" || webhook != ""):
		return ""
	case audit.PolicyFile != "":
		return "there is a policy, and nowhere to write to; set --kube-apiserver-arg audit-log-path=/var/log/audit.log"
	case log != "" && log != "-":
		return fmt.Sprintf("%s stays empty without an audit policy; set profile: cis, or --kube-apiserver-arg audit-policy-file", log)
	}
	return "there is no audit policy; set profile: cis, or --kube-apiserver-arg audit-policy-file"
}
