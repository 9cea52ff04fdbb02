// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"
	signerconfig "k8s.io/kubernetes/pkg/controller/certificates/signer/config"

	"github.com/khw-controller/khw-controller/pkg/memfd"
)

// signersRefresh is how often the files of the signing CAs are read again.
const signersRefresh = 10 * time.Second

// signers are the documents that the stock controllers sign with instead of the
// files: each has exactly one certificate and its key. With a bundle, the stock
// signer ends the whole component with "expected 1 certificate, found 2"
// (pkg/controller/certificates/signer/ca_provider.go, setCA). The signer watches a
// document as it would the files.
type signers []*signer

type signer struct {
	certFile, keyFile string // the user's
	content           []byte
	document          memfd.File
	problem           string // that was logged last
}

// newSigners makes the documents for a configuration and enters them there.
func newSigners(c *signerconfig.CSRSigningControllerConfiguration) (signers, error) {
	var all signers
	for _, f := range signingFiles(c) {
		if *f.cert == "" || *f.key == "" {
			continue // what that means is for the controller to say
		}
		s, err := newSigner(*f.cert, *f.key)
		if err != nil {
			all.close()
			return nil, fmt.Errorf("--%s-cert-file and --%s-key-file: %w", f.flag, f.flag, err)
		}
		all = append(all, s)
		*f.cert, *f.key = s.document.Path(), s.document.Path()
	}
	return all, nil
}

func newSigner(certFile, keyFile string) (*signer, error) {
	content, err := readSigner(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	document, err := memfd.New(filepath.Base(certFile), content)
	if err != nil {
		return nil, err
	}
	return &signer{certFile: certFile, keyFile: keyFile, content: content, document: document}, nil
}

// follow takes over what the files hold, until stop is called. Only then may they
// be closed.
func (all signers) follow(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { wait.UntilWithContext(ctx, all.refresh, signersRefresh) })
	return func() { cancel(); wg.Wait() }
}

func (all signers) refresh(context.Context) {
	for _, s := range all {
		problem := ""
		if err := s.refresh(); err != nil {
			problem = err.Error()
		}
		if problem != "" && problem != s.problem {
			klog.InfoS("The signing CA cannot be read again; the former one signs", "problem", problem)
		}
		s.problem = problem
	}
}

func (s *signer) refresh() error {
	content, err := readSigner(s.certFile, s.keyFile)
	if err != nil || bytes.Equal(content, s.content) {
		return err
	}
	s.content = content
	klog.InfoS("The signing CA has changed", "file", s.certFile)
	return s.document.Replace(content)
}

func (all signers) close() {
	for _, s := range all {
		s.document.Close()
	}
}
