// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"fmt"
	"net"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// controllerManagerItems are section 1.3.
var controllerManagerItems = []item{
	{id: "1.3.1", title: "pods that have ended are removed before they fill etcd", judge: func(in *input) verdict {
		return in.endedPods(int(in.ControllerManager.PodGCController.TerminatedPodGCThreshold))
	}},
	{id: "1.3.2", title: "the controller manager does not show profiles", judge: func(in *input) verdict {
		return in.profilingOff(lab.ControllerManager, in.ControllerManager.Generic.Debugging.EnableProfiling)
	}},
	{id: "1.3.3", title: "each controller has an account of its own", judge: func(in *input) verdict {
		if !in.ControllerManager.KubeCloudShared.UseServiceAccountCredentials {
			return fails("all controllers work with the rights of one user", in.set(lab.ControllerManager, "use-service-account-credentials", "true"))
		}
		return passes(shown("use-service-account-credentials", true))
	}},
	{id: "1.3.4", title: "the controller manager has a key for tokens", judge: func(in *input) verdict {
		if in.ControllerTokenKey.Path == "" && in.source(lab.APIServer, "service-account-signing-endpoint") != "" {
			return passes("the signer behind --service-account-signing-endpoint has it")
		}
		return named(in.ControllerTokenKey)
	}},
	{id: "1.3.5", title: "pods are given the cluster's CA", judge: func(in *input) verdict { return named(in.RootCA) }},
	{id: "1.3.6", title: "kubelets get new serving certificates", judge: func(in *input) verdict {
		const gate = "RotateKubeletServerCertificate"
		for _, c := range lab.Components() {
			for pair := range strings.SplitSeq(lab.Get(in.Flags[c], "feature-gates"), ",") {
				if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); name == gate && strings.EqualFold(value, "false") {
					return fails("the feature gate "+gate+" is off", "remove it from feature-gates")
				}
			}
		}
		return passes("the feature gate " + gate + " is on; those of the cluster's kubelets are signed by " + in.Signing.Cert.Path)
	}},
	{id: "1.3.7", title: "the controller manager's port is for this machine only", judge: func(in *input) verdict {
		return in.onLoopback(lab.ControllerManager, in.ControllerManager.SecureServing.BindAddress)
	}},
}

// schedulerItems are section 1.4.
var schedulerItems = []item{
	{id: "1.4.1", title: "the scheduler does not show profiles", judge: func(in *input) verdict {
		on, err := in.SchedulerProfiling()
		if err != nil {
			return fails(err.Error(), "correct "+plan.ArgFlag(lab.Scheduler, "config"))
		}
		if on && profile.IsSource(in.source(lab.Scheduler, "profiling")) {
			return fails("profiles are shown to administrators at /debug/pprof: the scheduler's configuration says so", "remove enableProfiling from "+schedulerConfig(in))
		}
		return in.profilingOff(lab.Scheduler, on)
	}},
	{id: "1.4.2", title: "the scheduler's port is for this machine only", judge: func(in *input) verdict {
		return in.onLoopback(lab.Scheduler, in.Scheduler.SecureServing.BindAddress)
	}},
}

// stockEndedPods is how many pods that have ended are kept when nobody says.
const stockEndedPods = 12500

func (in *input) endedPods(threshold int) verdict {
	const flag = "terminated-pod-gc-threshold"
	fix := in.set(lab.ControllerManager, flag, "1000")
	switch {
	case threshold <= 0:
		return fails("pods that have ended are kept for ever", fix)
	case threshold >= stockEndedPods && in.source(lab.ControllerManager, flag) == "":
		return fails(fmt.Sprintf("nobody has said how many are kept: %d, in every API server's memory", threshold), fix)
	}
	return passes(shown(flag, threshold))
}

// onLoopback wants a port to be closed to other machines. The lab has both open.
func (in *input) onLoopback(c lab.Component, address net.IP) verdict {
	const flag = "bind-address"
	switch {
	case address.IsLoopback():
		return passes(shown(flag, address))
	case in.source(c, flag) == "" || in.isLabs(c, flag):
		return differs("in the lab it is open to other machines, for Prometheus to ask; who has no credentials is told its health and nothing else. profile: cis closes it",
			shown(flag, address))
	}
	return fails(fmt.Sprintf("other machines reach it at %s", address), in.set(c, flag, "127.0.0.1"))
}
