// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/kubernetes/pkg/serviceaccount"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// Tokens is a rotation of the key of service account tokens that is going on here.
type Tokens struct {
	*certs.KeyRotation
	cluster *Cluster
	plan    *plan.Plan
	keyID   string
}

// OpenTokens finds the controllers.
func OpenTokens(ctx context.Context, p *plan.Plan, k *certs.KeyRotation) (*Tokens, error) {
	cluster, _, err := here(ctx, p)
	if err != nil {
		return nil, err
	}
	id, err := keyID(k)
	return &Tokens{KeyRotation: k, cluster: cluster, plan: p, keyID: id}, err
}

// keyID is how tokens name the next key (pkg/serviceaccount/jwt.go,
// keyIDFromPublicKey).
func keyID(k *certs.KeyRotation) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.NextPublic())
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:]), err
}

// Others names all controllers but this one.
func (t *Tokens) Others() []string { return t.cluster.Others() }

// TokenEvidence is what one apiserver shows of the rotation of the key.
type TokenEvidence struct {
	Controller string `json:"controller"`
	Of         string `json:"url"`
	Here       bool   `json:"here"`
	// Verifies tells that tokens of the next key are good there, Signs that new ones are
	// of that key, and Since when that is so at the latest.
	Verifies bool      `json:"verifiesNext"`
	Signs    bool      `json:"signsNext"`
	Since    time.Time `json:"signsSince,omitzero"`
	// Problem is why it could not be asked, or empty.
	Problem string `json:"problem,omitempty"`
}

// Evidence asks every apiserver at once.
func (t *Tokens) Evidence(ctx context.Context) []TokenEvidence {
	all := make([]TokenEvidence, len(t.cluster.Controllers))
	var wg sync.WaitGroup
	for i, o := range t.cluster.Controllers {
		all[i] = TokenEvidence{Controller: o.Name, Of: "https://" + o.APIServer, Here: o.Here}
		wg.Go(func() {
			if err := t.ask(ctx, t.cluster.configFor(o), &all[i]); err != nil {
				all[i].Problem = explain(err)
			}
		})
	}
	wg.Wait()
	return all
}

func (t *Tokens) ask(ctx context.Context, config *restclient.Config, e *TokenEvidence) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	published, err := keysOf(ctx, client)
	if err != nil {
		return err
	}
	var keys struct {
		Keys []struct {
			KeyID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(published, &keys); err != nil {
		return fmt.Errorf("reading %s: %w", serviceaccount.JWKSPath, err)
	}
	for _, k := range keys.Keys {
		e.Verifies = e.Verifies || k.KeyID == t.keyID
	}
	if !e.Verifies {
		return nil
	}
	token, err := client.CoreV1().ServiceAccounts(metav1.NamespaceSystem).CreateToken(ctx, "default",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](600)}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if e.Signs = t.isOfNext(token.Status.Token); !e.Signs {
		return nil
	}
	return t.askSince(ctx, config, e)
}

// keysOf are the keys whose tokens an apiserver accepts, as it publishes them.
func keysOf(ctx context.Context, client kubernetes.Interface) ([]byte, error) {
	keys, err := client.Discovery().RESTClient().Get().AbsPath(serviceaccount.JWKSPath).DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("it does not publish its keys (%s), for which --service-account-issuer has to be an https URL", serviceaccount.JWKSPath)
	}
	return keys, err
}

// askSince finds out since when it signs with the next key: since its start at the
// latest, as keys are read once.
func (t *Tokens) askSince(ctx context.Context, config *restclient.Config, e *TokenEvidence) error {
	client, err := restclient.HTTPClientFor(config)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	r, err := status.Ask(ctx, client, config.Host+status.Path)
	if err != nil {
		return err
	}
	e.Since = r.Started
	return nil
}

// isOfNext reports whether the next key has signed a token, as its header says.
func (t *Tokens) isOfNext(token string) bool {
	header, _, _ := strings.Cut(token, ".")
	data, err := base64.RawURLEncoding.DecodeString(header)
	var h struct {
		KeyID string `json:"kid"`
	}
	return err == nil && json.Unmarshal(data, &h) == nil && h.KeyID == t.keyID
}

