// SPDX-License-Identifier: Apache-2.0

package lbaws

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// lab are the lines of chapter 8 as the lab has them, for the aws tool.
const lab = `
aws elb configure-health-check --load-balancer-name kubernetes \
  --health-check Target=HTTP:80/,Interval=5,UnhealthyThreshold=2,HealthyThreshold=2,Timeout=3
vpcId=` + "`aws ec2 describe-vpcs --filters Name=tag:Name,Values=kubernetes-the-hard-way --query Vpcs[0].VpcId --output text`" + `
for i in 0 1 2; do
  declare controller_id${i}=` + "`" + `aws ec2 describe-instances \
    --filter Name=vpc-id,Values=$vpcId --filter Name=tag:Name,Values=controller-${i} \
    --query 'Reservations[].Instances[].InstanceId' --output text` + "`" + `
  inst_id=controller_id${i}
  aws elb register-instances-with-load-balancer --load-balancer-name kubernetes --instances ${!inst_id}
done
`

// shell runs lines with the real aws tool in the PATH, which end at the first
// failure.
func (a *account) shell(lines string) string {
	a.Helper()
	tool := program(a.Env, "aws")
	cmd := exec.CommandContext(a.Context(), "bash", "-euo", "pipefail", "-c", `PATH="$1:$PATH"; `+"\n"+lines, "bash", filepath.Dir(tool))
	r := a.run(cmd)
	if r.code != 0 {
		a.Fatalf("exit code %d of\n%s\n%s%s", r.code, lines, r.out, r.errOut)
	}
	return r.out
}

// literally has the lab's lines typed by hand: they are adopted, and typed again
// after khw-controller they still work.
func literally(n *network) {
	n.Helper()
	n.chapter3ELB()
	n.shell(lab)
	if ids := n.registered(); len(ids) != 3 {
		n.Fatalf("the lab's lines have registered %v", ids)
	}
	asTheLab := []string{"--health-check-target", "HTTP:80/", "--idle-timeout", "0", "--connection-draining", "0"}
	n.mustLB(0, []string{"nothing to do", "clients connect to https://" + *n.classic().DNSName + ":6443"}, asTheLab...)
	n.mustLB(3, []string{"target HTTP:80/ → HTTP:80/healthz", "idle timeout 60 → 3600", "connection draining off → 3600", "2 to change"}, "--dry-run")
	n.mustLB(0, []string{"changed attributes kubernetes", "changed health check kubernetes"})
	n.mustLB(0, []string{"nothing to do"})
	n.shell(lab)
	if address := n.shell("aws elb describe-load-balancers --query 'LoadBalancerDescriptions[].DNSName' --output text"); strings.TrimSpace(address) != *n.classic().DNSName {
		n.Errorf("the lab's line prints %q", address)
	}
	n.mustLB(0, []string{"target HTTP:80/ → HTTP:80/healthz", "1 to change"})

	// --delete takes out the controllers and keeps what was made by hand.
	n.mustLB(0, []string{"= load balancer  kubernetes: kept", "deleted registration controller-2"}, "--delete", "--yes")
	if ids := n.registered(); len(ids) > 0 {
		n.Errorf("registered are still %v", ids)
	}
}

// byHand carries out what --print-commands prints: then there is nothing to do.
// moto takes a target out on all its ports at once, so there is no other --port
// with an NLB.
func byHand(n *network) {
	n.Helper()
	for _, flags := range [][]string{{"--create", "--port", "8443"}, nlbFlags} {
		with := func(more ...string) []string { return append(append([]string{}, flags...), more...) }
		n.shell(n.mustLB(0, []string{"set -e", "aws elb"}, with("--print-commands")...).out)
		n.mustLB(0, []string{"nothing to do"}, flags...)
		changed := with("--allow-from", "192.0.2.0/24", "--port", "6443", "--health-check-interval", "10")
		n.shell(n.mustLB(0, []string{"revoke-security-group-ingress"}, append(changed, "--print-commands")...).out)
		n.mustLB(0, []string{"nothing to do"}, changed...)
		n.shell(n.mustLB(0, []string{"delete-security-group"}, append(changed, "--delete", "--print-commands")...).out)
		n.mustLB(0, []string{"nothing to do"}, append(changed, "--delete", "--yes")...)
		if r := n.mustLB(0, nil, append(changed, "--delete", "--print-commands")...); strings.Contains(r.out, "aws") && strings.Contains(r.out, "set -e") {
			n.Errorf("there is more to do: %s", r.out)
		}
	}
}
