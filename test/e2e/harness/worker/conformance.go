// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	upstream "k8s.io/kubernetes/test/utils/image"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
)

// packages are the tools in upstream's agnhost, which is an Alpine, and a web server.
const packages = "curl,dnsutils,netcat-openbsd,iproute2,socat,iperf,procps,nginx-light"

// conformanceImages are all that upstream's conformance tests ask for, but for those that
// they want a registry for.
func conformanceImages(e *harness.Env) []image {
	e.Helper()
	system, err := machine.Debian(packages)
	e.Must(err)
	base := layer{"debian", func(w io.Writer) error { return debian(system, w) }}
	more := files("agnhost", agnhost(e, system)...)
	user := func(id string) imageConfig {
		return imageConfig{Env: searchPath, Cmd: []string{"sh"}, User: id, WorkingDir: "/"}
	}
	all := []image{
		{upstream.GetE2EImage(upstream.NonRoot), []layer{busybox}, user("1234")},
		{upstream.GetE2EImage(upstream.GlibcDnsTesting), []layer{base, more}, user("")},
		{
			upstream.GetE2EImage(upstream.Nonewprivs),
			[]layer{busybox, files("nonewprivs", file("usr/local/bin/nnp", e.WorkerProgram("nonewprivs"), 0o4755))},
			imageConfig{Env: searchPath, Cmd: []string{"nnp"}, WorkingDir: "/"},
		},
		{
			upstream.GetE2EImage(upstream.APIServer), []layer{busybox, program(e, "sample-apiserver")},
			imageConfig{Env: searchPath, Entrypoint: []string{"/sample-apiserver"}, WorkingDir: "/"},
		},
		{
			upstream.GetE2EImage(upstream.Etcd), []layer{busybox, files("etcd", file("usr/local/bin/etcd", e.StockBinary("etcd"), 0o755))},
			imageConfig{Env: searchPath, Cmd: []string{"etcd"}, WorkingDir: "/"},
		},
		{upstream.GetE2EImage(upstream.AgnhostPrev), []layer{base, more}, agnhostConfig("pause")},
	}
	for _, i := range images(e) {
		if i.name == Agnhost {
			i.layers = []layer{base, more}
		}
		all = append(all, i)
	}
	for name, id := range map[string]upstream.ImageID{"kitten": upstream.Kitten, "nautilus": upstream.Nautilus} {
		page := files(name, text("data.json", fmt.Sprintf("{\n  \"image\": \"%s.jpg\"\n}\n", name)))
		all = append(all, image{upstream.GetE2EImage(id), []layer{base, more, page}, agnhostConfig("test-webserver")})
	}
	for _, id := range []upstream.ImageID{upstream.Nginx, upstream.NginxNew} {
		all = append(all, image{upstream.GetE2EImage(id), []layer{base, nginx}, imageConfig{
			Env: searchPath, Cmd: []string{"nginx", "-g", "daemon off;"}, WorkingDir: "/",
		}})
	}
	return all
}

// debian writes a system without what no container needs.
func debian(dir string, w io.Writer) error {
	cmd := exec.Command("tar", "--create", "--numeric-owner", "--sort=name", "--directory", dir,
		"--exclude=./dev/*", "--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./var/cache/*", "--exclude=./var/lib/apt/*",
		"--exclude=./usr/share/doc/*", "--exclude=./usr/share/man/*", "--exclude=./usr/share/locale/*", ".")
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("packing %s: %w", dir, err)
	}
	return nil
}

// agnhost are the parts of upstream's Dockerfile.
func agnhost(e *harness.Env, system string) []part {
	e.Helper()
	porter := filepath.Join(filepath.Dir(e.WorkerProgram("agnhost")), "porter")
	return []part{
		file("agnhost", e.WorkerProgram("agnhost"), 0o755),
		link("agnhost-2", "agnhost"),
		directory("uploads", 0o755),
		file("localhost.crt", filepath.Join(porter, "localhost.crt"), 0o644),
		file("localhost.key", filepath.Join(porter, "localhost.key"), 0o644),
		file("coredns", e.WorkerProgram("coredns"), 0o755),
		file("usr/local/bin/busybox", "/bin/busybox", 0o755),
		link("usr/local/bin/wget", "busybox"),
		appended("etc/passwd", system, "user-defined-in-image:x:1000:1000::/home/user-defined-in-image:/bin/sh\n"),
		appended("etc/group", system, "user-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n"),
	}
}

// nginx is configured as upstream's image is.
var nginx = files("nginx",
	text("usr/share/nginx/html/index.html", "<h1>Welcome to nginx!</h1>\n"),
	text("etc/nginx/nginx.conf", `pid /run/nginx.pid;
events {}
http {
  access_log /dev/stdout;
  error_log /dev/stderr;
  server {
    listen 80;
    root /usr/share/nginx/html;
  }
}
`))
