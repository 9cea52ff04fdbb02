// SPDX-License-Identifier: Apache-2.0

// Package buckettest has a store for tests that answers as S3 does, from memory: for
// what a real one is not to be made do in a test. The scenario etcdsnapshot has a
// real one.
package buckettest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Bucket is the name of the store's only bucket.
const Bucket = "backups"

// Store is the store.
type Store struct {
	// URL is its endpoint.
	URL string

	mu      sync.Mutex
	objects map[string][]byte
	refuse  func(w http.ResponseWriter, r *http.Request) bool
}

// New starts a store that ends with the test, and gives the test credentials for it,
// and none from elsewhere.
func New(t *testing.T) *Store {
	t.Helper()
	Credentials(t)
	s := &Store{objects: map[string][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Secret is in the credentials, and in nothing that anybody is told.
const Secret = "secret-that-nobody-may-see"

// Credentials gives the test credentials, and none from elsewhere.
func Credentials(t *testing.T) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": Secret, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
}

// Refuse has refuse answer what it returns true for; nil for nothing.
func (s *Store) Refuse(refuse func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// Set puts an object there; nil takes it away.
func (s *Store) Set(key string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects[key] = data; data == nil {
		delete(s.objects, key)
	}
}

// Objects are the sizes of the objects by their keys.
func (s *Store) Objects() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	sizes := map[string]int{}
	for k, v := range s.objects {
		sizes[k] = len(v)
	}
	return sizes
}

// ServeHTTP implements http.Handler.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil && s.refuse(w, r) {
		return
	}
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"+Bucket), "/")
	switch {
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Amz-Checksum-Sha256") == "" {
			Deny(w, http.StatusBadRequest, "InvalidRequest", "it came without a checksum")
			return
		}
		s.objects[key] = body
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case key == "":
		fmt.Fprint(w, `<ListBucketResult>`)
		for k, v := range s.objects {
			if strings.HasPrefix(k, r.URL.Query().Get("prefix")) {
				fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size></Contents>`, k, len(v))
			}
		}
		fmt.Fprint(w, `</ListBucketResult>`)
	default:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.objects[key]))
	}
}

// Deny answers with an error in S3's words.
func Deny(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<Error><Code>%s</Code><Message>%s</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>`, code, message)
}
