// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

// Modes that the benchmark allows at most.
const (
	privateFile fs.FileMode = 0o600
	publicFile  fs.FileMode = 0o644
	privateDir  fs.FileMode = 0o700
)

const noSpecification = "there is no pod specification, the components are one process; and no config file that would be in its place"

// fileItems are section 1.1. What stands in a pod specification elsewhere are settings
// here: the config file, and the scheduler's.
var fileItems = []item{
	{id: "1.1.1", title: "the API server's settings are changed by administrators only", judge: settingsMode()},
	{id: "1.1.2", title: "the API server's settings belong to root", judge: settingsOwner()},
	{id: "1.1.3", title: "the controller manager's settings are changed by administrators only", judge: settingsMode()},
	{id: "1.1.4", title: "the controller manager's settings belong to root", judge: settingsOwner()},
	{id: "1.1.5", title: "the scheduler's settings are changed by administrators only", judge: settingsMode(schedulerConfig)},
	{id: "1.1.6", title: "the scheduler's settings belong to root", judge: settingsOwner(schedulerConfig)},
	{id: "1.1.7", title: "etcd's settings are changed by administrators only", judge: settingsMode()},
	{id: "1.1.8", title: "etcd's settings belong to root", judge: settingsOwner()},
	{id: "1.1.9", title: "the network plugins' files are private", judge: noNode},
	{id: "1.1.10", title: "the network plugins' files belong to root", judge: noNode},
	{id: "1.1.11", title: "etcd's data directory is private", judge: ofEtcdDir((*input).modes, privateDir)},
	{id: "1.1.12", title: "etcd's data directory belongs to who runs etcd", judge: func(in *input) verdict {
		if in.Etcd == nil {
			return skipped(externalEtcd)
		}
		if v := in.owners("", in.Etcd.Dir); v.outcome != verify.Differs {
			return v
		}
		return passes("belongs to " + userName(in.owner) + ", who runs it")
	}},
	{id: "1.1.13", title: "the administrator's kubeconfig is private", judge: func(in *input) verdict {
		return in.modes(privateFile, in.Files.AdminKubeconfig)
	}},
	{id: "1.1.14", title: "the administrator's kubeconfig belongs to root", judge: func(in *input) verdict {
		return in.owners("", in.Files.AdminKubeconfig)
	}},
	{id: "1.1.15", title: "the scheduler's kubeconfig is private", judge: func(in *input) verdict {
		return in.modes(privateFile, in.Files.SchedulerKubeconfig)
	}},
	{id: "1.1.16", title: "the scheduler's kubeconfig belongs to root", judge: func(in *input) verdict {
		return in.owners("", in.Files.SchedulerKubeconfig)
	}},
	{id: "1.1.17", title: "the controller manager's kubeconfig is private", judge: func(in *input) verdict {
		return in.modes(privateFile, in.Files.ControllerManagerKubeconfig)
	}},
	{id: "1.1.18", title: "the controller manager's kubeconfig belongs to root", judge: func(in *input) verdict {
		return in.owners("", in.Files.ControllerManagerKubeconfig)
	}},
	{id: "1.1.19", title: "the directory of certificates and keys, and all in it, belongs to root", judge: func(in *input) verdict {
		return in.owners("", compact(slices.Concat(allIn(in.Path(paths.LabDir)), in.certificates(), in.keys())...)...)
	}},
	{id: "1.1.20", title: "certificates are written by their owner only", judge: func(in *input) verdict {
		return in.modes(publicFile, in.certificates()...)
	}},
	{id: "1.1.21", title: "keys, the encryption configuration among them, are private", judge: func(in *input) verdict {
		return in.modes(privateFile, in.keys()...)
	}},
}

func noNode(*input) verdict {
	return skipped("a controller of the lab runs no pods, and has no network plugins")
}

const externalEtcd = "etcd is not embedded; it is judged where it runs"

func schedulerConfig(in *input) string { return lab.Get(in.Flags[lab.Scheduler], "config") }

// settings are the config file, and other files with settings, as far as they are there.
func (in *input) settings(more []func(*input) string) []string {
	files := []string{in.Config.File}
	for _, f := range more {
		files = append(files, f(in))
	}
	return slices.DeleteFunc(files, func(path string) bool {
		_, err := os.Stat(path)
		return path == "" || err != nil
	})
}

