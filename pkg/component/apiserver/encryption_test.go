// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig/metrics"
	restclient "k8s.io/client-go/rest"
)

// encrypting is a server whose encryption configuration is in a file.
func encrypting(t *testing.T, content string, flags ...string) (s *Server, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "encryption-config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := Parse(append([]string{"--encryption-provider-config=" + path}, flags...))
	if err != nil {
		t.Fatal(err)
	}
	return New(o, Etcd{}), path
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAReplacedFileIsUsedOnlyOnDemand(t *testing.T) {
	s, path := encrypting(t, "old")
	options, err := s.encryption.serve(s.options)
	if err != nil {
		t.Fatal(err)
	}
	defer s.encryption.close()
	copied := options.Etcd.EncryptionProviderConfigFilepath
	if !options.Etcd.EncryptionProviderConfigAutomaticReload || content(t, copied) != "old" {
		t.Errorf("it is to read %s", copied)
	}
	if s.options.Etcd.EncryptionProviderConfigFilepath != path || s.options.Etcd.EncryptionProviderConfigAutomaticReload {
		t.Error("the flags have changed")
	}
	if err := os.WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := content(t, copied); got != "old" {
		t.Errorf("it reads %q without being told to", got)
	}
	if err := s.UseEncryptionConfig([]byte("new")); err != nil || content(t, copied) != "new" {
		t.Errorf("it reads %q, %v", content(t, copied), err)
	}
}

func TestWhoHasAskedForAutomaticReloadGetsIt(t *testing.T) {
	s, path := encrypting(t, "old", "--encryption-provider-config-automatic-reload=true")
	options, err := s.encryption.serve(s.options)
	if err != nil || options.Etcd.EncryptionProviderConfigFilepath != path {
		t.Errorf("it reads %s, %v", options.Etcd.EncryptionProviderConfigFilepath, err)
	}
	if err := s.UseEncryptionConfig([]byte("new")); err != nil {
		t.Error(err)
	}
}

func TestWithoutAConfigurationThereIsNothingToUse(t *testing.T) {
	o, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := New(o, Etcd{})
	if options, err := s.encryption.serve(o); err != nil || options != o {
		t.Errorf("got other options, %v", err)
	}
	if err := s.UseEncryptionConfig([]byte("new")); err == nil {
		t.Error("it is said to use one")
	}
	s.loopback.Store(&restclient.Config{})
	if got, err := s.EncryptionInForce("x"); got != "" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestWhatIsInForceIsWhatTheServerSays(t *testing.T) {
	s, path := encrypting(t, "old")
	if _, err := s.encryption.serve(s.options); err != nil {
		t.Fatal(err)
	}
	defer s.encryption.close()
	old, err := encryptionconfig.GetEncryptionConfigHash(path)
	if err != nil {
		t.Fatal(err)
	}
	inForce := func(want string) {
		t.Helper()
		if got, err := s.EncryptionInForce("not asked for"); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	inForce("") // not serving yet
	s.loopback.Store(&restclient.Config{})
	metrics.RecordEncryptionConfigLastConfigInfo("this server", old)
	inForce(old)
	if err := s.UseEncryptionConfig([]byte("new")); err != nil {
		t.Fatal(err)
	}
	inForce(old) // it has not looked yet
	metrics.RecordEncryptionConfigLastConfigInfo("this server", s.encryption.wanted)
	if s.encryption.wanted == old {
		t.Error("the new one has the hash of the old one")
	}
	inForce(s.encryption.wanted)
}
