// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	// debianDefault is the site that Debian's package enables, without its comments.
	debianDefault = `server {
	listen 80 default_server;
	listen [::]:80 default_server;
	root /var/www/html;
	index index.html index.nginx-debian.html; # and "quotes
	server_name _;
	location / {
		try_files $uri $uri/ =404;
	}
}
`
	shop = "server { listen 80; server_name shop.example; location / { proxy_pass http://127.0.0.1:3000; } }\n"
	far  = "server { listen 8443 ssl; root /srv/far; }\n"
)

func TestHealth(t *testing.T) {
	for name, test := range map[string]struct {
		sites   map[string]string
		welcome bool // its page is there, with something beside it
		action  Action
		address string
		links   []string
		others  []string
	}{
		"the lab's alone":       {sites: map[string]string{siteName: labSite}, action: StopNginx, address: labHealth},
		"with the welcome page": {sites: map[string]string{siteName: labSite, "default": debianDefault}, action: StopNginx, address: labHealth},
		"a site in its place":   {sites: map[string]string{siteName: labSite, "default": debianDefault}, welcome: true, action: KeepNginx, address: labHealth, links: []string{siteLink}, others: []string{"/etc/nginx/sites-enabled/default"}},
		"another on its port":   {sites: map[string]string{siteName: labSite, "shop": shop}, action: KeepNginx, address: labHealth, links: []string{siteLink}, others: []string{"/etc/nginx/sites-enabled/shop"}},
		"another elsewhere":     {sites: map[string]string{siteName: labSite, "default": debianDefault, "far": far}, action: DisableSite, address: labHealth, links: []string{siteLink, "/etc/nginx/sites-enabled/default"}, others: []string{"/etc/nginx/sites-enabled/far"}},
		"no health checks":      {sites: map[string]string{"shop": shop}, action: NoNginx, address: labHealth, others: []string{"/etc/nginx/sites-enabled/shop"}},
		"another port":          {sites: map[string]string{siteName: strings.Replace(labSite, "80;", "8080;", 1)}, action: StopNginx, address: "0.0.0.0:8080"},
		"one address":           {sites: map[string]string{siteName: strings.Replace(labSite, "80;", "10.240.0.10;", 1)}, action: StopNginx, address: "10.240.0.10:80"},
		"both families":         {sites: map[string]string{siteName: strings.Replace(labSite, "80;", "*:80; listen [::]:80;", 1)}, action: StopNginx, address: "[::]:80"},
		"v6 alone":              {sites: map[string]string{siteName: strings.Replace(labSite, "80;", "[2001:db8::1];", 1)}, action: StopNginx, address: "[2001:db8::1]:80"},
		"an exact location":     {sites: map[string]string{siteName: strings.Replace(labSite, "location /healthz", "location = /healthz", 1)}, action: StopNginx, address: labHealth},
		"to something else":     {sites: map[string]string{siteName: strings.ReplaceAll(labSite, "https://", "http://")}, action: NoNginx, address: labHealth, others: []string{siteLink}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			put(t, root, nginxConf, nginxMain)
			for site, text := range test.sites {
				enable(t, root, site, text)
			}
			put(t, root, "/var/www/html/index.nginx-debian.html", "Welcome")
			if test.welcome {
				put(t, root, "/var/www/html/shop/index.html", "Mine")
			}
			h, err := readHealth(root)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(h.links)
			slices.Sort(test.links)
			if h.Action != test.action || h.address() != test.address || !slices.Equal(h.links, test.links) || !slices.Equal(h.Others, test.others) {
				t.Errorf("got %+v at %s", h, h.address())
			}
		})
	}
}

func TestHealthWithoutNginx(t *testing.T) {
	if h, err := readHealth(t.TempDir()); err != nil || h.File != "" || h.Action != NoNginx {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestHealthRefuses(t *testing.T) {
	for name, test := range map[string]struct{ text, says string }{
		"an open block":       {"http { server { listen 80; }", nginxConf + ": the block http"},
		"a block too many":    {"http { } }", nginxConf},
		"an open quote":       {`http { log_format "x; }`, nginxConf + ": the quote"},
		"an end too soon":     {"http { listen", nginxConf + ": listen is not ended"},
		"nothing to end":      {"; http {}", nginxConf},
		"itself":              {"include /etc/nginx/nginx.conf;", "include each other"},
		"two in one file":     {"http { " + labSite + shop + "}", nginxConf + ": nginx serves more than health checks"},
		"a variable left out": {"http { root ${x", "${ is not closed"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			put(t, root, nginxConf, test.text)
			if _, err := readHealth(root); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
	root := t.TempDir()
	put(t, root, nginxConf, nginxMain)
	put(t, root, siteLink, labSite) // a file, not a link
	enable(t, root, "shop", shop)
	if _, err := readHealth(root); err == nil || !strings.Contains(err.Error(), siteLink) {
		t.Errorf("a site that is no link: %v", err)
	}
	if err := os.Remove(filepath.Join(root, siteLink)); err != nil {
		t.Fatal(err)
	}
}

// FuzzNginx has whatever is accepted be whole: as many blocks opened as closed.
func FuzzNginx(f *testing.F) {
	f.Add(nginxMain + debianDefault)
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := nginxTokens(text)
		if err != nil {
			return
		}
		all, rest, err := directives("f", tokens)
		if err != nil || len(rest) > 0 {
			return
		}
		opened := 0
		for _, token := range tokens {
			if token == "{" {
				opened++
			}
		}
		if blocks := countBlocks(all); blocks > opened {
			t.Errorf("%d blocks of %d in %q", blocks, opened, text)
		}
		servers(all)
	})
}

func countBlocks(all []directive) int {
	n := 0
	for _, d := range all {
		if len(d.args) == 0 {
			return 1 << 30
		}
		n += countBlocks(d.block)
		if d.block != nil {
			n++
		}
	}
	return n
}