// settingsMode judges who may write settings. There is no secret in them, so that
// everybody may read them, as the package has it.
func settingsMode(more ...func(*input) string) func(*input) verdict {
	return func(in *input) verdict {
		files := in.settings(more)
		if len(files) == 0 {
			return skipped(noSpecification)
		}
		v := in.modes(publicFile, files...)
		if v.outcome == verify.Passed && in.modes(privateFile, files...).outcome != verify.Passed {
			return differs("there is no secret in settings: everybody may read them, and their owner alone may write them", v.seen...)
		}
		return v
	}
}

func settingsOwner(more ...func(*input) string) func(*input) verdict {
	return func(in *input) verdict { return in.owners(noSpecification, in.settings(more)...) }
}

func ofEtcdDir(judge func(*input, fs.FileMode, ...string) verdict, most fs.FileMode) func(*input) verdict {
	return func(in *input) verdict {
		if in.Etcd == nil {
			return skipped(externalEtcd)
		}
		return judge(in, most, in.Etcd.Dir)
	}
}

// certificates are those of the lab, and those that flags name.
func (in *input) certificates() []string {
	s := in.Settings
	return compact(in.Files.CA, in.Files.Cert, in.Files.ServiceAccount, s.ClientCA.Path, s.EtcdCA.Path, s.KubeletCA.Path, s.RootCA.Path,
		s.Signing.Cert.Path, s.Serving.Cert.Path, s.KubeletClient.Cert.Path, s.EtcdClient.Cert.Path)
}

// keys are those of the lab, those that flags name, and what holds others.
func (in *input) keys() []string {
	s := in.Settings
	return compact(in.Files.CAKey, in.Files.Key, in.Files.ServiceAccountKey, s.Signing.Key.Path, s.Serving.Key.Path, s.KubeletClient.Key.Path,
		s.EtcdClient.Key.Path, s.TokenSigningKey.Path, s.ControllerTokenKey.Path, s.EncryptionConfig.Path,
		in.Path(paths.NextCAKey), in.Path(paths.NextServiceAccountKey))
}

// allIn is a directory and what is in it.
func allIn(dir string) []string {
	all := []string{dir}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return all // which owners tells of
	}
	for _, e := range entries {
		all = append(all, filepath.Join(dir, e.Name()))
	}
	return all
}

// compact sorts paths, each once.
func compact(all ...string) []string {
	all = slices.DeleteFunc(all, func(path string) bool { return path == "" })
	slices.Sort(all)
	return slices.Compact(all)
}

// modes wants files that are there to have no bits but those of most.
func (in *input) modes(most fs.FileMode, files ...string) verdict {
	v := verdict{outcome: verify.Passed}
	for _, path := range files {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fails(err.Error(), "run it as root")
		}
		mode := info.Mode().Perm()
		v.seen = append(v.seen, fmt.Sprintf("%s %04o", path, mode))
		if mode&^most != 0 {
			v.outcome = verify.Failed
			v.failures = append(v.failures, verify.Failure{
				Problem: fmt.Sprintf("%s has the mode %04o, want %04o or less", path, mode, most),
				Next:    fmt.Sprintf("chmod %04o %s", mode&most, path),
			})
		}
	}
	if len(v.seen) == 0 {
		return skipped("there is no such file")
	}
	return v
}

// owners wants files that are there to belong to root, or to who runs the control plane
// where that is somebody else. none is what to say where there are none.
func (in *input) owners(none string, files ...string) verdict {
	var others, runners, seen []string
	for _, path := range files {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fails(err.Error(), "run it as root")
		}
		s, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			continue
		}
		seen = append(seen, path+" "+userName(int(s.Uid)))
		switch int(s.Uid) {
		case 0:
		case in.owner:
			runners = append(runners, path)
		default:
			others = append(others, path)
		}
	}
	switch {
	case len(seen) == 0 && none != "":
		return skipped(none)
	case len(seen) == 0:
		return skipped("there is no such file")
	case len(others) > 0:
		return fails(list(others)+" belongs to somebody who is neither root nor who runs the control plane",
			"chown "+userName(in.owner)+": "+strings.Join(others, " "))
	case len(runners) > 0:
		return differs("the control plane runs as "+userName(in.owner)+", who is not root and has to read it", seen...)
	}
	return passes(seen...)
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
