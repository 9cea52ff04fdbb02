// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// object is a resource or a request as JSON has it; numbers are json.Number.
type object = map[string]any

// checkBody holds a request's body against its schema, and returns the error
// that the service answers with.
func (d *document) checkBody(m *method, body object) error {
	if m.Request.Ref == "" {
		if len(body) > 0 {
			return badRequest("Invalid JSON payload received. %s takes no body.", m.ID)
		}
		return nil
	}
	if err := d.check(&schema{reference: m.Request}, body, "resource"); err != nil {
		return err
	}
	properties := d.Schemas[m.Request.Ref].Properties
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(properties[name].Annotations.Required, m.ID) && body[name] == nil && m.HTTPMethod == "POST" {
			return invalid("required", "Required field 'resource.%s' not specified", name)
		}
	}
	return nil
}

// check holds a value against a type. at is where it is, for messages.
func (d *document) check(s *schema, value any, at string) error {
	if s.Ref != "" {
		s = d.Schemas[s.Ref]
	}
	if value == nil {
		return nil // null unsets a field in a patch
	}
	switch s.Type {
	case "object":
		return d.checkObject(s, value, at)
	case "array":
		items, ok := value.([]any)
		if !ok {
			return mistyped(at, value)
		}
		for i, item := range items {
			if err := d.check(s.Items, item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
		return nil
	case "boolean":
		if _, ok := value.(bool); !ok {
			return mistyped(at, value)
		}
	case "integer", "number":
		n, ok := value.(json.Number)
		if !ok || !fits(s, n.String()) {
			return mistyped(at, value)
		}
	case "string":
		text, ok := value.(string)
		if !ok {
			return mistyped(at, value)
		}
		return checkText(s, text, at)
	}
	return nil
}

func (d *document) checkObject(s *schema, value any, at string) error {
	fields, ok := value.(object)
	if !ok {
		return mistyped(at, value)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		property := s.Properties[name]
		if property == nil {
			property = s.AdditionalProperties
		}
		if property == nil {
			return badRequest("Invalid JSON payload received. Unknown name %q at '%s': Cannot find field.", name, at)
		}
		if err := d.check(property, fields[name], at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// checkText holds a string, of a field or a parameter, against its type.
func checkText(s *schema, text, at string) error {
	switch {
	case s.Type == "boolean" && !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false"), // gcloud writes True
		s.Type == "integer" && !fits(s, text),
		s.Format == "uint64" && !fits(s, text):
		return mistyped(at, text)
	case s.Format == "byte":
		if _, err := base64.URLEncoding.DecodeString(text); err != nil {
			return mistyped(at, text)
		}
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, text):
		return invalid("invalid", "Invalid value for field '%s': '%s'. Not one of its enum's values.", at, text)
	case s.Pattern != "" && !compiled(s.Pattern).MatchString(text):
		return invalid("invalid", "Invalid value for field '%s': '%s'. Must be a match of regex '%s'", at, text, s.Pattern)
	}
	return nil
}

var patterns sync.Map // the document's, compiled, by their text

func compiled(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile("^(?:" + pattern + ")$")
	patterns.Store(pattern, re)
	return re
}

func fits(s *schema, text string) bool {
	var err error
	switch s.Format {
	case "int32":
		_, err = strconv.ParseInt(text, 10, 32)
	case "uint32":
		_, err = strconv.ParseUint(text, 10, 32)
	case "int64":
		_, err = strconv.ParseInt(text, 10, 64)
	case "uint64":
		_, err = strconv.ParseUint(text, 10, 64)
	default:
		_, err = strconv.ParseFloat(text, 64)
	}
	return err == nil
}

func mistyped(at string, value any) error {
	raw, _ := json.Marshal(value)
	return badRequest("Invalid value at '%s': %s", at, raw)
}
