// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// optionFiles are the files that options name and components load.
func optionFiles() []member {
	var all []member
	for _, flag := range []string{
		"audit-policy-file", "admission-control-config-file", "tracing-config-file", "egress-selector-config-file", "authentication-config",
		"authentication-token-webhook-config-file",
	} {
		for name, text := range map[string]string{"a word": "hello", "another kind": "apiVersion: v1\nkind: ConfigMap\n"} {
			all = append(all, member{name: flag + " is " + name, spoil: func(c *harness.Controller) { file(c, flag, text) }, says: flag})
		}
		all = append(all,
			member{name: flag + " is missing", args: []string{apiArg, flag + "=ROOT/nowhere"}, says: "ROOT/nowhere"},
			member{name: flag + " is a named pipe", says: flag, spoil: func(c *harness.Controller) {
				c.Must(syscall.Mkfifo(filepath.Join(c.Dir, flag), 0o600))
				c.Args = append(c.Args, apiArg, flag+"="+filepath.Join(c.Dir, flag))
			}})
	}
	return all
}

// notPEM are the contents of files that hold neither a certificate nor a key.
func notPEM(c *harness.Controller, good string) map[string][]byte {
	c.Helper()
	data := read(c, good)
	block, _ := pem.Decode(data)
	return map[string][]byte{
		"nothing":      nil,
		"blank lines":  []byte("\n\n"),
		"DER":          block.Bytes,
		"order mark":   append([]byte("\xef\xbb\xbf"), data...),
		"half of it":   data[:len(data)/2],
		"UTF-16":       utf16(data),
		"text":         []byte("see the wiki\n"),
		"binary":       {0x7f, 'E', 'L', 'F', 0, 0xff},
		"no BEGIN":     bytes.ReplaceAll(data, []byte("-----BEGIN"), []byte("----BEGIN")),
		"base64 alone": []byte("TUlJ\n"),
	}
}

// spoiledAs returns members that put what notPEM returns in place of a file.
func spoiledAs(good, put, says string) []member {
	var all []member
	for _, name := range []string{"nothing", "blank lines", "DER", "order mark", "half of it", "UTF-16", "text", "binary", "no BEGIN", "base64 alone"} {
		all = append(all, member{name: put + " is " + name, says: says, spoil: func(c *harness.Controller) {
			c.Must(os.WriteFile(c.Lab(put), notPEM(c, good)[name], 0o600))
		}})
	}
	return all
}

func bundles() []member {
	return slices.Concat(spoiledAs("ca.pem", "ca.pem", "ca.pem"), []member{
		{name: "ca.pem is a key", spoil: func(c *harness.Controller) { copyFile(c, "ca-key.pem", c, "ca.pem") }, says: "ca.pem"},
		{name: "ca.pem is no CA's", spoil: func(c *harness.Controller) { copyFile(c, "kubernetes.pem", c, "ca.pem") }, says: "ca.pem"},
		{name: "ca.pem is another CA's", spoil: func(c *harness.Controller) { copyFile(stranger(c), "ca.pem", c, "ca.pem") }, says: "not signed by"},
		{name: "the front proxy's CA is missing", args: []string{apiArg, "requestheader-client-ca-file=ROOT/nowhere"}, says: "ROOT/nowhere"},
		{name: "the kubelets' CA is text", spoil: func(c *harness.Controller) { file(c, "kubelet-certificate-authority", "hello") }, says: "kubelet-certificate-authority"},
		{name: "etcd's CA is text", spoil: func(c *harness.Controller) { file(c, "etcd-cafile", "hello") }, says: "etcd-cafile"},
	})
}

func privateKeys() []member {
	return slices.Concat(
		spoiledAs("kubernetes-key.pem", "kubernetes-key.pem", "kubernetes-key.pem"),
		[]member{
			{name: "a certificate", spoil: func(c *harness.Controller) { copyFile(c, "ca.pem", c, "kubernetes-key.pem") }, says: "kubernetes-key.pem"},
			{name: "another's", spoil: func(c *harness.Controller) { copyFile(c, "ca-key.pem", c, "kubernetes-key.pem") }, says: "kubernetes-key.pem"},
			{name: "encrypted", spoil: func(c *harness.Controller) {
				c.Must(os.WriteFile(c.Lab("kubernetes-key.pem"), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), 0o600))
			}, says: "encrypted"},
			{name: "the signer's is another's", spoil: func(c *harness.Controller) { copyFile(c, "kubernetes-key.pem", c, "ca-key.pem") }, says: "ca-key.pem"},
		},
	)
}

