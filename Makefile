# SPDX-License-Identifier: Apache-2.0

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

# One way to compile, whatever it is for: Kubernetes is compiled once, not once
# for the binary and once more for the tests and the linter.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath -buildvcs=false

# The Kubernetes inside is what go.mod requires; the stamp cannot drift from it.
KUBERNETES := $(shell awk '$$1 == "k8s.io/kubernetes" {print $$2}' go.mod)
SUFFIX     := +khw
COMMIT     := $(shell git rev-parse HEAD 2>/dev/null)
TREE       := $(if $(shell git status --porcelain 2>/dev/null),dirty,clean)
# The same bytes when built twice: the date is the commit's.
EPOCH      := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)
DATE       := $(shell date -u -d @$(EPOCH) +%Y-%m-%dT%H:%M:%SZ)
MAJOR      := $(word 1,$(subst ., ,$(KUBERNETES:v%=%)))
MINOR      := $(word 2,$(subst ., ,$(KUBERNETES:v%=%)))

stamp = $(foreach p,k8s.io/component-base/version k8s.io/client-go/pkg/version,\
	-X $(p).gitVersion=$(KUBERNETES)$(1) -X $(p).gitMajor=$(MAJOR) -X $(p).gitMinor=$(MINOR) \
	-X $(p).gitCommit=$(2) -X $(p).gitTreeState=$(or $(3),clean) -X $(p).buildDate=$(DATE))
gobuild = go build -ldflags '-s -w -buildid= $(call stamp,$(1),$(2),$(3))'

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build bin/khw-controller: static, stripped, reproducible (the default)
	$(call gobuild,$(SUFFIX),$(COMMIT),$(TREE)) -o bin/khw-controller ./cmd/khw-controller

.PHONY: stock
stock: ## Build the stock daemons from the same modules, an S3 server and Helm, for comparison and tests
	$(call gobuild,,) -o bin/stock/ k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kube-scheduler k8s.io/kubernetes/cmd/kubectl
	go build -ldflags '-s -w -buildid=' -o bin/stock/etcd go.etcd.io/etcd/server/v3
	go build -C hack/s3server -ldflags '-s -w -buildid=' -o ../../bin/stock/versitygw github.com/versity/versitygw/cmd/versitygw
	for major in 3 4; do go build -C hack/helm -ldflags '-s -w -buildid=' -o ../../bin/stock/helm$$major helm.sh/helm/v$$major/cmd/helm || exit; done

PACKAGE_VERSION ?= $(shell hack/package-version)
ARCHES ?= amd64 arm64
DIST   ?= dist

.PHONY: packages
packages: build ## Build deb, rpm, tar.gz and SBOMs in dist/ (ARCHES="amd64 arm64")
	rm -rf $(DIST)
	for arch in $(ARCHES); do \
	  binary=bin/khw-controller; \
	  if [ $$arch != $$(go env GOHOSTARCH) ]; then \
	    binary=bin/linux-$$arch/khw-controller; \
	    GOARCH=$$arch $(call gobuild,$(SUFFIX),$(COMMIT),$(TREE)) -o $$binary ./cmd/khw-controller; \
	  fi; \
	  SOURCE_DATE_EPOCH=$(EPOCH) hack/package $(PACKAGE_VERSION) $$arch $$binary $(DIST); \
	done
	cd $(DIST) && sha256sum * >SHA256SUMS

# An earlier package, for upgrades of it: of the release before, once one is tagged.
BEFORE ?= $(shell git describe --tags --abbrev=0 --match='v*' HEAD~1 2>/dev/null || echo HEAD~10)

.PHONY: packages-before
packages-before: ## Build the deb of an earlier version in bin/before/dist (BEFORE=v1.37.2+khw1)
	git worktree remove --force bin/before 2>/dev/null || rm -rf bin/before
	git worktree add --quiet --force --detach bin/before $(BEFORE)
	$(MAKE) -C bin/before packages ARCHES=$$(go env GOHOSTARCH) COMPRESSION=zstd:3

