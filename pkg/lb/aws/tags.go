// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

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

// filters is one filter.
func filters(name string, values ...string) []types.Filter {
	return []types.Filter{{Name: &name, Values: values}}
}

func tag(tags []types.Tag, key string) string {
	for _, t := range tags {
		if awssdk.ToString(t.Key) == key {
			return awssdk.ToString(t.Value)
		}
	}
	return ""
}

// marked reports whether tags of EC2 have the mark of this program.
func marked(tags []types.Tag) bool { return tag(tags, lb.OwnerKey) == lb.Owner }

// tags are the mark of this program and, unless it is empty, a Name.
func tags(kind types.ResourceType, name string) []types.TagSpecification {
	all := []types.Tag{{Key: awssdk.String(lb.OwnerKey), Value: awssdk.String(lb.Owner)}}
	if name != "" {
		all = append(all, types.Tag{Key: awssdk.String("Name"), Value: &name})
	}
	return []types.TagSpecification{{ResourceType: kind, Tags: all}}
}

func nlbTags() []elbtypes.Tag {
	return []elbtypes.Tag{{Key: awssdk.String(lb.OwnerKey), Value: awssdk.String(lb.Owner)}}
}

// tagsPerCall is how many ARNs one DescribeTags takes.
const tagsPerCall = 20

// marked are those of these load balancers, listeners and target groups that
// have the mark of this program.
func (a *account) marked(ctx context.Context, arns ...string) (map[string]bool, error) {
	ours := map[string]bool{}
	for some := range slices.Chunk(arns, tagsPerCall) {
		out, err := a.elbv2.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: some})
		if err != nil {
			return nil, err
		}
		for _, d := range out.TagDescriptions {
			for _, t := range d.Tags {
				if awssdk.ToString(t.Key) == lb.OwnerKey && awssdk.ToString(t.Value) == lb.Owner {
					ours[awssdk.ToString(d.ResourceArn)] = true
				}
			}
		}
	}
	return ours, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
