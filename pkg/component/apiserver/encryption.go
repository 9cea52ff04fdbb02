// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"errors"
	"os"
	"sync"
	"time"

	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	encryptionconfigcontroller "k8s.io/apiserver/pkg/server/options/encryptionconfig/controller"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/khw-controller/khw-controller/pkg/memfd"
)

// encryptionPoll is how often it is looked for another encryption configuration;
// upstream does once a minute.
const encryptionPoll = 2 * time.Second

// encryptionConfig is the encryption configuration that the server has in force. A
// file that is replaced is not taken over by itself, unless the user has said so with
// --encryption-provider-config-automatic-reload: a wrong one would have everything
// fail at once that is encrypted. The server therefore reads a copy in memory, with
// upstream's automatic reload, and another one comes there only by
// [Server.UseEncryptionConfig].
type encryptionConfig struct {
	mu     sync.Mutex
	copied *memfd.File // nil where the server reads the file itself
	wanted string      // the hash of what it is to use
	known  string      // the hash of what it was last seen to use
}

// serve returns the options with the copy in the place of the file.
func (e *encryptionConfig) serve(o *Options) (*Options, error) {
	path := o.Etcd.EncryptionProviderConfigFilepath
	if path == "" {
		return o, nil
	}
	encryptionconfigcontroller.EncryptionConfigFileChangePollDuration = encryptionPoll
	if o.Etcd.EncryptionProviderConfigAutomaticReload {
		return o, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := memfd.New("encryption-config", data)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.copied = &file
	if e.wanted, err = encryptionconfig.GetEncryptionConfigHash(file.Path()); err != nil {
		return nil, err
	}
	return o.withEtcd(func(etcd *genericoptions.EtcdOptions) {
		etcd.EncryptionProviderConfigFilepath, etcd.EncryptionProviderConfigAutomaticReload = file.Path(), true
	}), nil
}

func (e *encryptionConfig) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.copied != nil {
		e.copied.Close()
		e.copied = nil
	}
}

var errNoEncryptionConfig = errors.New("the apiserver has no encryption configuration, or is not serving")

// UseEncryptionConfig has the running server take another encryption configuration
// over, which is in the file already. It does so within seconds, see
// [Server.EncryptionInForce], unless the configuration is invalid or a KMS plugin of
// it is not healthy.
func (s *Server) UseEncryptionConfig(data []byte) error {
	e := &s.encryption
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case s.options.Etcd.EncryptionProviderConfigAutomaticReload:
		return nil // it reads the file
	case e.copied == nil:
		return errNoEncryptionConfig
	}
	err := e.copied.Exchange(data)
	if err == nil {
		e.wanted, err = encryptionconfig.GetEncryptionConfigHash(e.copied.Path())
	}
	return err
}

// EncryptionInForce returns the hash of the encryption configuration that the server
// uses, or "" where it has none or does not serve yet. file is the hash of what the
// file holds.
func (s *Server) EncryptionInForce(file string) (string, error) {
	e := &s.encryption
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.loopback.Load() == nil || s.options.Etcd.EncryptionProviderConfigFilepath == "" {
		return "", nil
	}
	wanted := e.wanted
	if s.options.Etcd.EncryptionProviderConfigAutomaticReload {
		wanted = file
	}
	if e.known == wanted {
		return e.known, nil // gathering takes a while
	}
	var err error
	e.known, err = loadedEncryptionConfig()
	return e.known, err
}

// lastConfigInfo is the metric that has the hash of the configuration in force for a
// label (k8s.io/apiserver/pkg/server/options/encryptionconfig/metrics).
const lastConfigInfo = "apiserver_encryption_config_controller_last_config_info"

// loadedEncryptionConfig is what upstream's metrics say.
func loadedEncryptionConfig() (string, error) {
	families, err := legacyregistry.DefaultGatherer.Gather()
	for _, f := range families {
		if f.GetName() != lastConfigInfo {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "hash" {
					return l.GetValue(), nil
				}
			}
		}
	}
	return "", err
}