.PHONY: run
run: build ## Run a control plane as an ordinary user, everything below ./.run
	bin/khw-controller run --root .run --healthz-bind-address 127.0.0.1:8080

.PHONY: test
test: ## Run the unit tests
	go test ./cmd/... ./pkg/... ./hack/... ./test/computeapi ./test/conformance ./test/monitoring ./test/bench/pairs ./test/bench/subject ./test/bench/profile
	go -C hack/packages test ./...

.PHONY: test-race
test-race: ## Run them under the race detector, but for those that link Kubernetes (PACKAGES=./pkg/server)
	hack/test-race $(PACKAGES)

.PHONY: lint
lint: ## Vet, format and lint; changes nothing on this machine
	hack/lint

.PHONY: deps
deps: ## Install what the checks and scenarios need, as root (make e2e does so too)
	hack/install-test-deps
# What e2e is to install is there for the checks that are asked for with it.
ifneq ($(filter e2e,$(MAKECMDGOALS)),)
lint test-race: | deps
endif

.PHONY: e2e
e2e: ARCHES := $(shell go env GOHOSTARCH)
e2e: deps build stock conformance-tests packages ## Run the scenarios in test/e2e against real processes (SCENARIO=name for one)
	SOURCE_DATE_EPOCH=$(EPOCH) hack/lint-packages $(DIST) $(PACKAGE_VERSION)
	hack/fetch-nginx bin/stock/nginx
	go test -count=1 -p 1 -timeout 40m ./test/e2e/$(or $(SCENARIO),...)

.PHONY: e2e-faults
e2e-faults: ARCHES := $(shell go env GOHOSTARCH)
e2e-faults: deps build stock packages packages-before ## Do to three controllers, and to stock ones, what happens in practice; print what it cost, in an hour and a half (FAULT="kill" KIND="stock")
	go build -C hack/toxiproxy -ldflags '-s -w -buildid=' -o ../../bin/stock/toxiproxy github.com/Shopify/toxiproxy/v2/cmd/server
	FAULTS=all FAULT="$(FAULT)" KIND="$(KIND)" go test -count=1 -p 1 -timeout 5h -v -run 'TestEverything|TestMachines|TestStartAndStop|TestAMemberIsFrozen' ./test/e2e/faults ./test/e2e/frozenmember

.PHONY: e2e-alerts
e2e-alerts: deps build stock ## Do to controllers what each of the shipped alerts is about, and have a Prometheus say so (as root)
	ALERTS=1 go test -count=1 -timeout 30m -v ./test/e2e/alerts

# The sources of Kubernetes that the worker and upstream's tests are built from.
upstream = $$(go list -C hack/worker -m -f '{{.Dir}}' k8s.io/kubernetes)
version  = $(foreach v,gitVersion=$(KUBERNETES) gitMajor=$(MAJOR) gitMinor=$(MINOR),-X k8s.io/component-base/version.$(v))

.PHONY: worker
worker: ## Build what a worker of the lab runs, from modules, in bin/worker: kubelet, kube-proxy, containerd, CoreDNS and test images
	@grep -Eq 'k8s.io/kubernetes $(KUBERNETES)( |$$)' hack/worker/go.mod || { echo "hack/worker/go.mod is not at Kubernetes $(KUBERNETES); run hack/bump-kubernetes $(KUBERNETES)" >&2; exit 1; }
	cd hack/worker && go build -ldflags '-s -w $(version)' -o ../../bin/worker/ \
	  k8s.io/kubernetes/cmd/kubelet k8s.io/kubernetes/cmd/kube-proxy ./coredns \
	  k8s.io/kubernetes/test/images/agnhost k8s.io/kubernetes/test/images/nonewprivs k8s.io/sample-apiserver
	cd hack/worker/containerd && go build -tags 'no_btrfs no_devmapper no_zfs' -ldflags '-s -w' -o ../../../bin/worker/ \
	  github.com/containerd/containerd/v2/cmd/containerd github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2 github.com/containerd/containerd/v2/cmd/ctr
	gcc -Os -static -o bin/worker/pause "$(upstream)/build/pause/linux/pause.c"
	install -D -m 644 -t bin/worker/porter "$(upstream)"/test/images/agnhost/porter/localhost.*

