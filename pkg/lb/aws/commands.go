// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// Preamble is part of lb.Cloud.
func (c *Cloud) Preamble() []string {
	region := lb.Quote(c.place.region)
	// The aws tool's two versions read different ones; the second shows results in a
	// pager.
	lines := []string{"export AWS_REGION=" + region + " AWS_DEFAULT_REGION=" + region + " AWS_PAGER="}
	if c.config.Profile != "" {
		lines = append(lines, "export AWS_PROFILE="+lb.Quote(c.config.Profile))
	}
	return lines
}

// line is a call of the aws tool. Its words are quoted already, by lb.Quote where
// a user has chosen them.
func line(words ...string) string { return "aws " + strings.Join(words, " ") }

// capture is a line that keeps what it prints in a variable.
func capture(variable, query string, words ...string) string {
	return fmt.Sprintf("%s=$(%s --query %s --output text)", variable, line(words...), lb.Quote(query))
}

var notInVariables = regexp.MustCompile(`[^a-z0-9]+`)

// variable is the shell's for the ID of what is made on the way.
func variable(kind, name string) string {
	return kind + "_" + strings.Trim(notInVariables.ReplaceAllString(strings.ToLower(name), "_"), "_")
}

// reference is an ID, or the variable that has it once it was made.
func reference(id, variable string) string {
	if id != "" {
		return id
	}
	return `"$` + variable + `"`
}

// shorthand is a value in the aws tool's way of writing structures.
func shorthand(value string) string {
	if strings.ContainsAny(value, ` ,="'{}[]\`) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
	}
	return value
}

// markOption is the option of ec2 that gives what is made the mark and a Name.
func markOption(kind, name string) string {
	all := fmt.Sprintf("{Key=%s,Value=%s}", lb.OwnerKey, lb.Owner)
	if name != "" {
		all += ",{Key=Name,Value=" + shorthand(name) + "}"
	}
	return "--tag-specifications " + lb.Quote(fmt.Sprintf("ResourceType=%s,Tags=[%s]", kind, all))
}

// markTag is the mark as elb and elbv2 take it.
const markTag = "Key=" + lb.OwnerKey + ",Value=" + lb.Owner

// untilUnused repeats a line: the network interfaces of a deleted load balancer
// are in the way for some minutes.
func untilUnused(line string) string { return "until " + line + "; do sleep 5; done" }
