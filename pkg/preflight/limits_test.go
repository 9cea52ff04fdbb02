// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// limited is set in the environment of the children that print what is found.
const limited = "KHW_TEST_LIMITED"

func TestOpenFiles(t *testing.T) {
	if os.Getenv(limited) != "" {
		for _, f := range slices.Concat(checkOpenFiles(), checkProcesses(1000)) {
			fmt.Printf("found %s %s\n", f.Severity, f)
		}
		return
	}
	for _, test := range []struct {
		ulimit string
		want   Severity // "" for nothing
		says   string
	}{
		{"-n 64", Error, "64 are allowed, and a start needs 320"},
		{"-n 256", Error, "256 are allowed, and a start needs 320"},
		{"-n 319", Error, "319 are allowed, and a start needs 320"},
		{"-n 320", Warning, "320 are allowed, which is enough to start"},
		{"-n 1023", Warning, "1023 are allowed, which is enough to start"},
		{"-n 1024", "", ""},
		{"-n 4096", "", ""},
		// Go raises it.
		{"-Sn 64", "", ""},
		{"-Hn 2048; ulimit -Sn 100", "", ""},
		{"-Sn 100; ulimit -Hn 300", Error, "300 are allowed"},
	} {
		t.Run(test.ulimit, func(t *testing.T) {
			out := limitedTo(t, test.ulimit)
			found := strings.Contains(out, "found ")
			if test.want == "" && !found {
				return
			}
			for _, text := range []string{"found " + string(test.want) + " open files (ulimit -n): ", test.says, "LimitNOFILE="} {
				if test.want == "" || !strings.Contains(out, text) {
					t.Errorf("got %s, want %q", out, text)
				}
			}
		})
	}
}

func TestProcesses(t *testing.T) {
	for ulimit, says := range map[string]string{
		"-u 64": "found warning processes (ulimit -u): 64 are allowed", "-u 127": "127 are allowed", "-Su 100": "100 are allowed",
		"-u 128": "", "-u 4096": "",
	} {
		t.Run(ulimit, func(t *testing.T) {
			out := limitedTo(t, ulimit)
			if found := strings.Contains(out, "processes"); found != (says != "") || !strings.Contains(out, says) {
				t.Errorf("got %s, want %q", out, says)
			}
		})
	}
	if found := checkProcesses(0); len(found) > 0 {
		t.Errorf("of root it says %v", found)
	}
}

func TestControlGroup(t *testing.T) {
	const unit = "sys/fs/cgroup/system.slice/khw-controller.service/"
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text + "\n")} }
	own := file("0::/system.slice/khw-controller.service")
	for name, test := range map[string]struct {
		files fstest.MapFS
		says  []string // of each finding
	}{
		"no limit":              {fstest.MapFS{unit + "memory.max": file("max"), unit + "pids.max": file("max")}, nil},
		"enough":                {fstest.MapFS{unit + "memory.max": file("1073741824"), unit + "pids.max": file("4915")}, nil},
		"no files":              {fstest.MapFS{}, nil},
		"too little memory":     {fstest.MapFS{unit + "memory.max": file("314572800")}, []string{"MemoryMax=", "300 MB are allowed"}},
		"held back":             {fstest.MapFS{unit + "memory.high": file("314572800"), unit + "memory.max": file("1073741824")}, []string{"MemoryHigh=", "300 MB are allowed"}},
		"the least that is not": {fstest.MapFS{unit + "memory.max": file("536870912")}, nil},
		"too few threads":       {fstest.MapFS{unit + "pids.max": file("64")}, []string{"TasksMax=", "64 are allowed"}},
		"above it":              {fstest.MapFS{"sys/fs/cgroup/system.slice/memory.max": file("1048576"), unit + "memory.max": file("max")}, []string{"1 MB are allowed"}},
		"of all":                {fstest.MapFS{"sys/fs/cgroup/pids.max": file("100")}, []string{"100 are allowed"}},
		"the lower of two":      {fstest.MapFS{"sys/fs/cgroup/system.slice/pids.max": file("90"), unit + "pids.max": file("100")}, []string{"90 are allowed"}},
		"another unit's":        {fstest.MapFS{"sys/fs/cgroup/system.slice/other.service/pids.max": file("1")}, nil},
		"beside version 1": {fstest.MapFS{
			"proc/self/cgroup": file("8:pids:/\n0::/system.slice/khw-controller.service"), strings.Replace(unit, "cgroup/", "cgroup/unified/", 1) + "pids.max": file("9"),
		}, []string{"9 are allowed"}},
		"both": {fstest.MapFS{unit + "memory.max": file("0"), unit + "pids.max": file("0")}, []string{"0 MB are allowed", "TasksMax=infinity"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.files["proc/self/cgroup"] == nil {
				test.files["proc/self/cgroup"] = own
			}
			got := fmt.Sprint(checkControlGroup(test.files))
			if (len(test.says) == 0) != (got == "[]") {
				t.Errorf("it finds %s", got)
			}
			for _, text := range test.says {
				if !strings.Contains(got, text) {
					t.Errorf("got %s, want %q", got, text)
				}
			}
		})
	}
}

// limitedTo returns what a child finds that is limited as bash's ulimit says.
func limitedTo(t *testing.T, ulimit string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", "ulimit "+ulimit+` && exec "$0" -test.run='^TestOpenFiles$'`, os.Args[0])
	cmd.Env = append(os.Environ(), limited+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