.PHONY: e2e-worker
e2e-worker: deps build worker ## Join real workers to three controllers: the lab's next chapters, and users who are connected while controllers restart (as root)
	WORKER=1 go test -count=1 -timeout 30m -v ./test/e2e/worker

# Another Kubernetes has another stamp.
SKEW := $(shell awk '$$1 == "k8s.io/kubernetes" {print $$2}' hack/skew/go.mod)

.PHONY: skew
skew: KUBERNETES := $(SKEW)
skew: MAJOR := $(word 1,$(subst ., ,$(SKEW:v%=%)))
skew: MINOR := $(word 2,$(subst ., ,$(SKEW:v%=%)))
skew: ## Build the stock daemons, kubectl and etcd of the minor version before this Kubernetes, in bin/skew
	cd hack/skew && $(call gobuild,,) -o ../../bin/skew/ k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kube-scheduler k8s.io/kubernetes/cmd/kubectl
	cd hack/skew && go build -ldflags '-s -w -buildid=' -o ../../bin/skew/etcd go.etcd.io/etcd/server/v3

.PHONY: e2e-skew
e2e-skew: deps build stock skew ## Upgrade a stock cluster of the minor version before to ours, and back, while it is used (as root)
	SKEW=1 go test -count=1 -timeout 30m -v ./test/e2e/skew

.PHONY: conformance-tests
conformance-tests: ## Build upstream's e2e.test, and ginkgo that runs it, in bin/conformance
	cd hack/worker && go test -c -vet=off -ldflags '-s -w $(version)' -o ../../bin/conformance/e2e.test k8s.io/kubernetes/test/e2e
	cd hack/worker && go build -ldflags '-s -w' -o ../../bin/conformance/ github.com/onsi/ginkgo/v2/ginkgo

.PHONY: conformance
conformance: deps build stock worker conformance-tests ## Run upstream's conformance tests on stock and on ours, with real workers, and compare (as root; SUBJECT=stock|ours|cis FOCUS="Garbage" PROCS=6)
	CONFORMANCE=1 SUBJECT="$(SUBJECT)" FOCUS="$(FOCUS)" PROCS="$(PROCS)" go test -count=1 -timeout 12h -v -run TestConformance ./test/e2e/conformance

.PHONY: bench
bench: build stock ## Compare with the stock daemons (ARGS="-runs 3 -json bench.json"; ARGS=-help)
	go run ./test/bench $(ARGS)

.PHONY: bench-scale
bench-scale: build stock ## Compare with them in a big cluster: memory, CPU, failover (ARGS="-nodes 5000 -pods 150000")
	go run ./test/bench/scale $(ARGS)

.PHONY: profile
profile: build ## Profile a start, idleness and work into profile/, and print where CPU and memory go
	go run ./test/bench/profile $(ARGS)

.PHONY: bench-cluster
bench-cluster: build ## Measure three controllers: forming a cluster, taking over, a snapshot of 500 MB while serving (as root)
	go test -count=1 -timeout 30m -v ./test/bench/cluster

.PHONY: bench-edge
bench-edge: build ## Pause a controller with profile edge for longer than a lease of the lab bears, and flood one (as root)
	go test -count=1 -timeout 30m -v ./test/bench/edge

.PHONY: bench-healthz
bench-healthz: build ## Compare health checks with the lab's nginx (ARGS="-runs 3")
	hack/fetch-nginx bin/stock/nginx
	go run ./test/bench -healthz $(ARGS)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s) each
	hack/fuzz $(or $(FUZZTIME),20s)

.PHONY: docs
docs: ## Print the reference pages in docs/ anew
	go run ./hack/gendocs .

.PHONY: clean
clean: ## Remove what was built and what `make run` left
	rm -rf bin dist .run profile
