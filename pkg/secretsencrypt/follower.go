// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/encryption"
	"github.com/khw-controller/khw-controller/pkg/inventory"
)

// APIServer is the apiserver of this process.
type APIServer interface {
	// LoopbackClient is how to reach it; an error while it does not serve.
	LoopbackClient() (*restclient.Config, error)
	// UseEncryptionConfig has it use another configuration than at its start, and
	// EncryptionInForce is the hash of what it uses.
	UseEncryptionConfig(data []byte) error
	EncryptionInForce(file string) (string, error)
}

// Follower follows rotations on one controller: it puts what a rotation hands to all
// into the file and in force, and reports what is.
type Follower struct {
	// Controller and Address are as in a [Report].
	Controller, Address string
	APIServer           APIServer
	// Path is the encryption configuration, "" where there is none; Change is the
	// journal of changes of the lab's files, and Inventory the list of what was made.
	Path, Change, Inventory string
	// SigningKey is the file that the seal is made of.
	SigningKey string
	// Unreadable is what a configuration cannot read of what is stored.
	Unreadable func(context.Context, *encryption.Config) ([]encryption.Unreadable, error)
	// Reread is told of a file that is in force after it was replaced.
	Reread func(path string)

	client  kubernetes.Interface
	last    Report // as it was written
	written time.Time
	said    string // the problem that was logged last
	taken   string // the hash that Reread was told of

	warning atomic.Pointer[string]
}

const (
	lookEvery = 5 * time.Second        // for a rotation
	busyEvery = 500 * time.Millisecond // while there is one
	// lookTimeout bounds one look, and followTimeout what is done for a rotation: reading
	// what is stored takes the longest.
	lookTimeout   = 30 * time.Second
	followTimeout = 20 * time.Second
)

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	for {
		pause := lookEvery
		if f.look(ctx) || f.written.IsZero() {
			pause = busyEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// look does what there is to do, and tells whether there is a rotation. What fails is
// tried again at the next look.
func (f *Follower) look(ctx context.Context) (busy bool) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if f.client == nil {
		config, err := f.APIServer.LoopbackClient()
		if err != nil {
			return false // not serving yet
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return false
		}
		f.client = client
	}
	return f.lookWith(ctx, f.client)
}

func (f *Follower) lookWith(ctx context.Context, client kubernetes.Interface) (busy bool) {
	report := Report{Controller: f.Controller, Address: f.Address}
	rotation, err := ReadRotation(ctx, client)
	switch {
	case rotation != nil:
		unfinished.Set(1)
	case err == nil:
		unfinished.Set(0)
		f.warning.Store(nil)
	}
	if rotation != nil {
		report.Phase = rotation.Phase
		err = f.follow(ctx, *rotation)
		f.warn(*rotation, err)
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return false // Run is told to end, which is no problem
		}
		report.Problem = connerr.OneLine(err)
	}
	f.say(report.Problem)
	f.describe(ctx, &report)
	now := time.Now()
	if reflect.DeepEqual(report, f.last) && now.Sub(f.written) < reportEvery {
		return rotation != nil
	}
	if report.write(ctx, client, now) == nil {
		f.last, f.written = report, now
	}
	return rotation != nil
}

// Warning says that a rotation is under way, how far it is, and why this controller does
// not follow; "" where there is none. Anybody may ask at any time.
func (f *Follower) Warning() string {
	if w := f.warning.Load(); w != nil {
		return *w
	}
	return ""
}

func (f *Follower) warn(r Rotation, problem error) {
	text := fmt.Sprintf("a rotation of the encryption key is under way since %s: %s, %s", r.Started.Local().Format(time.DateTime), r.Target.Short(), r.Phase)
	if problem != nil {
		text += "; this controller cannot follow: " + connerr.OneLine(problem)
	}
	text += "; khw-controller secrets-encrypt rotate goes on with it where nobody does"
	f.warning.Store(&text)
}

// say logs a problem once.
func (f *Follower) say(problem string) {
	if problem != "" && problem != f.said {
		klog.ErrorS(nil, "Cannot follow the rotation of the encryption key; it is tried again", "reason", problem)
	}
	f.said = problem
}