func kubeconfigs() []member {
	const name = "kube-scheduler.kubeconfig"
	put := func(c *harness.Controller, text string) { c.Must(os.WriteFile(c.Lab(name), []byte(text), 0o600)) }
	edit := func(key string, value any) func(c *harness.Controller) {
		return func(c *harness.Controller) {
			var doc map[string]any
			c.Must(yaml.Unmarshal(read(c, c.Lab(name)), &doc))
			at, keys := any(doc), strings.Split(key, ".")
			for _, k := range keys[:len(keys)-1] {
				if list, ok := at.(map[string]any)[k].([]any); ok {
					at = list[0]
				} else {
					at = at.(map[string]any)[k]
				}
			}
			at.(map[string]any)[keys[len(keys)-1]] = value
			data, err := yaml.Marshal(doc)
			c.Must(err)
			put(c, string(data))
		}
	}
	return slices.Concat(
		each(put, name, map[string]string{
			"nothing": "", "text": "hello", "a tab": "kind: Config\n\tx: y\n", "a list": "- a\n", "another kind": "apiVersion: v1\nkind: Secret\n",
			"no cluster": "apiVersion: v1\nkind: Config\n",
		}),
		[]member{
			{name: "a user without a credential", spoil: edit("users.user", map[string]any{}), says: name},
			{name: "a context that is not there", spoil: edit("current-context", "nope"), says: name},
			{name: "a server that is no URL", spoil: edit("clusters.cluster.server", "https://a b"), says: name},
			{name: "a CA that is no PEM", spoil: edit("clusters.cluster.certificate-authority-data", "aGVsbG8="), says: name},
			{name: "a CA that is no base64", spoil: edit("clusters.cluster.certificate-authority-data", "%"), says: name},
			{name: "a key that is no PEM", spoil: edit("users.user.client-key-data", "aGVsbG8="), says: name},
			{name: "a cluster that is not there", spoil: edit("contexts.context.cluster", "nope"), says: name},
		},
	)
}

func encryptionConfigs() []member {
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n"
	put := func(c *harness.Controller, text string) {
		c.Must(os.WriteFile(c.Lab("encryption-config.yaml"), []byte(text), 0o600))
	}
	of := func(provider string) string {
		return head + "resources: [{resources: [secrets], providers: [" + provider + ", identity: {}]}]\n"
	}
	return each(put, "encryption-config.yaml", map[string]string{
		"nothing": "", "text": "hello", "another kind": "apiVersion: v1\nkind: Secret\n", "another version": "apiVersion: v2\nkind: EncryptionConfig\n",
		"no resources": head + "resources: []\n", "a tab": head + "\tx: y\n",
		"a short key":         of("aescbc: {keys: [{name: a, secret: c2hvcnQ=}]}"),
		"no key":              of("aescbc: {keys: []}"),
		"a key without name":  of("aescbc: {keys: [{secret: MTIzNDU2Nzg5MDEyMzQ1Ng==}]}"),
		"no base64":           of("secretbox: {keys: [{name: a, secret: '%'}]}"),
		"an unknown provider": of("rot13: {keys: [{name: a, secret: MTIzNDU2Nzg5MDEyMzQ1Ng==}]}"),
		"KMS without address": of("kms: {apiVersion: v2, name: a}"),
		"no resource's name":  head + "resources: [{resources: [], providers: [identity: {}]}]\n",
		"no provider":         head + "resources: [{resources: [secrets], providers: []}]\n",
	})
}

// noFiles are what stands where a file should be.
func noFiles() []member {
	replace := map[string]func(string) error{
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"a link to nowhere": func(path string) error {
			return os.Symlink(filepath.Join(filepath.Dir(path), "nowhere"), path)
		},
		"a link to itself": func(path string) error { return os.Symlink(path, path) },
		"a named pipe":     func(path string) error { return syscall.Mkfifo(path, 0o600) },
	}
	var all []member
	for what, put := range replace {
		for _, name := range []string{"ca.pem", "kubernetes-key.pem", "encryption-config.yaml", "kube-scheduler.kubeconfig"} {
			all = append(all, member{name: name + " is " + what, says: name, spoil: func(c *harness.Controller) {
				c.Must(os.Remove(c.Lab(name)))
				c.Must(put(c.Lab(name)))
			}})
		}
	}
	return all
}

func read(c *harness.Controller, path string) []byte {
	c.Helper()
	if !filepath.IsAbs(path) {
		path = c.Lab(path)
	}
	data, err := os.ReadFile(path)
	c.Must(err)
	return data
}

// utf16 is ASCII as Windows writes it.
func utf16(ascii []byte) []byte {
	out := []byte("\xff\xfe")
	for _, b := range ascii {
		out = append(out, b, 0)
	}
	return out
}
