// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/pkg/encryption"
)

// Name is the ConfigMap, in kube-system, that holds a rotation under way, and begins
// the names of the controllers' reports.
const Name = "khw-secrets-encrypt"

// Phase is how far a rotation is.
type Phase string

// The phases, in their order. Between the second and the third, everything is
// rewritten.
const (
	// Second has what is new behind what is in use: all can read it.
	Second Phase = "second"
	// First has what is new before the old: all write it.
	First Phase = "first"
	// Alone has what is new alone.
	Alone Phase = "alone"
)

// String says what is done in a phase.
func (p Phase) String() string {
	switch p {
	case Second:
		return "added as second"
	case First:
		return "made first"
	case Alone:
		return "the old dropped"
	}
	return string(p)
}

// next is the configuration of a phase, made of that of the phase before.
func (p Phase) next(data []byte, t encryption.Target) ([]byte, error) {
	switch p {
	case Second:
		return encryption.AddSecond(data, t)
	case First:
		return encryption.MakeFirst(data, t)
	case Alone:
		return encryption.DropOthers(data, t)
	}
	return nil, fmt.Errorf("%q is not a phase that this version knows; go on with the version that began", string(p))
}

// Rotation is a rotation under way, as it is in the cluster.
type Rotation struct {
	// ID is when it began, and in the name of the key.
	ID      string            `json:"id"`
	Started time.Time         `json:"started"`
	Phase   Phase             `json:"phase"`
	Target  encryption.Target `json:"target"`
	// From and To are the hashes of the configurations before and in this phase.
	From string `json:"from"`
	To   string `json:"to"`
	// Sealed is the configuration of this phase.
	Sealed []byte `json:"-"`

	version string // of the ConfigMap
}

// Keys of the ConfigMap.
const (
	rotationKey = "rotation"
	sealedKey   = "configuration"
)

// ReadRotation returns the rotation under way, or nil.
func ReadRotation(ctx context.Context, client kubernetes.Interface) (*Rotation, error) {
	m, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Rotation{version: m.ResourceVersion, Sealed: m.BinaryData[sealedKey]}
	if json.Unmarshal([]byte(m.Data[rotationKey]), r) != nil || r.ID == "" {
		return nil, errors.New("the ConfigMap kube-system/" + Name + " is not a rotation")
	}
	return r, nil
}

// errOther is the error of one who was not alone.
var errOther = errors.New("another khw-controller secrets-encrypt rotate is at work; let it finish, or run this again when it has ended")

// publish has the cluster hold r, in the place of the phase before.
func (r *Rotation) publish(ctx context.Context, client kubernetes.Interface) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	m := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: Name, Namespace: metav1.NamespaceSystem, ResourceVersion: r.version},
		Data:       map[string]string{rotationKey: string(data)},
		BinaryData: map[string][]byte{sealedKey: r.Sealed},
	}
	maps := client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	if r.version == "" {
		m, err = maps.Create(ctx, m, metav1.CreateOptions{})
	} else {
		m, err = maps.Update(ctx, m, metav1.UpdateOptions{})
	}
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return errOther
	case err != nil:
		return err
	}
	r.version = m.ResourceVersion
	return nil
}

// end has the cluster forget r, which is complete.
func (r *Rotation) end(ctx context.Context, client kubernetes.Interface) error {
	err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Delete(ctx, Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{ResourceVersion: &r.version},
	})
	switch {
	case apierrors.IsConflict(err):
		return errOther
	case apierrors.IsNotFound(err):
		return nil
	}
	return err
}
