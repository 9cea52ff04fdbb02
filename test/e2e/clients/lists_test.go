// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// A long list, of which a client asks for pages.
const (
	many     = "many" // its namespace
	manyMaps = 5000
	page     = 500
)

// informed is a client that follows the ConfigMaps of the long list.
type informed struct {
	lister corelisters.ConfigMapNamespaceLister

	mu      sync.Mutex
	deleted []string
}

// inform makes the namespace, and starts the client.
func inform(c *harness.Controller) *informed {
	c.Helper()
	client := c.Client()
	_, err := client.CoreV1().Namespaces().Create(c.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: many}}, metav1.CreateOptions{})
	c.Must(err)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(many))
	maps := factory.Core().V1().ConfigMaps()
	i := &informed{lister: maps.Lister().ConfigMaps(many)}
	_, err = maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: func(o any) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if name, err := cache.DeletionHandlingObjectToName(o); err == nil {
			i.deleted = append(i.deleted, name.Name)
		}
	}})
	c.Must(err)
	stop := make(chan struct{})
	factory.Start(stop)
	c.Cleanup(func() { close(stop); factory.Shutdown() })
	return i
}

// pages makes the long list, lists it in pages, and returns with what a client would
// ask for the second one.
func pages(c *harness.Controller) string {
	c.Helper()
	maps := c.Client().CoreV1().ConfigMaps(many)
	c.Must(cluster.Parallel(c.Context(), 16, manyMaps, func(ctx context.Context, i int) error {
		_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("map-%04d", i)}}, metav1.CreateOptions{})
		return err
	}))
	first, err := maps.List(c.Context(), metav1.ListOptions{Limit: page})
	c.Must(err)
	token := first.Continue
	// The last one of all pages is made while they are read: it is not of this list.
	_, err = maps.Create(c.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "map-later"}}, metav1.CreateOptions{})
	c.Must(err)
	seen, asked := map[string]bool{}, 1
	for list := first; ; asked++ {
		if list.ResourceVersion != first.ResourceVersion || len(list.Items) > page {
			c.Fatalf("page %d has %d objects, as of %s; the first was of %s", asked, len(list.Items), list.ResourceVersion, first.ResourceVersion)
		}
		for _, m := range list.Items {
			if seen[m.Name] {
				c.Errorf("%s is listed twice", m.Name)
			}
			seen[m.Name] = true
		}
		if list.Continue == "" {
			break
		}
		if left := list.RemainingItemCount; left == nil || int(*left) < manyMaps-len(seen) {
			c.Errorf("after %d objects, it says that %v remain", len(seen), left)
		}
		list, err = maps.List(c.Context(), metav1.ListOptions{Limit: page, Continue: list.Continue})
		c.Must(err)
	}
	if seen["map-later"] || !seen["map-0000"] || !seen[fmt.Sprintf("map-%04d", manyMaps-1)] || len(seen) < manyMaps {
		c.Errorf("%d objects are listed, in %d pages", len(seen), asked)
	}
	if names := strings.Count(c.Kubectl("get", "configmaps", "-n", many, "--chunk-size=500", "-o", "name"), "configmap/map-"); names != manyMaps+1 {
		c.Errorf("kubectl get --chunk-size lists %d", names)
	}
	return token
}

// compact has etcd forget all that was.
func compact(c *harness.Controller, etcd *clientv3.Client) {
	c.Helper()
	now, err := etcd.Get(c.Context(), "/")
	c.Must(err)
	_, err = etcd.Compact(c.Context(), now.Header.Revision)
	c.Must(err)
}

// expires wants a token of before etcd was compacted to be refused as upstream does: with
// 410, and a token by which the rest can be had as it is now.
func expires(c *harness.Controller, token string) {
	c.Helper()
	maps := c.Client().CoreV1().ConfigMaps(many)
	_, err := maps.List(c.Context(), metav1.ListOptions{Limit: page, Continue: token})
	var status apierrors.APIStatus
	if !apierrors.IsResourceExpired(err) || !errors.As(err, &status) || status.Status().Code != 410 || status.Status().Continue == "" {
		c.Fatalf("a token that has expired is answered with %v", err)
	}
	rest, err := maps.List(c.Context(), metav1.ListOptions{Continue: status.Status().Continue})
	c.Must(err)
	if len(rest.Items) < manyMaps-page || rest.Items[len(rest.Items)-1].Name != "map-later" {
		c.Errorf("the rest of the list has %d objects", len(rest.Items))
	}
}

// follows wants the client to know everything that happened, and to learn what happens
// after the restart of the controller.
func (i *informed) follows(c *harness.Controller) {
	c.Helper()
	maps := c.Client().CoreV1().ConfigMaps(many)
	_, err := maps.Create(c.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "after"}}, metav1.CreateOptions{})
	c.Must(err)
	c.Must(maps.Delete(c.Context(), "map-0042", metav1.DeleteOptions{}))
	c.Eventually("the informer to know what changed", func(context.Context) error {
		if _, err := i.lister.Get("after"); err != nil {
			return err
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		if len(i.deleted) != 1 || i.deleted[0] != "map-0042" {
			return fmt.Errorf("it knows of these deletions: %q", i.deleted)
		}
		return nil
	})
	for n := range manyMaps {
		if name := fmt.Sprintf("map-%04d", n); n != 42 {
			if _, err := i.lister.Get(name); err != nil {
				c.Fatal(err)
			}
		}
	}
}

// owner has an object of another one, for the garbage collector.
type owner string

// leave makes an object that goes with its owner.
func leave(c *harness.Controller) owner {
	c.Helper()
	maps := c.Client().CoreV1().ConfigMaps("default")
	parent, err := maps.Create(c.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}, metav1.CreateOptions{})
	c.Must(err)
	_, err = maps.Create(c.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: "owned", OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: parent.Name, UID: parent.UID}},
	}}, metav1.CreateOptions{})
	c.Must(err)
	return owner(parent.Name)
}

// goes deletes the owner, and wants the other object to be deleted while some of the
// cluster's APIs fail.
func (o owner) goes(c *harness.Controller) {
	c.Helper()
	c.Must(c.Client().CoreV1().ConfigMaps("default").Delete(c.Context(), string(o), metav1.DeleteOptions{}))
	c.Eventually("garbage to be collected", func(ctx context.Context) error {
		if _, err := c.Client().CoreV1().ConfigMaps("default").Get(ctx, "owned", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there (%w)", err)
		}
		return nil
	})
}
