// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/encryption"
)

// Rotator leads rotations, from any controller. Whatever it does can be done again:
// what a rotation needs to go on is in the cluster.
type Rotator struct {
	Client    kubernetes.Interface
	Discovery discovery.DiscoveryInterface
	Metadata  metadata.Interface
	Etcd      encryption.Etcd
	// Controllers are those that the configuration names; none where it does not.
	Controllers controllers.List
	// Path is this controller's encryption configuration, and SigningKey the file that
	// the seal is made of.
	Path, SigningKey string
	// Say is told each step, and Progress how many objects of a resource are rewritten, of
	// how many about.
	Say      func(format string, args ...any)
	Progress func(resource string, done, total int)

	pace pace
	now  func() time.Time // when a rotation begins
}

// pace is what a Rotator waits for.
type pace struct{ settle, takeover, problem, report, poll time.Duration }

// Wanted is what a rotation is asked to move to; nothing: another key of the same
// provider.
type Wanted struct {
	Provider string
	// KMSName and KMSEndpoint are of the KMS plugin.
	KMSName, KMSEndpoint string
}

// NewRotator returns r, with the fields that are exported, ready for use.
func NewRotator(r Rotator) *Rotator {
	r.now = time.Now
	r.pace = pace{
		// How long a write can be under way that was encrypted before its apiserver has taken
		// another configuration over: etcd gives a request up after 7 s
		// (go.etcd.io/etcd/server/v3/config, ReqTimeout).
		settle: 10 * time.Second,
		// What a controller may take to follow, and to get over a problem.
		takeover: 2 * time.Minute, problem: 10 * time.Second,
		// What one may take to report first.
		report: 10 * time.Second,
		poll:   500 * time.Millisecond,
	}
	return &r
}

// Plan is what a rotation does.
type Plan struct {
	Controllers []string
	Target      encryption.Target
	// Before and After are what the configuration encrypts with.
	Before, After []string
	// Stored is how things are stored now.
	Stored []encryption.Count
	// UnderWay is the rotation that it goes on with, or nil; then there is only the target.
	UnderWay *Rotation
}

// Prepare makes all checks and says what Rotate would do; it changes nothing.
func (r *Rotator) Prepare(ctx context.Context, w Wanted) (*Plan, error) {
	_, plan, err := r.begin(ctx, w)
	return plan, err
}

// Rotate begins a rotation, or goes on with the one under way, and ends it. An error
// says why it cannot go on now; what it has done is good.
func (r *Rotator) Rotate(ctx context.Context, w Wanted) (*Plan, error) {
	rotation, plan, err := r.begin(ctx, w)
	if err != nil {
		return nil, err
	}
	if plan.UnderWay == nil {
		if err := rotation.publish(ctx, r.Client); err != nil {
			return nil, err
		}
		r.Say("rotation %s: %s is added as second", rotation.ID, rotation.Target.Short())
	} else {
		r.Say("rotation %s goes on: %s was %s", rotation.ID, rotation.Target.Short(), rotation.Phase)
	}
	return plan, r.finish(ctx, rotation)
}

// finish goes on with a rotation to its end.
func (r *Rotator) finish(ctx context.Context, rotation *Rotation) error {
	for {
		if err := r.awaitAll(ctx, rotation); err != nil {
			return err
		}
		switch rotation.Phase {
		case Second:
			if err := r.advance(ctx, rotation, First); err != nil {
				return err
			}
		case First:
			if err := r.rewriteAll(ctx, rotation); err != nil {
				return err
			}
			if err := r.advance(ctx, rotation, Alone); err != nil {
				return err
			}
		case Alone:
			return rotation.end(ctx, r.Client)
		default:
			_, err := rotation.Phase.next(nil, rotation.Target)
			return err
		}
	}
}

// begin returns the rotation under way, or, after all checks, the first phase of a new
// one that is not published yet.
func (r *Rotator) begin(ctx context.Context, w Wanted) (*Rotation, *Plan, error) {
	rotation, err := ReadRotation(ctx, r.Client)
	if err != nil {
		return nil, nil, err
	}
	if rotation != nil {
		if w.Provider != "" && (w.Provider != rotation.Target.Provider || w.KMSName != "" && w.KMSName != rotation.Target.Key) {
			return nil, nil, fmt.Errorf("a rotation to %s is under way since %s; finish it first: khw-controller secrets-encrypt rotate", rotation.Target.Short(), rotation.Started.UTC().Format(time.RFC3339))
		}
		return rotation, &Plan{Target: rotation.Target, UnderWay: rotation}, nil
	}
	if r.Path == "" {
		return nil, nil, errors.New("--kube-apiserver-arg encryption-provider-config is not set, so nothing can be encrypted: set it, on every controller, to a file with identity: {} for its only provider, restart them, and run this again")
	}
	data, err := os.ReadFile(r.Path)
	if err != nil {
		return nil, nil, err
	}
	all, err := r.equal(ctx, data)
	if err != nil {
		return nil, nil, err
	}
	config, err := encryption.Parse(ctx, data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.Path, err)
	}
	now := r.now().UTC()
	rotation = &Rotation{ID: now.Format("20060102-150405"), Started: now.Truncate(time.Second), Phase: Second, From: encryption.Hash(data)}
	if rotation.Target, err = target(config, w, rotation.ID); err != nil {
		return nil, nil, err
	}
	next, err := r.sealed(rotation, data)
	if err != nil {
		return nil, nil, err
	}
	after, err := r.after(ctx, next, rotation.Target)
	if err != nil {
		return nil, nil, err
	}
	unreadable, err := config.Check(ctx, r.Etcd)
	switch {
	case err != nil:
		return nil, nil, err
	case len(unreadable) > 0:
		return nil, nil, fmt.Errorf("%s: %s; %s", r.Path, unreadable[0].Problem(), unreadable[0].Fix())
	}
	resources, err := config.Resources(ctx, r.Etcd)
	if err != nil {
		return nil, nil, err
	}
	stored, err := encryption.CountStored(ctx, r.Etcd, resources)
	if err != nil {
		return nil, nil, err
	}
	plan := &Plan{Target: rotation.Target, Before: Describe(config), After: after, Stored: stored}
	for _, c := range all {
		plan.Controllers = append(plan.Controllers, c.Controller)
	}
	return rotation, plan, nil
}

