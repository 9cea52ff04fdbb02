// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// Images, under upstream's names: those that the tests of this Kubernetes use
// (k8s.io/kubernetes/test/utils/image/manifest.go).
const (
	Pause   = "registry.k8s.io/pause:3.10.2"
	Busybox = "registry.k8s.io/e2e-test-images/busybox:1.37.0-2"
	// Agnhost has Busybox below it.
	Agnhost = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"
	CoreDNS = "registry.k8s.io/coredns/coredns:v1.14.6"
)

// kubernetes is the runtime's namespace of what the kubelet uses.
const kubernetes = "k8s.io"

// image is one to be made.
type image struct {
	name   string
	layers []layer
	config imageConfig
}

// imageConfig is what an image says of how it is run.
type imageConfig struct {
	Env        []string `json:",omitempty"`
	Entrypoint []string `json:",omitempty"`
	Cmd        []string `json:",omitempty"`
	User       string   `json:",omitempty"`
	WorkingDir string
}

// layer writes the files of one.
type layer func(*tar.Writer) error

var path = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

// images are all that a worker has.
func images(e *harness.Env) []image {
	e.Helper()
	program := func(name string) layer {
		return func(t *tar.Writer) error { return addFile(t, name, e.WorkerProgram(name)) }
	}
	return []image{
		{Pause, []layer{program("pause")}, imageConfig{Entrypoint: []string{"/pause"}, User: "65535:65535", WorkingDir: "/"}},
		{Busybox, []layer{busybox}, imageConfig{Env: path, Cmd: []string{"sh"}, WorkingDir: "/"}},
		{Agnhost, []layer{busybox, program("agnhost")}, imageConfig{Env: path, Entrypoint: []string{"/agnhost"}, Cmd: []string{"pause"}, WorkingDir: "/"}},
		{CoreDNS, []layer{program("coredns")}, imageConfig{Entrypoint: []string{"/coredns"}, WorkingDir: "/"}},
	}
}

// busybox is Debian's static one, as all the programs that it can be.
func busybox(t *tar.Writer) error {
	const program = "/bin/busybox"
	if err := addFile(t, "bin/busybox", program); err != nil {
		return err
	}
	applets, err := exec.Command(program, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", program, err)
	}
	for _, name := range strings.Fields(string(applets)) {
		if name == "busybox" {
			continue
		}
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777}); err != nil {
			return err
		}
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
		"etc/group":  "root:x:0:\nnogroup:x:65534:\n",
	} {
		if err := addBytes(t, name, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

func addFile(t *tar.Writer, name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o755}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

func addBytes(t *tar.Writer, name string, data []byte) error {
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o644}); err != nil {
		return err
	}
	_, err := t.Write(data)
	return err
}

// archive writes images as `docker save` does.
func archive(w io.Writer, all []image) error {
	out := tar.NewWriter(w)
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	var manifest []entry
	there := map[string]bool{}
	put := func(name string, data []byte) error {
		if there[name] {
			return nil
		}
		there[name] = true
		return addBytes(out, name, data)
	}
	for _, i := range all {
		e := entry{RepoTags: []string{i.name}}
		var diffs []string
		for _, write := range i.layers {
			var data bytes.Buffer
			t := tar.NewWriter(&data)
			if err := write(t); err != nil {
				return err
			}
			if err := t.Close(); err != nil {
				return err
			}
			digest := fmt.Sprintf("%x", sha256.Sum256(data.Bytes()))
			e.Layers, diffs = append(e.Layers, digest+".tar"), append(diffs, "sha256:"+digest)
			if err := put(digest+".tar", data.Bytes()); err != nil {
				return err
			}
		}
		config, err := json.Marshal(map[string]any{
			"architecture": runtime.GOARCH, "os": runtime.GOOS, "config": i.config,
			"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
		})
		if err != nil {
			return err
		}
		e.Config = fmt.Sprintf("%x.json", sha256.Sum256(config))
		if err := put(e.Config, config); err != nil {
			return err
		}
		manifest = append(manifest, e)
	}
	data, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	if err := put("manifest.json", data); err != nil {
		return err
	}
	return out.Close()
}

// importImages gives the runtime the images, which the workers of a test share.
func (w *Worker) importImages() {
	w.Helper()
	path := w.Path("images.tar")
	if _, err := os.Stat(path); err != nil {
		f, err := os.Create(path)
		w.Must(err)
		w.Must(archive(f, images(w.Env)))
		w.Must(f.Close())
	}
	in, err := os.Open(path)
	w.Must(err)
	defer in.Close()
	cmd := exec.CommandContext(w.Context(), "nsenter", w.enter(programs+"ctr", "--namespace", kubernetes, "images", "import", "--local", "-")...)
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("%s: importing images: %v: %s", w.Name(), err, out)
	}
}