// MaySign returns why the next key may not sign yet, or nil.
func (t *Tokens) MaySign(evidence []TokenEvidence) error {
	var reasons []string
	for _, e := range evidence {
		switch {
		case e.Problem != "":
			reasons = append(reasons, fmt.Sprintf("%s (%s) %s", e.Controller, e.Of, e.Problem))
		case !e.Verifies:
			reasons = append(reasons, fmt.Sprintf("%s (%s) does not accept its tokens yet; there: khw-controller certs rotate-service-account-key, and systemctl restart khw-controller", e.Controller, e.Of))
		}
	}
	return refused("the next key signs when every controller accepts its tokens", reasons)
}

// MayUndo returns why the next key may not be given up here any more, or nil.
func (t *Tokens) MayUndo(evidence []TokenEvidence) error {
	var reasons []string
	for _, e := range evidence {
		if e.Signs {
			reasons = append(reasons, fmt.Sprintf("%s (%s) signs with the next key already", e.Controller, e.Of))
		}
	}
	return refused("go on with the rotation", reasons)
}

// MayFinish returns why the old key may not be given up yet, or nil: every controller
// has to have signed with the next one for as long as tokens of the old one are in
// use, and none may be in a Secret, where nobody replaces it.
func (t *Tokens) MayFinish(ctx context.Context, evidence []TokenEvidence, lifetime time.Duration) error {
	var reasons []string
	for _, e := range evidence {
		switch age := time.Since(e.Since); {
		case e.Problem != "":
			reasons = append(reasons, fmt.Sprintf("%s (%s) %s", e.Controller, e.Of, e.Problem))
		case !e.Signs:
			reasons = append(reasons, fmt.Sprintf("%s (%s) signs with the old key; there: khw-controller certs rotate-service-account-key, and systemctl restart khw-controller", e.Controller, e.Of))
		case age < lifetime:
			reasons = append(reasons, fmt.Sprintf("%s (%s) has signed with the next key for %s only, and tokens of the old one may be in use for %s (--token-lifetime): until %s",
				e.Controller, e.Of, age.Truncate(time.Second), lifetime, e.Since.Add(lifetime).UTC().Format(time.RFC3339)))
		}
	}
	secrets, err := t.secrets(ctx)
	if err != nil {
		return err
	}
	if len(secrets) > 0 {
		reasons = append(reasons, fmt.Sprintf("tokens of the old key are in the Secrets %s; have each made anew, and tell who uses it: kubectl patch secret -n NAMESPACE NAME --type=json -p '%s'",
			strings.Join(secrets, ", "), `[{"op":"remove","path":"/data/token"}]`))
	}
	return refused("the old key is still needed", reasons)
}

// secrets lists the Secrets with a token of another key than the next one. The
// controller-manager makes a token where there is none, and never another
// (pkg/controller/serviceaccount/tokens_controller.go, secretUpdateNeeded).
func (t *Tokens) secrets(ctx context.Context) ([]string, error) {
	client, err := kubernetes.NewForConfig(t.cluster.config)
	if err != nil {
		return nil, err
	}
	found, err := client.CoreV1().Secrets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "type=" + string(corev1.SecretTypeServiceAccountToken)})
	if err != nil {
		return nil, fmt.Errorf("the Secrets with tokens: %w", err)
	}
	var names []string
	for _, s := range found.Items {
		if token := s.Data[corev1.ServiceAccountTokenKey]; len(token) > 0 && !t.isOfNext(string(token)) {
			names = append(names, s.Namespace+"/"+s.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// MayBeginTokens returns why no rotation may begin here, or nil: the apiservers do not
// accept tokens of the same keys, so that one has begun elsewhere.
func MayBeginTokens(ctx context.Context, p *plan.Plan) error {
	cluster, _, err := here(ctx, p)
	if err != nil {
		return err
	}
	var own []byte
	for _, o := range cluster.Controllers {
		client, err := kubernetes.NewForConfig(cluster.configFor(o))
		if err != nil {
			return err
		}
		keys, err := keysOf(ctx, client)
		if err != nil {
			return fmt.Errorf("%s (%s) %s; a rotation begins when every controller answers", o.Name, o.APIServer, explain(err))
		}
		if o.Here { // which comes first
			own = keys
			continue
		}
		if !slices.Equal(own, keys) {
			return errors.New(o.Name + " accepts tokens of other keys than this controller: where a rotation has begun, copy the next key from there, and go on without --begin")
		}
	}
	return nil
}
