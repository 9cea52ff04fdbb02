// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// AuditWrites has the apiserver record every answered write.
const AuditWrites = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    verbs: [create, update, patch, delete, deletecollection]
`

// AuditEverything has the apiserver record every request, when it is answered.
const AuditEverything = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`

// ReadAudit reads an apiserver's audit log.
func ReadAudit(path string) ([]auditv1.Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []auditv1.Event
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return all, nil // a last line without its end is still being written
		}
		if err != nil {
			return nil, err
		}
		var e auditv1.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, e)
	}
}

// ActorOf returns the lease whose holder alone may have made the write e, or ""
// where e is not the act of a leader: other users, refused writes, elections,
// and reviews that store nothing.
func ActorOf(e auditv1.Event) string {
	if e.ObjectRef == nil || e.ResponseStatus == nil || e.ResponseStatus.Code >= 300 {
		return ""
	}
	switch e.ObjectRef.Resource {
	case "leases", "leasecandidates", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews":
		return ""
	case "events":
		// Electors record who leads, and who no longer does.
		for _, l := range Leases() {
			if e.ObjectRef.Namespace == metav1.NamespaceSystem && strings.HasPrefix(e.ObjectRef.Name, l+".") {
				return ""
			}
		}
	}
	switch {
	case e.User.Username == "system:kube-scheduler":
		return SchedulerLease
	case e.User.Username == "system:kube-controller-manager",
		// Its controllers act as these (--use-service-account-credentials).
		strings.HasPrefix(e.User.Username, "system:serviceaccount:kube-system:"):
		return ControllerManagerLease
	}
	return ""
}

// Describe returns e in one line.
func Describe(e auditv1.Event) string {
	return fmt.Sprintf("%s %s %s %s/%s/%s %d",
		e.RequestReceivedTimestamp.Format("15:04:05.000000"), e.User.Username, e.Verb,
		e.ObjectRef.Resource+slash(e.ObjectRef.Subresource), e.ObjectRef.Namespace, e.ObjectRef.Name, e.ResponseStatus.Code)
}

func slash(s string) string {
	if s == "" {
		return ""
	}
	return "/" + s
}