// after describes the configuration at the end, and sees that each step can be made.
func (r *Rotator) after(ctx context.Context, data []byte, t encryption.Target) ([]string, error) {
	var config *encryption.Config
	for _, p := range []Phase{Second, First, Alone} {
		var err error
		if p != Second {
			if data, err = p.next(data, t); err != nil {
				return nil, fmt.Errorf("%s: %w", r.Path, err)
			}
		}
		if config, err = encryption.Parse(ctx, data); err != nil {
			return nil, fmt.Errorf("%s, with %s: %w", r.Path, t.Short(), err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	if err := plugins(ctx, config); err != nil {
		return nil, err
	}
	return Describe(config), nil
}

// sealed makes the configuration of r's phase out of that of the phase before, puts it
// into r, and returns it.
func (r *Rotator) sealed(rotation *Rotation, data []byte) ([]byte, error) {
	next, err := rotation.Phase.next(data, rotation.Target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Path, err)
	}
	rotation.From, rotation.To = encryption.Hash(data), encryption.Hash(next)
	seal, err := NewSeal(r.SigningKey)
	if err != nil {
		return nil, err
	}
	rotation.Sealed = seal.close(*rotation, next)
	return next, nil
}

// target is what a rotation leads to.
func target(c *encryption.Config, w Wanted, id string) (encryption.Target, error) {
	t := encryption.Target{Provider: w.Provider}
	var used []encryption.Provider
	for _, e := range c.Entries() {
		if first := e.Providers[0]; first.Name != encryption.Identity {
			used = append(used, first)
		}
	}
	if t.Provider == "" {
		for _, p := range used {
			if t.Provider != "" && t.Provider != p.Name {
				return t, fmt.Errorf("%s and %s are in use; say with --provider to which of them everything moves", t.Provider, p.Name)
			}
			t.Provider = p.Name
		}
		switch t.Provider {
		case "":
			return t, errors.New("nothing is encrypted; say with --provider how it is to be: aescbc, secretbox or kms")
		case encryption.KMS:
			return t, errors.New("it is the KMS plugin " + used[0].Key + " that encrypts, whose keys are rotated in the KMS; to move to another plugin, give --provider kms --kms-name and --kms-endpoint, or another --provider")
		}
	}
	switch t.Provider {
	case encryption.Identity:
		if len(used) == 0 {
			return t, errors.New("nothing is encrypted already")
		}
		return t, nil
	case encryption.KMS:
		t.Key, t.Endpoint = w.KMSName, w.KMSEndpoint
		return t, validPlugin(t)
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return t, err
	}
	t.Key, t.Secret = "key-"+id, base64.StdEncoding.EncodeToString(secret)
	return t, nil
}

func validPlugin(t encryption.Target) error {
	u, err := url.Parse(t.Endpoint)
	switch {
	case err != nil || u.Scheme != "unix" || u.Path == "":
		return fmt.Errorf("--kms-endpoint %q: want the plugin's socket, such as unix:///run/kms.sock, the same on every controller", t.Endpoint)
	case t.Key == "" || strings.ContainsAny(t.Key, ": \t\n"):
		return fmt.Errorf("--kms-name %q: want a name without colons and spaces", t.Key)
	}
	return nil
}

// advance publishes the next phase. The configuration before is the one that all have
// reported, and this controller's too.
func (r *Rotator) advance(ctx context.Context, rotation *Rotation, to Phase) error {
	data, err := os.ReadFile(r.Path)
	if err != nil {
		return err
	}
	if encryption.Hash(data) != rotation.To {
		return fmt.Errorf("%s is not what the rotation has put there; restore it from another controller, and run this again", r.Path)
	}
	rotation.Phase = to
	if _, err := r.sealed(rotation, data); err != nil {
		return err
	}
	return rotation.publish(ctx, r.Client)
}
