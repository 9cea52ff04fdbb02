// SPDX-License-Identifier: Apache-2.0

// Package denial notices in a component's own clients which rights its user lacks,
// and forgets each as soon as it is granted.
//
// A component that is denied what it needs retries for ever and logs it at best: it
// looks well and does nothing. Here the answers of its apiserver are looked at, which
// costs nothing while none is a refusal; while there are some, and only then, the
// apiserver is asked whether they still hold.
package denial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// most is how many rights are kept; more are no better to read.
const most = 50

// shown is how many are named.
const shown = 3

// largestAnswer is how much of a refusal is read; the apiserver's are far shorter.
const largestAnswer = 64 << 10

// Rights knows which rights the user of some clients lacks. The zero value knows of
// none.
type Rights struct {
	mu      sync.Mutex
	lacking map[right]refusal
}

// right is what was denied. Where it was is of no matter: a role that lacks it is
// refused it in every namespace.
type right struct {
	user, verb, group, resource, path string
}

// refusal is how it was denied last.
type refusal struct {
	namespace, name, reason string

	at  time.Time
	ask func(context.Context, right, refusal) (allowed bool, err error)
}

// Forget forgets all: another run may have another user.
func (r *Rights) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lacking = nil
}

// Wrap is a rest.Config wrapper (transport.WrapperFunc) that looks at rt's answers.
// It has to be below whatever refuses requests of its own accord.
func (r *Rights) Wrap(rt http.RoundTripper) http.RoundTripper { return &observed{rights: r, next: rt} }

type observed struct {
	rights *Rights
	next   http.RoundTripper
}

// WrappedRoundTripper lets client-go find the transport below
// (k8s.io/apimachinery/pkg/util/net.RoundTripperWrapper).
func (o *observed) WrappedRoundTripper() http.RoundTripper { return o.next }

func (o *observed) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusForbidden {
		return resp, err
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer))
	resp.Body = &reread{Reader: io.MultiReader(bytes.NewReader(answer), failing(err, resp.Body)), Closer: resp.Body}
	if denied, refused, ok := parse(answer); ok {
		refused.at, refused.ask = time.Now(), newReview(o.next, req).allowed
		o.rights.add(denied, refused)
	}
	return resp, nil
}

// reread is a body of which a part was read already.
type reread struct {
	io.Reader
	io.Closer
}

// failing returns rest, or a Reader of the error that reading it has met.
func failing(err error, rest io.Reader) io.Reader {
	if err != nil {
		return readError{err}
	}
	return rest
}

type readError struct{ error }

func (e readError) Read([]byte) (int, error) { return 0, e.error }

func (r *Rights) add(denied right, refused refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.lacking[denied]; !known && len(r.lacking) >= most {
		return
	}
	if r.lacking == nil {
		r.lacking = map[right]refusal{}
	}
	r.lacking[denied] = refused
}

// byAuthorizer matches what an apiserver says where its authorizers deny a request
// (k8s.io/apiserver/pkg/endpoints/handlers/responsewriters, forbiddenMessage), and
// nothing that admission says, which answers with the same code.
var byAuthorizer = regexp.MustCompile(`(?s)User "([^"]*)" cannot (\S+) (?:resource "([^"]+)" in API group "([^"]*)" (?:in the namespace "([^"]+)"|at the cluster scope)|path "([^"]+)")(?:: (.*))?`)

// parse returns which right an answer denies, if it is such an answer.
func parse(answer []byte) (right, refusal, bool) {
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(answer, nil, nil)
	if err != nil {
		return right{}, refusal{}, false
	}
	status, ok := object.(*metav1.Status)
	if !ok {
		return right{}, refusal{}, false
	}
	m := byAuthorizer.FindStringSubmatch(status.Message)
	if m == nil {
		return right{}, refusal{}, false
	}
	refused := refusal{namespace: m[5], reason: m[7]}
	if status.Details != nil {
		refused.name = status.Details.Name
	}
	return right{user: m[1], verb: m[2], resource: m[3], group: m[4], path: m[6]}, refused, true
}

// unaskable is how long a refusal is believed of which nobody may ask whether it
// still holds: it is noticed again when the component tries again.
const unaskable = 5 * time.Minute

// Healthy returns which right is lacking, in one line, or nil. What has been granted
// meanwhile, it forgets.
func (r *Rights) Healthy(ctx context.Context) error {
	r.mu.Lock()
	lacking := maps.Clone(r.lacking)
	r.mu.Unlock()
	for denied, refused := range lacking {
		allowed, err := refused.ask(ctx, denied, refused)
		if ctx.Err() == nil && (allowed || err != nil && time.Since(refused.at) > unaskable) {
			delete(lacking, denied)
			r.granted(denied, refused)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	rights := slices.SortedFunc(maps.Keys(lacking), func(a, b right) int { return strings.Compare(a.String(), b.String()) })
	var named []string
	for _, r := range rights[:min(shown, len(rights))] {
		named = append(named, r.String())
	}
	text := "lacks the right to " + strings.Join(named, ", ")
	if more := len(rights) - len(named); more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	text += "; its roles, or another authorizer, do not let it"
	if reason := lacking[rights[0]].reason; reason != "" {
		text += ": " + strings.Join(strings.Fields(reason), " ")
	}
	return errors.New(text)
}

// granted forgets a refusal, unless there was another one since.
func (r *Rights) granted(denied right, refused refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lacking[denied].at.Equal(refused.at) {
		delete(r.lacking, denied)
	}
}

// String names the right and who lacks it: "create pods/binding (user x)".
func (r right) String() string {
	what := r.path
	if r.resource != "" {
		resource, sub, _ := strings.Cut(r.resource, "/")
		what = resource
		if r.group != "" {
			what += "." + r.group
		}
		if sub != "" {
			what += "/" + sub
		}
	}
	return fmt.Sprintf("%s %s (user %s)", r.verb, what, r.user)
}
