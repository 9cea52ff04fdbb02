// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// mark is in the description of what this program makes.
const mark = lb.OwnerKey + "=" + lb.Owner

// marked reports whether a description bears the mark.
func marked(description string) bool { return strings.Contains(description, mark) }

// tail is a link without its host and project, such as
// regions/us-west1/targetPools/kubernetes-target-pool. The service writes links
// with one host or another, and the project by ID or by number.
func tail(link string) string {
	_, rest, ok := strings.Cut(link, "projects/")
	if !ok {
		return link
	}
	_, rest, _ = strings.Cut(rest, "/")
	return rest
}

func tails(links []string) []string {
	var all []string
	for _, l := range links {
		all = append(all, tail(l))
	}
	return all
}

// link is the partial link of a tail, which requests may carry.
func (c *client) link(tail string) string { return "projects/" + c.project + "/" + tail }

func (c *client) regional(collection, name string) string {
	return "regions/" + c.region + "/" + collection + "/" + name
}

// noSuchPlace is the message of a project, region or zone that does not exist.
var noSuchPlace = regexp.MustCompile(`^The resource 'projects/[^/']+(/(regions|zones)/[^/']+)?' was not found|Unknown (region|zone)`)

// unknownRegion is the message of a call in a region that does not exist.
var unknownRegion = regexp.MustCompile(`Unknown region|^The resource 'projects/[^/']+/regions/[^/']+' was not found`)

// absent reports whether a get failed because what it asked for is not there,
// though its project and region are.
func absent(err error) bool {
	return hasCode(err, http.StatusNotFound) && !noSuchPlace.MatchString(message(err))
}

// find is a get, which returns nil for what is not there. what is its method, and
// tail that of what it asks for.
func find[T any](ctx context.Context, c *client, what, tail string, ask func(context.Context) (*T, error)) (*T, error) {
	if err := c.settle(ctx, tail); err != nil {
		return nil, err
	}
	found, err := call(ctx, c, what, ask)
	if absent(err) {
		return nil, nil
	}
	return found, err
}

// once is a find whose answer others ask for, too.
type once[T any] struct {
	found *T // nil if it is not there
	known bool
}

func (o *once[T]) find(ctx context.Context, c *client, what, tail string, ask func(context.Context) (*T, error)) error {
	if o.known {
		return nil
	}
	found, err := find(ctx, c, what, tail, ask)
	o.found, o.known = found, err == nil
	return err
}

// diff collects the fields that are not as they should be.
type diff []lb.Change

func (d *diff) field(name, old, want string) {
	if old != want {
		*d = append(*d, lb.Change{Field: name, Old: old, New: want})
	}
}

// number is field for a count.
func (d *diff) number(name string, old, want int64) {
	d.field(name, strconv.FormatInt(old, 10), strconv.FormatInt(want, 10))
}

// set is field for a list whose order does not count.
func (d *diff) set(name string, old, want []string) {
	d.field(name, joined(old), joined(want))
}

func joined(list []string) string { return strings.Join(slices.Sorted(slices.Values(list)), ", ") }
