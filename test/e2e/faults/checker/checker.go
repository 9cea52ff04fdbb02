// SPDX-License-Identifier: Apache-2.0

package checker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
)

// Clients of each kind, and watches.
const (
	kept    = "kept"
	fresh   = "new"
	each    = 2
	watches = 2
)

const (
	// pause is what a client waits between two requests.
	pause = 80 * time.Millisecond
	// timeout is when a client gives up.
	timeout = 10 * time.Second
	// perObject is how many versions of an object are written.
	perObject = 3
)

// Checker are clients at work in a namespace of their own.
type Checker struct {
	History
	Work

	namespace       string
	rest, cancel    context.CancelFunc
	using, watching sync.WaitGroup
}

// Start has clients write, read and watch in a new namespace until Stop: some on
// connections that they keep, some on a new one for each request. Somebody else
// makes Deployments, for the controllers and the scheduler to work.
func Start(ctx context.Context, config *restclient.Config, namespace string) (*Checker, error) {
	ctx, cancel := context.WithCancel(ctx)
	use, rest := context.WithCancel(ctx)
	c := &Checker{namespace: namespace, rest: rest, cancel: cancel}
	for i := range each {
		for kind, transport := range map[string]func(*restclient.Config) (*restclient.Config, error){kept: keeping, fresh: renewing} {
			client, err := newClient(config, transport)
			if err != nil {
				cancel()
				return nil, err
			}
			name := fmt.Sprintf("%s-%d", kind, i)
			c.using.Go(func() { c.use(use, client, name) })
		}
	}
	client, err := newClient(config, endless)
	if err != nil {
		cancel()
		return nil, err
	}
	for i := range watches {
		c.watching.Go(func() { c.watch(ctx, client, fmt.Sprintf("watch-%d", i)) })
	}
	worker, err := newClient(config, keeping)
	if err != nil {
		cancel()
		return nil, err
	}
	c.using.Go(func() { c.work(use, worker, namespace) })
	c.watching.Go(func() { c.watchPods(ctx, client, namespace) })
	return c, nil
}

// Rest ends the clients. What they have done is still watched.
func (c *Checker) Rest() {
	c.rest()
	c.using.Wait()
}

// Stop ends everything. The history is complete then.
func (c *Checker) Stop() {
	c.cancel()
	c.using.Wait()
	c.watching.Wait()
}

func newClient(config *restclient.Config, transport func(*restclient.Config) (*restclient.Config, error)) (*kubernetes.Clientset, error) {
	config, err := transport(restclient.CopyConfig(config))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// keeping has a client keep its connection, as client-go does.
func keeping(config *restclient.Config) (*restclient.Config, error) {
	config.Timeout = timeout
	return config, nil
}

// endless is for watches.
func endless(config *restclient.Config) (*restclient.Config, error) { return config, nil }

// renewing has a client make a connection for each request.
func renewing(config *restclient.Config) (*restclient.Config, error) {
	tls, err := restclient.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	config.Transport = &http.Transport{TLSClientConfig: tls, DialContext: config.Dial, DisableKeepAlives: true}
	config.TLSClientConfig, config.Dial = restclient.TLSClientConfig{}, nil
	config.Timeout = timeout
	return config, nil
}

// use writes objects and reads them until ctx ends.
func (c *Checker) use(ctx context.Context, client kubernetes.Interface, name string) {
	for i := 0; ctx.Err() == nil; i++ {
		object := fmt.Sprintf("%s-%d", name, i)
		for version := 1; version <= perObject && ctx.Err() == nil; version++ {
			if !c.ask(ctx, func() Op { return c.write(ctx, client, object, version) }, name) {
				break // it may be there, or not: on to another one
			}
			c.ask(ctx, func() Op { return c.read(ctx, client, object) }, name)
		}
	}
}

// ask records a request, unless it was cut off by the end, and reports whether it
// was answered well.
func (c *Checker) ask(ctx context.Context, request func() Op, client string) bool {
	began := time.Now()
	op := request()
	op.Client, op.Began, op.Ended = client, began, time.Now()
	if ctx.Err() != nil && op.Err != "" {
		return false
	}
	c.add(op)
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
	return op.Err == ""
}

// The requests are never made again behind our back, other than by HTTP itself.

func (c *Checker) write(ctx context.Context, client kubernetes.Interface, object string, version int) Op {
	op := Op{Verb: Create, Object: object, Version: version}
	request := client.CoreV1().RESTClient().Post()
	if version > 1 {
		op.Verb = Update
		request = client.CoreV1().RESTClient().Put().Name(object)
	}
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: object}, Data: map[string]string{versionKey: strconv.Itoa(version)}}
	answer := &corev1.ConfigMap{}
	err := request.Namespace(c.namespace).Resource("configmaps").Body(m).MaxRetries(0).Do(ctx).Into(answer)
	if err == nil {
		op.Revision, err = strconv.ParseInt(answer.ResourceVersion, 10, 64)
	}
	op.Err = text(err)
	return op
}

func (c *Checker) read(ctx context.Context, client kubernetes.Interface, object string) Op {
	answer := &corev1.ConfigMap{}
	err := client.CoreV1().RESTClient().Get().Namespace(c.namespace).Resource("configmaps").Name(object).MaxRetries(0).Do(ctx).Into(answer)
	if apierrors.IsNotFound(err) {
		return Op{Verb: Read, Object: object}
	}
	return Op{Verb: Read, Object: object, Version: versionOf(answer), Err: text(err)}
}

const versionKey = "version"

func versionOf(m *corev1.ConfigMap) int {
	version, _ := strconv.Atoi(m.Data[versionKey]) // 0: not one of ours
	return version
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Stored returns the versions of all objects, as a server has them.
func (c *Checker) Stored(ctx context.Context, client kubernetes.Interface) (map[string]int, error) {
	list, err := client.CoreV1().ConfigMaps(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	stored := map[string]int{}
	for i := range list.Items {
		stored[list.Items[i].Name] = versionOf(&list.Items[i])
	}
	return stored, nil
}

// AllServed returns nil when every client has been answered well so many times
// since a moment, and every watch has delivered what was acknowledged until then.
func (c *Checker) AllServed(times int, from time.Time) error {
	served := map[string]int{}
	var latest int64
	for _, op := range c.Ops() {
		if op.Err != "" {
			continue
		}
		if op.Began.After(from) {
			served[op.Client]++
		} else {
			latest = max(latest, op.Revision)
		}
	}
	for _, kind := range []string{kept, fresh} {
		for i := range each {
			if name := fmt.Sprintf("%s-%d", kind, i); served[name] < times {
				return fmt.Errorf("%s was served %d times of %d", name, served[name], times)
			}
		}
	}
	return c.caughtUp(latest)
}

// CaughtUp returns nil when every watch has delivered all that was acknowledged.
func (c *Checker) CaughtUp() error {
	var latest int64
	for _, op := range c.Ops() {
		latest = max(latest, op.Revision)
	}
	return c.caughtUp(latest)
}

func (c *Checker) caughtUp(revision int64) error {
	watched := c.Watched()
	if len(watched) < watches {
		return errors.New("not every watch has begun")
	}
	for name, events := range watched {
		if at := events[len(events)-1].Revision; at < revision {
			return fmt.Errorf("%s is at revision %d, acknowledged was %d", name, at, revision)
		}
	}
	return nil
}
