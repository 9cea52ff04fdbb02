// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/bucket/buckettest"
)

func open(t *testing.T, s *buckettest.Store) *Bucket {
	t.Helper()
	b, err := Open(t.Context(), Config{Name: buckettest.Bucket, Endpoint: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAFileGoesThereAndBack(t *testing.T) {
	s := buckettest.New(t)
	s.Set("other", []byte{})
	b := open(t, s)
	path := filepath.Join(t.TempDir(), "file")
	data := bytes.Repeat([]byte("data "), 1000)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), path, "node/file"); err != nil {
		t.Fatal(err)
	}
	found, err := b.List(t.Context(), "node/")
	if err != nil || len(found) != 1 || found[0] != (Object{"node/file", int64(len(data))}) {
		t.Errorf("listed: %v, %v", found, err)
	}
	o, err := b.Stat(t.Context(), "node/file")
	if err != nil {
		t.Fatal(err)
	}
	back, err := os.Create(path + "-back")
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if err := b.Get(t.Context(), o, back); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(back.Name()); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	if err := b.Delete(t.Context(), "node/file"); err != nil {
		t.Error(err)
	}
	if _, err := b.Stat(t.Context(), "node/file"); err == nil || !strings.Contains(err.Error(), "s3://backups/node/file is not there") {
		t.Errorf("got %v", err)
	}
}

func TestWhatAStoreRefusesIsOneLineWithItsFix(t *testing.T) {
	for code, test := range map[string]struct {
		status int
		says   []string
	}{
		"NoSuchBucket":          {404, []string{"there is no bucket backups", "--snapshot-s3-bucket"}},
		"AccessDenied":          {403, []string{"may not do that", "s3:PutObject"}},
		"InvalidAccessKeyId":    {403, []string{"does not accept the credentials", "AWS_ACCESS_KEY_ID"}},
		"SignatureDoesNotMatch": {403, []string{"does not accept the credentials"}},
		"ExpiredToken":          {400, []string{"have expired"}},
		"RequestTimeTooSkewed":  {403, []string{"clock", "timedatectl"}},
		"PermanentRedirect":     {301, []string{"another region than us-east-1", "--snapshot-s3-region"}},
		"SlowDown":              {503, []string{"the store failed (SlowDown)", "try again"}},
		"Strange":               {400, []string{"in two lines (Strange)"}},
	} {
		t.Run(code, func(t *testing.T) {
			s := buckettest.New(t)
			s.Refuse(func(w http.ResponseWriter, _ *http.Request) bool {
				buckettest.Deny(w, test.status, code, "in two\nlines")
				return true
			})
			b := open(t, s)
			_, err := b.List(t.Context(), "")
			if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "4442587FB7D0A2F9") || strings.Contains(err.Error(), buckettest.Secret) {
				t.Fatalf("got %v", err)
			}
			for _, says := range append(test.says, "listing s3://backups/: ") {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
		})
	}
}

func TestWhatIsWrongBeforeAnybodyIsAsked(t *testing.T) {
	buckettest.Credentials(t)
	for says, test := range map[string]struct {
		env    map[string]string
		config Config
	}{
		"--snapshot-s3-bucket is not set":                   {nil, Config{}},
		`--snapshot-s3-endpoint "minio:9000" is no URL`:     {nil, Config{Name: "b", Endpoint: "minio:9000"}},
		"--snapshot-s3-ca-file: open /nowhere/ca.pem":       {nil, Config{Name: "b", Region: "r", CAFile: "/nowhere/ca.pem"}},
		"no region is known for the bucket b; set --snapsh": {nil, Config{Name: "b"}},
		"no credentials for the bucket b: ":                 {map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, Config{Name: "b", Region: "r"}},
	} {
		t.Run(says, func(t *testing.T) {
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			if _, err := Open(t.Context(), test.config); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAStoreThatCannotBeReached(t *testing.T) {
	buckettest.Credentials(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	for endpoint, says := range map[string]string{
		"http://" + l.Addr().String(): "refuses the connection: nobody listens there",
		secure.URL:                    "has a certificate of another CA",
	} {
		b, err := Open(t.Context(), Config{Name: "backups", Endpoint: endpoint})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.List(t.Context(), ""); err == nil || !strings.Contains(err.Error(), endpoint+" "+says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

func TestKeysAndURLs(t *testing.T) {
	for prefix, want := range map[string]string{"": "node/name", "/a/b/": "a/b/node/name", "a": "a/node/name"} {
		if got := (Config{Prefix: prefix}).Key("node", "name"); got != want {
			t.Errorf("below %q: %q, want %q", prefix, got, want)
		}
	}
	if name, key, err := ParseURL("s3://backups/a/b.db"); name != "backups" || key != "a/b.db" || err != nil {
		t.Errorf("got %q, %q, %v", name, key, err)
	}
	for _, bad := range []string{"", "s3://", "s3://b", "s3://b/", "s3:///k", "s3://b/dir/", "https://b/k"} {
		if _, _, err := ParseURL(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestWhatIsDamagedInTheStoreIsNotTaken(t *testing.T) {
	s := buckettest.New(t)
	b := open(t, s)
	s.Set("key", []byte("data"))
	s.Refuse(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("prefix") {
			return false
		}
		w.Header().Set("X-Amz-Checksum-Sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=") // of nothing
		_, _ = w.Write([]byte("data"))
		return true
	})
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := b.Get(t.Context(), Object{"key", 4}, f); err == nil || !strings.Contains(err.Error(), "it is damaged there") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}
