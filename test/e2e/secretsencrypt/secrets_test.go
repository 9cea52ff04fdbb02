// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// secrets are made and read all the time; nothing of that may fail.
type secrets struct {
	*harness.Env
	acknowledged atomic.Int64
	stop         func()
}

// pace is the pause between two of them.
const pace = 20 * time.Millisecond

func startSecrets(e *harness.Env, client kubernetes.Interface) *secrets {
	e.Helper()
	s := &secrets{Env: e}
	s.goOn(client)
	return s
}

// goOn makes more of them.
func (s *secrets) goOn(client kubernetes.Interface) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			i := s.acknowledged.Load()
			err := s.makeOne(client, i)
			if err != nil && ctx.Err() == nil {
				s.Errorf("secret %d: %v", i, err)
				return
			}
			s.acknowledged.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(pace): // they are all rewritten, again and again
			}
		}
	})
	s.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	s.Cleanup(s.stop)
}

// makeOne makes a secret, and reads one from before.
func (s *secrets) makeOne(client kubernetes.Interface, i int64) error {
	all := client.CoreV1().Secrets(metav1.NamespaceDefault)
	made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name(i)}, Data: map[string][]byte{"k": []byte(name(i))}}
	if _, err := all.Create(s.Context(), made, metav1.CreateOptions{}); err != nil {
		return err
	}
	// From etcd, not from the apiserver's cache.
	_, err := all.Get(s.Context(), name(i/2), metav1.GetOptions{})
	return err
}

func name(i int64) string { return fmt.Sprintf("secret-%06d", i) }

// awaitMore waits until there are so many more.
func (s *secrets) awaitMore(more int64) {
	s.Helper()
	from := s.acknowledged.Load()
	s.Eventually(fmt.Sprintf("%d more secrets", more), func(context.Context) error {
		if got := s.acknowledged.Load() - from; got < more {
			return fmt.Errorf("there are %d", got)
		}
		return nil
	})
}

// mustAllBeThere wants all of them to be readable, with what was in them.
func (s *secrets) mustAllBeThere(client kubernetes.Interface) {
	s.Helper()
	count := s.acknowledged.Load()
	found, err := client.CoreV1().Secrets(metav1.NamespaceDefault).List(s.Context(), metav1.ListOptions{})
	s.Must(err)
	there := map[string]bool{}
	for _, f := range found.Items {
		there[f.Name] = string(f.Data["k"]) == f.Name
	}
	for i := range count {
		if !there[name(i)] {
			s.Errorf("%s is not there as it was made", name(i))
		}
	}
	s.Logf("%d secrets are there as they were made", count)
}
