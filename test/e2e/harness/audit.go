// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"os"
	"path/filepath"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// AuditPolicy writes an audit policy, as cluster.AuditWrites, to a file and returns the
// apiserver's flag for it, without dashes.
func (e *Env) AuditPolicy(policy string) string {
	e.Helper()
	path := e.Path("audit-policy.yaml")
	e.Must(os.WriteFile(path, []byte(policy), 0o600))
	return "audit-policy-file=" + path
}

// Audit reads the lab's audit log below a root.
func (e *Env) Audit(root string) []auditv1.Event {
	e.Helper()
	events, err := cluster.ReadAudit(filepath.Join(root, "var/log/audit.log"))
	e.Must(err)
	return events
}

// LeadsAlone fails the test unless every act for a lease was made by the one
// replica that held it. audits maps who used an apiserver alone to its audit
// log. It returns who acted in each tenure, in order.
func (e *Env) LeadsAlone(lease string, tenures []cluster.Tenure, audits map[string][]auditv1.Event) []string {
	e.Helper()
	for _, against := range cluster.Exclusive(tenures, lease, audits) {
		e.Error(against)
	}
	var order []string
	for _, t := range tenures {
		for who := range t.Acts {
			order = append(order, who)
		}
	}
	return order
}
