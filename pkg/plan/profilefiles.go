// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/klog/v2"
	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/inventory"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// missingFiles are the files of the profiles that their flags in force point to and
// that are not there.
func (p *Plan) missingFiles() []profile.File {
	return slices.DeleteFunc(profile.Files(p.Config.Profiles), func(f profile.File) bool {
		path := p.Path(f.Path)
		byProfile := func(s lab.Setting) bool { return s.Name == f.Flag && s.Value == path && profile.IsSource(s.Source) }
		_, err := os.Lstat(path)
		return !slices.ContainsFunc(p.Flags[f.Of], byProfile) || !errors.Is(err, os.ErrNotExist)
	})
}

// makeProfileFiles makes them, all or none; what is there is the user's.
func (p *Plan) makeProfileFiles() error {
	var files []atomicfiles.File
	var made []inventory.Entry
	var names []string
	for _, f := range p.missingFiles() {
		path := p.Path(f.Path)
		files = append(files, atomicfiles.File{Path: path, Mode: 0o600, Data: f.Data})
		made, names = append(made, inventory.File(path, f.Data)), append(names, path)
	}
	if len(files) == 0 {
		return nil
	}
	err := atomicfiles.Write(p.Path(paths.Change), files, time.Now())
	if err == nil {
		err = inventory.Add(p.Path(paths.Inventory), made)
	}
	if err != nil {
		return fmt.Errorf("making the files of the profile: %w", err)
	}
	klog.InfoS("Made the files of the profile", "files", strings.Join(names, ", "))
	return nil
}

// Flags of the apiserver that a profile's own depend on.
const (
	authenticationConfigFlag = "authentication-config"
	anonymousAuthFlag        = "anonymous-auth"
	admissionPluginsFlag     = "enable-admission-plugins"
)

// yieldToFiles leaves out of what the profiles set for the apiserver what it would
// refuse beside the user's files.
func (p *Plan) yieldToFiles(set, users []lab.Override) []lab.Override {
	if lastValue(set, anonymousAuthFlag) != "" {
		if anonymous, err := anonymousIn(lastValue(users, authenticationConfigFlag)); err == nil && anonymous != nil {
			set = slices.DeleteFunc(set, func(o lab.Override) bool { return o.Name == anonymousAuthFlag })
		}
	}
	if lastValue(set, admissionPluginsFlag) == "" {
		return set
	}
	path := lastValue(append(slices.Clone(set), users...), profile.AdmissionConfigFlag)
	if path != "" && configures(path, profile.EventRateLimit) {
		return set
	}
	for i, o := range set {
		if o.Name == admissionPluginsFlag {
			set[i].Value = without(o.Value, profile.EventRateLimit)
		}
	}
	return set
}

// lastValue is the value that the last of some overrides gives a flag, or "".
func lastValue(overrides []lab.Override, name string) string {
	value := ""
	for _, o := range overrides {
		if o.Name == name {
			value = o.Value
		}
	}
	return value
}

func without(list, name string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return s == name }), ",")
}

// configures reports whether an admission configuration has one for a plugin. One that
// is to be made does; what is wrong with one the apiserver tells.
func configures(file, plugin string) bool {
	data, err := readFile(file)
	if err != nil {
		return true
	}
	var c struct{ Plugins []struct{ Name string } }
	if err := yaml.Unmarshal(data, &c); err != nil {
		return true
	}
	return slices.ContainsFunc(c.Plugins, func(p struct{ Name string }) bool { return p.Name == plugin })
}

// yieldToTLS13 leaves out the cipher suites where the user has etcd speak TLS 1.3 only:
// it refuses a choice of suites beside that.
func yieldToTLS13(set, users []lab.Override) []lab.Override {
	if lastValue(users, "tls-min-version") != "TLS1.3" {
		return set
	}
	return slices.DeleteFunc(set, func(o lab.Override) bool { return o.Name == "cipher-suites" })
}
