// SPDX-License-Identifier: Apache-2.0

// Package cis goes through the CIS Kubernetes Benchmark for a control plane: its
// sections 1 (control plane components), 2 (etcd), 3 (control plane configuration) and,
// as far as the API can be asked, 5 (policies). What comes in is the plan, which is what
// the components run with, and a client of the admin; what comes out is one Result for
// each item: it passes, it fails and there is a fix, or the lab's own value differs and
// there is a reason. The benchmark's items go by its numbers, in words of our own.
package cis

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/profile"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

// Benchmark is what the numbers are of. What it asks is known from kube-bench's
// cfg/cis-1.12.
const Benchmark = "CIS Kubernetes Benchmark v1.12"

// Result is what became of one item.
type Result struct {
	// ID is the benchmark's number, and Title what is asked for.
	ID    string `json:"id"`
	Title string `json:"title"`
	verify.Result
}

// Cluster is how the cluster's own objects are reached, for the items that are about
// those.
type Cluster struct {
	// Client is the admin's; nil where there is none, and Problem says why.
	Client  kubernetes.Interface
	Problem *verify.Failure
	// Explain says what an error of a request means.
	Explain func(error) *verify.Failure
}

// item is one of the benchmark.
type item struct {
	id, title string
	// judge judges by the plan, judgeCluster by what the cluster has; one of the two.
	judge        func(*input) verdict
	judgeCluster func(*input, *objects) verdict
}

// input is what is judged.
type input struct {
	*plan.Plan
	// owner is the user whom the control plane runs as.
	owner int
}

// verdict is how an item ends.
type verdict struct {
	outcome  verify.Outcome
	seen     []string
	failures []verify.Failure
	why      string // it differs, or there is nothing to judge
}

func passes(seen ...string) verdict { return verdict{outcome: verify.Passed, seen: seen} }

func fails(problem, fix string) verdict {
	return verdict{outcome: verify.Failed, failures: []verify.Failure{{Problem: problem, Next: fix}}}
}

func differs(why string, seen ...string) verdict {
	return verdict{outcome: verify.Differs, why: why, seen: seen}
}

func skipped(why string) verdict { return verdict{outcome: verify.Skipped, why: why} }

// items are all, in the benchmark's order.
func items() []item {
	return slices.Concat(fileItems, apiServerItems, controllerManagerItems, schedulerItems, etcdItems, configurationItems,
		rbacItems, podSecurityItems, otherPolicyItems)
}

// timeout is how long the cluster may take to list what is asked for.
const timeout = 30 * time.Second

// Run goes through all items of a plan; pid is the process that runs it, or 0.
func Run(ctx context.Context, p *plan.Plan, pid int, c Cluster) []Result {
	in := &input{Plan: p, owner: ownerOf(pid)}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begun := time.Now()
	found, problem := c.objects(ctx)
	asking := time.Since(begun)
	told := ""
	var results []Result
	for _, i := range items() {
		begun := time.Now()
		var v verdict
		switch {
		case i.judge != nil:
			v = i.judge(in)
		case problem == nil:
			v = i.judgeCluster(in, found)
		case told == "": // once
			v, told = verdict{outcome: verify.Failed, failures: []verify.Failure{*problem}}, i.id
		default:
			v = skipped("the cluster cannot be asked, see " + told)
		}
		took := time.Since(begun)
		if i.judgeCluster != nil {
			took, asking = took+asking, 0
		}
		results = append(results, i.result(v, took))
	}
	return results
}

func (i item) result(v verdict, took time.Duration) Result {
	r := Result{ID: i.id, Title: i.title, Result: verify.Result{
		Step: i.id + " " + i.title, Outcome: v.outcome, Seconds: took.Seconds(),
		Output: append([]string{}, v.seen...), Failures: append([]verify.Failure{}, v.failures...), // never null in JSON
	}}
	switch v.outcome {
	case verify.Skipped:
		r.Skipped = v.why
	case verify.Differs:
		r.Differs = v.why
	}
	return r
}

// ownerOf is the user of a process, or of this one.
func ownerOf(pid int) int {
	if pid == 0 {
		return os.Geteuid()
	}
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		return os.Geteuid() // it has ended
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return os.Geteuid()
}

// source says who set a component's flag; "" where nobody did.
func (in *input) source(c lab.Component, name string) string {
	source := ""
	for _, s := range in.Flags[c] {
		if s.Name == name {
			source = s.Source
		}
	}
	return source
}

// isLabs reports whether a flag has the lab's value.
func (in *input) isLabs(c lab.Component, name string) bool {
	source := in.source(c, name)
	return source == lab.FromLab || source == lab.FromAdded
}

// set is the fix where a flag has to have a value: by the profile, unless that does not
// set it or a user has set something else.
func (in *input) set(c lab.Component, name, value string) string {
	by := plan.ArgFlag(c, name+"="+value)
	bySomebody := in.source(c, name) != "" && !in.isLabs(c, name)
	if bySomebody || !setByProfile(c, name) {
		return "set " + by
	}
	return "set profile: " + profile.CIS + ", or " + by
}

// setByProfile reports whether the profile sets a flag.
func setByProfile(c lab.Component, name string) bool {
	return slices.ContainsFunc(profile.Overrides([]string{profile.CIS}, profile.Facts{}, c), func(o lab.Override) bool { return o.Name == name })
}

// shown is a flag with its value.
func shown(name string, value any) string { return fmt.Sprintf("--%s=%v", name, value) }

// list joins names, a few of many.
func list(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
