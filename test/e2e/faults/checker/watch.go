// SPDX-License-Identifier: Apache-2.0

package checker

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// source is what is listed and watched.
type source struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
	// listed is told what was listed, up to a revision, and seen what came.
	listed func(revision int64, items []runtime.Object)
	seen   func(revision int64, object runtime.Object)
}

// follow lists once and watches from there on, over every interruption, as
// Kubernetes' own clients do; it lists again only when the server says that the
// past is gone.
func (s source) follow(ctx context.Context) {
	revision := ""
	for ctx.Err() == nil {
		var err error
		if revision == "" {
			revision, err = s.begin(ctx)
		} else {
			revision, err = s.goOn(ctx, revision)
		}
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
}

func (s source) begin(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	list, err := s.list(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	accessor, err := meta.ListAccessor(list)
	if err != nil {
		return "", err
	}
	at, err := strconv.ParseInt(accessor.GetResourceVersion(), 10, 64)
	if err != nil {
		return "", err
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return "", err
	}
	s.listed(at, items)
	return accessor.GetResourceVersion(), nil
}

// goOn watches from a revision until the watch ends, and returns where the next one
// has to begin, "" where that has to be a new list.
func (s source) goOn(ctx context.Context, revision string) (string, error) {
	w, err := s.watch(ctx, metav1.ListOptions{ResourceVersion: revision, AllowWatchBookmarks: true})
	if err != nil {
		return next(revision, err)
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		if e.Type == watch.Error {
			return next(revision, apierrors.FromObject(e.Object))
		}
		accessor, err := meta.Accessor(e.Object)
		if err != nil {
			return revision, err
		}
		revision = accessor.GetResourceVersion()
		if e.Type == watch.Bookmark {
			continue
		}
		at, err := strconv.ParseInt(revision, 10, 64)
		if err != nil {
			return "", fmt.Errorf("a revision: %w", err)
		}
		s.seen(at, e.Object)
	}
	return revision, nil
}

// next is where the next watch begins after an error.
func next(revision string, err error) (string, error) {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return "", err
	}
	return revision, err
}

// watch follows the objects that the clients write.
func (c *Checker) watch(ctx context.Context, client kubernetes.Interface, name string) {
	maps := client.CoreV1().ConfigMaps(c.namespace)
	source{
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return maps.List(ctx, o) },
		watch: maps.Watch,
		listed: func(revision int64, _ []runtime.Object) {
			c.see(name, Event{List: true, Revision: revision, At: time.Now()})
		},
		seen: func(revision int64, object runtime.Object) {
			if m, ok := object.(*corev1.ConfigMap); ok {
				c.see(name, Event{Object: m.Name, Version: versionOf(m), Revision: revision, At: time.Now()})
			}
		},
	}.follow(ctx)
}