// describe notes what the file holds and what is in force.
func (f *Follower) describe(ctx context.Context, r *Report) {
	if f.Path == "" {
		return
	}
	data, err := os.ReadFile(f.Path)
	if err != nil {
		r.Problem = connerr.OneLine(err)
		return
	}
	r.File = encryption.Hash(data)
	if r.InForce, err = f.APIServer.EncryptionInForce(r.File); err != nil {
		r.Problem = connerr.OneLine(err)
	}
	if r.InForce == r.File && f.taken != "" && f.taken != r.File {
		f.Reread(f.Path)
	}
	f.taken = r.InForce
	if r.File == f.last.File {
		r.Providers = f.last.Providers // what the same file holds
	} else if c, err := encryption.Parse(ctx, data); err == nil {
		r.Providers = Describe(c)
	}
}

// Describe lists what a configuration encrypts with what, without a key.
func Describe(c *encryption.Config) []string {
	var all []string
	for _, e := range c.Entries() {
		var providers []string
		for _, p := range e.Providers {
			providers = append(providers, p.Short())
		}
		all = append(all, strings.Join(e.Resources, ",")+": "+strings.Join(providers, ", "))
	}
	return all
}

// follow puts the configuration of a phase into the file, and has the apiserver use it.
func (f *Follower) follow(ctx context.Context, r Rotation) error {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	if f.Path == "" {
		return errors.New("this controller has no --encryption-provider-config; set it, to a copy of another controller's, and restart khw-controller")
	}
	there, err := os.ReadFile(f.Path)
	if err != nil {
		return err
	}
	switch hash := encryption.Hash(there); hash {
	case r.To:
		return f.use(there, hash)
	case r.From:
	default:
		return fmt.Errorf("%s is another one than the rotation goes on from; replace it by a copy of another controller's and restart khw-controller", f.Path)
	}
	seal, err := NewSeal(f.SigningKey)
	if err != nil {
		return err
	}
	data, err := seal.open(r)
	if err != nil {
		return err
	}
	if encryption.Hash(data) != r.To {
		return errors.New("the configuration that was handed over is not the one that was announced")
	}
	if err := f.check(ctx, data); err != nil {
		return err
	}
	if err := f.replace(data, r.Phase); err != nil {
		return err
	}
	klog.InfoS("Replaced the encryption configuration", "file", f.Path, "what", r.Target.Short()+" "+r.Phase.String())
	return f.use(data, r.To)
}

// use has the apiserver use what the file holds, unless it does.
func (f *Follower) use(data []byte, hash string) error {
	inForce, err := f.APIServer.EncryptionInForce(hash)
	if err != nil || inForce == hash {
		return err
	}
	return f.APIServer.UseEncryptionConfig(data)
}

// check refuses what this controller could not work with.
func (f *Follower) check(ctx context.Context, data []byte) error {
	config, err := encryption.Parse(ctx, data)
	if err != nil {
		return fmt.Errorf("the next configuration: %w", err)
	}
	if err := plugins(ctx, config); err != nil {
		return err
	}
	unreadable, err := f.Unreadable(ctx, config)
	switch {
	case err != nil:
		return fmt.Errorf("reading what is stored: %w", err)
	case len(unreadable) > 0:
		return errors.New("the next configuration " + unreadable[0].Problem())
	}
	return nil
}

// plugins asks the KMS plugins of a configuration how they are.
func plugins(ctx context.Context, config *encryption.Config) error {
	if wrong := config.AskPlugins(ctx); len(wrong) > 0 {
		return fmt.Errorf("the KMS plugin %s %s; start the plugin, or correct its endpoint", wrong[0].Name, wrong[0].Problem)
	}
	return nil
}

// replace has the file hold data. Of a rotation, one old file is kept beside: the last,
// which has the old key and the new one, and reads snapshots from before and from
// meanwhile.
func (f *Follower) replace(data []byte, phase Phase) error {
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		return err
	}
	made, err := inventory.Read(f.Inventory)
	if err != nil {
		return err
	}
	files := []atomicfiles.File{{Path: path, Data: data, Replace: true, Discard: phase != Alone}}
	now := atomicfiles.Unused(append(files, atomicfiles.File{Path: f.Inventory}), time.Now())
	if made.Has(path) {
		kept := ""
		if phase == Alone {
			kept = atomicfiles.Backup(path, now)
		}
		files = append(files, atomicfiles.File{Path: f.Inventory, Data: made.Replace(path, data, kept).Bytes(), Replace: true, Discard: true})
	}
	return atomicfiles.Write(f.Change, files, now)
}
