// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// packed saves a pack of a few keys and two files, to an identity.
func packed(t *testing.T, root string, to age.Recipient) (p Packed, files []string) {
	t.Helper()
	c, client, stop := start(t, t.TempDir())
	put(t, client, 20)
	for _, name := range []string{"var/lib/kubernetes/ca-key.pem", "var/lib/kubernetes/encryption-config.yaml"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("secret of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	dir := t.TempDir()
	p, err := SavePacked(t.Context(), c, dir, root, append(slices.Clone(files), filepath.Join(root, "not-there.pem")), []age.Recipient{to})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if got := names(t, dir); !slices.Equal(got, []string{filepath.Base(p.Path)}) || !strings.HasSuffix(p.Path, "-r22.tar.age") {
		t.Errorf("in the directory: %v", got)
	}
	if !slices.Equal(p.Files, []string{"/var/lib/kubernetes/ca-key.pem", "/var/lib/kubernetes/encryption-config.yaml"}) {
		t.Errorf("packed: %v", p.Files)
	}
	return p, files
}

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	i, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestWhatIsPackedIsRestored(t *testing.T) {
	root, i := t.TempDir(), identity(t)
	p, files := packed(t, root, i.Recipient())
	data, err := os.ReadFile(p.Path)
	if err != nil || bytes.Contains(data, []byte("secret of")) || !IsPack(p.Path) {
		t.Errorf("it is not encrypted, %v", err)
	}
	if all, err := ListAll(filepath.Dir(p.Path)); err != nil || len(all) != 1 || !all[0].Packed || all[0].Revision != 22 {
		t.Errorf("listed: %+v, %v", all, err)
	}
	if all, err := Prune(filepath.Dir(p.Path), 0); err != nil || len(all) > 0 {
		t.Errorf("pruned: %+v, %v", all, err)
	}

	other, work := t.TempDir(), t.TempDir()
	left := filepath.Join(work, ".etcd-pack-1") // by one that was killed
	if err := os.MkdirAll(filepath.Join(left, "etcd.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	unpack := func() *Unpacked {
		t.Helper()
		u, err := Unpack(p.Path, work, other, []age.Identity{i})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(u.Close)
		return u
	}
	journal := filepath.Join(other, "var/lib/kubernetes/change")
	theirs := filepath.Join(other, "var/lib/kubernetes/encryption-config.yaml")
	if err := os.MkdirAll(filepath.Dir(theirs), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(theirs, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := member(t)
	m.InitialCluster = "a=" + m.PeerURLs[0]
	u := unpack()
	if _, _, err := RestoreUnpacked(u, m, journal); err == nil || !strings.Contains(err.Error(), theirs+" is there with another content") {
		t.Errorf("over another's file: %v", err)
	}
	if got := names(t, filepath.Dir(theirs)); !slices.Equal(got, []string{"encryption-config.yaml"}) || len(names(t, m.DataDir)) > 0 {
		t.Errorf("a refused restore has left %v, %v", got, names(t, m.DataDir))
	}
	if err := os.Remove(theirs); err != nil {
		t.Fatal(err)
	}
	// A member that cannot be made takes the files with it.
	wrong := m
	wrong.Name = "z"
	if _, _, err := RestoreUnpacked(u, wrong, journal); err == nil {
		t.Error("restored for another")
	}
	u.Close()
	if got := names(t, filepath.Dir(theirs)); len(got) > 0 || len(names(t, m.DataDir)) > 0 {
		t.Errorf("a failed restore has left %v, %v", got, names(t, m.DataDir))
	}
	for range 2 { // the second time, the files are there
		u := unpack()
		if _, _, err := RestoreUnpacked(u, m, journal); err != nil {
			t.Fatal(err)
		}
		u.Close()
		for _, f := range files {
			path := filepath.Join(other, strings.TrimPrefix(f, root))
			got, err := os.ReadFile(path)
			want, _ := os.ReadFile(f)
			if info, statErr := os.Stat(path); err != nil || statErr != nil || !bytes.Equal(got, want) || info.Mode() != 0o600 {
				t.Errorf("%s: %q, %v, %v", path, got, info, err)
			}
		}
		if got := names(t, work); len(got) > 0 {
			t.Errorf("unpacked files are left: %v", got)
		}
		_, client, stop := start(t, m.DataDir)
		if resp, err := client.Get(t.Context(), "/registry/", clientv3.WithPrefix()); err != nil || resp.Count != 19 {
			t.Errorf("restored: %v, %v", resp, err)
		}
		stop()
		if err := os.RemoveAll(m.DataDir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsNoPackIsRefused(t *testing.T) {
	i := identity(t)
	p, _ := packed(t, t.TempDir(), i.Recipient())
	good, err := os.ReadFile(p.Path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 1
	empty := encrypted(t, i, "")
	passphrase, err := age.NewScryptIdentity("another")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content []byte
		with    age.Identity
		says    string
	}{
		"another's identity":           {good, identity(t), "does not open it"},
		"a passphrase":                 {good, passphrase, "does not open it"},
		"truncated":                    {good[:len(good)/2], i, "a part of it is missing"},
		"truncated in its header":      {good[:100], i, "cannot be decrypted"},
		"truncated by its last bytes":  {good[:len(good)-10], i, "a part of it is missing"},
		"one bit flipped":              {flipped, i, "is damaged"},
		"with more at its end":         {append(slices.Clone(good), "more"...), i, "is damaged"},
		"of something else":            {encrypted(t, i, "no archive at all"), i, "is damaged"},
		"an empty one":                 {empty, i, "there is no snapshot in it"},
		"no pack, but with its header": {[]byte(packHeader + "v9\n"), i, "cannot be decrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			path, work := filepath.Join(t.TempDir(), "file"), t.TempDir()
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Unpack(path, work, t.TempDir(), []age.Identity{test.with})
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if got := names(t, work); len(got) > 0 {
				t.Errorf("left: %v", got)
			}
		})
	}
}

// encrypted is text as age encrypts it.
func encrypted(t *testing.T, to *age.X25519Identity, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestKeysOfSSHAreTaken(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRecipient(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " somebody@somewhere")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, block *pem.Block) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	with, err := ReadIdentities(write("plain", plain))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := packed(t, t.TempDir(), r)
	u, err := Unpack(p.Path, t.TempDir(), t.TempDir(), with)
	if err != nil {
		t.Fatal(err)
	}
	u.Close()
	if _, err := ReadIdentities(write("locked", locked)); err == nil || !strings.Contains(err.Error(), "ssh-keygen -p") {
		t.Errorf("a locked key: %v", err)
	}
	if _, err := ReadIdentities(p.Path); err == nil || !strings.Contains(err.Error(), "holds no private key") {
		t.Errorf("no key: %v", err)
	}
	for _, bad := range []string{"", "age1", "ssh-ed25519 AAAA", "AGE-SECRET-KEY-1", identity(t).Recipient().String() + "\n" + identity(t).Recipient().String()} {
		if _, err := ParseRecipient(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestAFullDiskLeavesNoPack has the disk fill up in the middle of a pack.
func TestAFullDiskLeavesNoPack(t *testing.T) {
	c, client, _ := start(t, t.TempDir())
	put(t, client, 100)
	s, to := save(t, c, t.TempDir()), identity(t).Recipient()
	onSmallDisk(t, func(dir string) {
		if _, _, err := pack(dir, s.Path, "", nil, []age.Recipient{to}); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("got %v", err)
		}
	})
}
