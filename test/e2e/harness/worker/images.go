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
	"path/filepath"
	"runtime"
	"strings"

	upstream "k8s.io/kubernetes/test/utils/image"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// Images, under the names that upstream's tests of this Kubernetes ask for.
var (
	Pause   = upstream.GetE2EImage(upstream.Pause)
	Busybox = upstream.GetE2EImage(upstream.BusyBox)
	Agnhost = upstream.GetE2EImage(upstream.Agnhost)
)

// CoreDNS is the image in CoreDNSManifest.
const CoreDNS = "registry.k8s.io/coredns/coredns:v1.14.6"

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

// layer is one of an image, and the same for all that have it by this name.
type layer struct {
	name  string
	write func(io.Writer) error // as a tar archive
}

// part adds something to a layer.
type part func(*tar.Writer) error

// files is a layer of such parts.
func files(name string, parts ...part) layer {
	return layer{name, func(w io.Writer) error {
		t := tar.NewWriter(w)
		for _, part := range parts {
			if err := part(t); err != nil {
				return err
			}
		}
		return t.Close()
	}}
}

var searchPath = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

// images are those that every worker has. Agnhost has Busybox below it here.
func images(e *harness.Env) []image {
	e.Helper()
	return []image{
		{Pause, []layer{program(e, "pause")}, imageConfig{Entrypoint: []string{"/pause"}, User: "65535:65535", WorkingDir: "/"}},
		{Busybox, []layer{busybox}, imageConfig{Env: searchPath, Cmd: []string{"sh"}, WorkingDir: "/"}},
		{Agnhost, []layer{busybox, program(e, "agnhost")}, agnhostConfig("pause")},
		{CoreDNS, []layer{program(e, "coredns")}, imageConfig{Entrypoint: []string{"/coredns"}, WorkingDir: "/"}},
	}
}

func agnhostConfig(command string) imageConfig {
	return imageConfig{Env: searchPath, Entrypoint: []string{"/agnhost"}, Cmd: []string{command}, WorkingDir: "/"}
}

// program is a layer with one of make worker's.
func program(e *harness.Env, name string) layer {
	e.Helper()
	return files(name, file(name, e.WorkerProgram(name), 0o755))
}

// busybox is Debian's static one, as all the programs that it can be, but for the shell:
// Debian's forgets variables whose names no shell could use, and upstream's does not.
var busybox = files("busybox", func(t *tar.Writer) error {
	const program = "/bin/busybox"
	if err := file("bin/busybox", program, 0o755)(t); err != nil {
		return err
	}
	if err := file("bin/sh", "/bin/bash-static", 0o755)(t); err != nil {
		return err
	}
	applets, err := exec.Command(program, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", program, err)
	}
	for _, name := range strings.Fields(string(applets)) {
		if name == "busybox" || name == "sh" {
			continue
		}
		if err := link("bin/"+name, "busybox")(t); err != nil {
			return err
		}
	}
	if err := directory("tmp", 0o1777)(t); err != nil {
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
})

// file adds one of this machine's under another name.
func file(name, from string, mode int64) part {
	return func(t *tar.Writer) error {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: mode}); err != nil {
			return err
		}
		_, err = io.Copy(t, f)
		return err
	}
}

func link(name, target string) part {
	return func(t *tar.Writer) error {
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
	}
}

func directory(name string, mode int64) part {
	return func(t *tar.Writer) error {
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode})
	}
}

func text(name, content string) part {
	return func(t *tar.Writer) error { return addBytes(t, name, []byte(content)) }
}

// appended adds a file of a system with more at its end.
func appended(name, system, more string) part {
	return func(t *tar.Writer) error {
		data, err := os.ReadFile(filepath.Join(system, name))
		if err != nil {
			return err
		}
		return addBytes(t, name, append(data, more...))
	}
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
	digests := map[string]string{} // of layers, by their names
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
		for _, l := range i.layers {
			digest, ok := digests[l.name]
			if !ok {
				var data bytes.Buffer
				if err := l.write(&data); err != nil {
					return err
				}
				digest = fmt.Sprintf("%x", sha256.Sum256(data.Bytes()))
				digests[l.name] = digest
				if err := put(digest+".tar", data.Bytes()); err != nil {
					return err
				}
			}
			e.Layers, diffs = append(e.Layers, digest+".tar"), append(diffs, "sha256:"+digest)
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
		all := images(w.Env)
		if w.Conformance {
			all = conformanceImages(w.Env)
		}
		w.Must(archive(f, all))
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
