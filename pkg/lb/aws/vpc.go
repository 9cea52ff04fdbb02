// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// vpc is the VPC with the lab's tag Name.
type vpc struct {
	*account
	name string
	id   string
}

func (v *vpc) Kind() string { return "vpc" }
func (v *vpc) Name() string { return v.name }

func (v *vpc) Read(ctx context.Context) (lb.State, error) {
	var ids []string
	pages := ec2.NewDescribeVpcsPaginator(v.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{Filters: []types.Filter{filter("tag:Name", v.name)}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return lb.State{}, err
		}
		for _, found := range page.Vpcs {
			ids = append(ids, awssdk.ToString(found.VpcId))
		}
	}
	state := lb.State{ReadOnly: true, Exists: len(ids) == 1}
	switch len(ids) {
	case 0:
		state.Problem = "no VPC of this region has this tag Name; name yours with --vpc, or another --region"
	case 1:
		v.id, state.ID = ids[0], ids[0]
	default:
		state.Problem = fmt.Sprintf("%d VPCs have this tag Name: %s; keep it on one of them", len(ids), strings.Join(ids, ", "))
	}
	return state, nil
}

func overlap(a, b string) bool {
	p, errA := netip.ParsePrefix(a)
	q, errB := netip.ParsePrefix(b)
	return errA == nil && errB == nil && p.Overlaps(q)
}

// contains reports whether range a has all of range b.
func contains(a, b string) bool {
	p, errA := netip.ParsePrefix(a)
	q, errB := netip.ParsePrefix(b)
	return errA == nil && errB == nil && p.Bits() <= q.Bits() && p.Contains(q.Addr())
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

func tag(tags []types.Tag, key string) string {
	for _, t := range tags {
		if awssdk.ToString(t.Key) == key {
			return awssdk.ToString(t.Value)
		}
	}
	return ""
}

// tags are the mark of this program and, unless it is empty, a Name.
func tags(kind types.ResourceType, name string) []types.TagSpecification {
	all := []types.Tag{{Key: awssdk.String(lb.OwnerKey), Value: awssdk.String(lb.Owner)}}
	if name != "" {
		all = append(all, types.Tag{Key: awssdk.String("Name"), Value: &name})
	}
	return []types.TagSpecification{{ResourceType: kind, Tags: all}}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
