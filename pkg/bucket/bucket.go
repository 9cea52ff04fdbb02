// SPDX-License-Identifier: Apache-2.0

// Package bucket keeps files in a bucket of an object store that speaks S3: put
// there with a checksum, listed, fetched and deleted, with the AWS SDK's usual
// credentials. Nothing takes for ever, and what goes wrong comes back as one line
// with its fix.
package bucket

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Bucket is a bucket that can be reached. Open returns one.
type Bucket struct {
	config Config
	client *s3.Client
}

// Object is one file in a bucket.
type Object struct {
	Key  string
	Size int64
}

// Pace of what is asked of a store.
const (
	// callTimeout is what a listing or a deletion may take, all attempts together.
	callTimeout = time.Minute
	// slowest is how many bytes a second a transfer has to come to.
	slowest = 256 << 10
)

// transferTimeout is what a transfer of size bytes may take.
func transferTimeout(size int64) time.Duration {
	return 2*time.Minute + time.Duration(size/slowest)*time.Second
}

// URL is how people name an object: s3://BUCKET/KEY.
func (b *Bucket) URL(key string) string { return "s3://" + b.config.Name + "/" + key }

// Put puts the file at path into the bucket under key. The store compares what it
// has received with a checksum before it takes it.
func (b *Bucket) Put(ctx context.Context, path, key string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, transferTimeout(info.Size()))
	defer cancel()
	_, err = b.transfers().UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: &b.config.Name, Key: &key, Body: f, ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	})
	if err != nil {
		return b.explain("putting "+b.URL(key), err)
	}
	return nil
}

// Stat returns the object under key. It is looked up in the list: to be asked for
// one alone, a store answers with a number only when something is wrong.
func (b *Bucket) Stat(ctx context.Context, key string) (Object, error) {
	all, err := b.List(ctx, key)
	if err != nil {
		return Object{}, err
	}
	for _, o := range all {
		if o.Key == key {
			return o, nil
		}
	}
	return Object{}, fmt.Errorf("%s is not there; khw-controller etcd snapshot list shows what is", b.URL(key))
}

// Get writes an object to f.
func (b *Bucket) Get(ctx context.Context, o Object, f *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, transferTimeout(o.Size))
	defer cancel()
	if _, err := b.transfers().DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: &b.config.Name, Key: &o.Key, WriterAt: f}); err != nil {
		return b.explain("fetching "+b.URL(o.Key), err)
	}
	return nil
}

// List lists the objects whose keys begin with prefix.
func (b *Bucket) List(ctx context.Context, prefix string) ([]Object, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var all []Object
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.config.Name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, b.explain("listing "+b.URL(prefix), err)
		}
		for _, o := range page.Contents {
			all = append(all, Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size)})
		}
	}
	return all, nil
}

// Delete deletes an object; one that is not there is deleted already.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.config.Name, Key: &key}); err != nil {
		return b.explain("deleting "+b.URL(key), err)
	}
	return nil
}

// transfers is the SDK's upload manager. A control plane has better uses for its
// memory than many parts at once.
func (b *Bucket) transfers() *transfermanager.Client {
	return transfermanager.New(b.client, func(o *transfermanager.Options) {
		o.Concurrency, o.FailTimeout = 2, 10*time.Second
	})
}

// Key is the key of a name below the prefix.
func (c Config) Key(elem ...string) string {
	return path.Join(append([]string{strings.Trim(c.Prefix, "/")}, elem...)...)
}

// IsURL reports whether text names an object as URL does.
func IsURL(text string) bool { return strings.HasPrefix(text, "s3://") }

// ParseURL takes apart what URL makes.
func ParseURL(text string) (name, key string, err error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	name, key, found := strings.Cut(rest, "/")
	if !ok || !found || name == "" || key == "" || strings.HasSuffix(key, "/") {
		return "", "", fmt.Errorf("%q: want s3://BUCKET/KEY", text)
	}
	return name, key, nil
}
