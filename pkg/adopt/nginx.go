// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/config"
)

// Action is what has to be done with nginx.
type Action string

// The actions.
const (
	// NoNginx: it does not answer health checks here.
	NoNginx Action = ""
	// StopNginx: it does nothing else, so it is stopped.
	StopNginx Action = "stop"
	// DisableSite: its other sites are on other ports and go on.
	DisableSite Action = "disable site"
	// KeepNginx: it serves other sites on the same port, and goes on answering health
	// checks with what the apiserver says.
	KeepNginx Action = "keep"
)

// Health is how health checks are answered: the lab's nginx and its site.
type Health struct {
	// File is the site's file, as nginx includes it; empty for none.
	File string `json:"file,omitempty"`
	// Listen are the addresses at which it listens.
	Listen []string `json:"listen,omitempty"`
	// Others are the files of what else nginx serves.
	Others []string `json:"others,omitempty"`
	// Action is what has to be done with it.
	Action Action `json:"action,omitempty"`

	// links are the links among the enabled sites that have to go for the port to be
	// free: its own, and that of Debian's welcome page.
	links []string
}

// labHealth is where the lab's nginx listens.
const labHealth = config.DefaultHealthzBindAddress

// address is where health checks are answered from now on.
func (h Health) address() string {
	v4, v6 := "", ""
	for _, l := range h.Listen {
		if strings.HasPrefix(l, "[") {
			v6 = l
		} else {
			v4 = l
		}
	}
	switch {
	case v4 == "" && v6 == "":
		return labHealth
	case v6 == "" || v4 != "" && !strings.HasPrefix(v6, "[::]:"):
		return v4
	}
	return v6 // [::] takes both kinds
}

// readHealth looks through nginx's configuration below a root.
func readHealth(root string) (Health, error) {
	all, err := readNginx(root, nginxConf, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Health{}, nil
	}
	if err != nil {
		return Health{}, err
	}
	var h Health
	var others, welcome []directive
	for _, s := range servers(all) {
		switch {
		case isHealth(s) && h.File == "":
			h.File, h.Listen = s.file, listens(s)
		case isWelcome(root, s):
			welcome = append(welcome, s)
		default:
			others = append(others, s)
			if !slices.Contains(h.Others, s.file) {
				h.Others = append(h.Others, s.file)
			}
		}
	}
	if h.File == "" {
		return h, nil
	}
	if h.Action = h.action(others); h.Action == StopNginx {
		return h, nil
	}
	h.links = []string{h.File}
	for _, s := range welcome {
		if h.Action == DisableSite && h.sharesPort(s) {
			h.links = append(h.links, s.file)
		}
	}
	for _, path := range h.links {
		if info, err := os.Lstat(filepath.Join(root, path)); err != nil || info.Mode()&fs.ModeSymlink == 0 || slices.Contains(h.Others, path) {
			return h, fmt.Errorf("%s: nginx serves more than health checks, so this site has to be disabled alone; make it a file of its own in sites-available, with a link in sites-enabled, as in the lab", path)
		}
	}
	return h, nil
}

func (h Health) action(others []directive) Action {
	switch {
	case len(others) == 0:
		return StopNginx
	case slices.ContainsFunc(others, h.sharesPort):
		return KeepNginx
	}
	return DisableSite
}

// sharesPort reports whether a server listens on a port of the site's.
func (h Health) sharesPort(s directive) bool {
	return slices.ContainsFunc(listens(s), func(a string) bool {
		return slices.ContainsFunc(h.Listen, func(b string) bool { return port(a) == port(b) })
	})
}

func port(address string) string {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return p
}

// servers are the blocks of that name of http, and what forwards plain TCP.
func servers(all []directive) []directive {
	var found []directive
	for _, d := range all {
		switch d.args[0] {
		case "server":
			found = append(found, d)
		case "http", "stream", "mail":
			found = append(found, servers(d.block)...)
		}
	}
	return found
}

// listens are the addresses at which a server listens, port 80 for none.
func listens(server directive) []string {
	var all []string
	for _, d := range server.block {
		if !d.is("listen") {
			continue
		}
		switch address := d.arg(); {
		case strings.HasPrefix(address, "unix:"):
		case isNumber(address):
			all = append(all, "0.0.0.0:"+address)
		case strings.HasPrefix(address, "*:"):
			all = append(all, "0.0.0.0"+address[1:])
		case strings.HasSuffix(address, "]") || !strings.Contains(address, ":"):
			all = append(all, address+":80")
		default:
			all = append(all, address)
		}
	}
	if len(all) == 0 {
		all = []string{labHealth}
	}
	return all
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isHealth reports whether a server does what the lab's site does: /healthz is
// answered by the apiserver's.
func isHealth(server directive) bool {
	for _, location := range server.block {
		if !location.is("location") || !slices.Contains(location.args, "/healthz") {
			continue
		}
		for _, d := range location.block {
			if u, err := url.Parse(d.arg()); d.is("proxy_pass") && err == nil && u.Scheme == "https" {
				return true
			}
		}
	}
	return false
}

// welcomeFiles are those of nginx's welcome page, which Debian's package enables.
var welcomeFiles = []string{"index.html", "index.nginx-debian.html", "50x.html"}

// isWelcome reports whether a server shows nginx's welcome page and nothing else.
func isWelcome(root string, server directive) bool {
	dir := ""
	for _, d := range server.block {
		switch d.args[0] {
		case "listen", "server_name", "index", "error_page":
		case "root":
			dir = d.arg()
		case "location":
			for _, inside := range d.block {
				if inside.is("root") && dir == "" {
					dir = inside.arg()
				}
				if !slices.Contains([]string{"root", "index", "try_files"}, inside.args[0]) {
					return false
				}
			}
		default:
			return false
		}
	}
	if !slices.Contains([]string{"/var/www/html", "/usr/share/nginx/html"}, dir) {
		return false
	}
	entries, err := os.ReadDir(filepath.Join(root, dir))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !slices.Contains(welcomeFiles, e.Name()) })
}
