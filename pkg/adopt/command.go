// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"errors"
	"fmt"
	"strings"
)

// environment is what a unit's command line may refer to.
type environment struct {
	variables map[string]string
	// specifiers are the values of systemd's %-letters that are known here.
	specifiers map[byte]string
}

// execPrefixes stand before the program (systemd.service(5)). Of those, two change
// the words: @ is followed by the name to start it under, and : leaves variables
// alone.
const execPrefixes = "@-:+!|"

// command returns the program and its arguments of an ExecStart.
func command(line string, env environment) (program string, argv []string, err error) {
	prefix := line[:len(line)-len(strings.TrimLeft(line, execPrefixes))]
	all, err := words(line[len(prefix):])
	if err != nil {
		return "", nil, err
	}
	if len(all) == 0 {
		return "", nil, errors.New("is empty")
	}
	if program, err = env.specify(all[0]); err != nil {
		return "", nil, err
	}
	rest := all[1:]
	if strings.Contains(prefix, "@") && len(rest) > 0 {
		rest = rest[1:]
	}
	for _, word := range rest {
		if word == ";" {
			return "", nil, errors.New("starts more than one command")
		}
		if word, err = env.specify(word); err != nil {
			return "", nil, err
		}
		if strings.Contains(prefix, ":") {
			argv = append(argv, word)
			continue
		}
		expanded, err := env.expand(word)
		if err != nil {
			return "", nil, err
		}
		argv = append(argv, expanded...)
	}
	return program, argv, nil
}

// specify puts in what the %-letters of a word stand for.
func (e environment) specify(word string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '%' || i+1 == len(word) {
			b.WriteByte(word[i])
			continue
		}
		i++
		value, ok := e.specifiers[word[i]]
		if !ok {
			return "", fmt.Errorf("%%%c in %s is not known here; write its value into the unit", word[i], word)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// expand puts in variables: $NAME as a word of its own is as many words as its
// value has, and ${NAME} is part of its word. One that is not set is empty.
func (e environment) expand(word string) ([]string, error) {
	if name, ok := strings.CutPrefix(word, "$"); ok && isName(name) {
		return words(e.variables[name])
	}
	var b strings.Builder
	for rest := word; rest != ""; {
		before, after, ok := strings.Cut(rest, "$")
		b.WriteString(before)
		if !ok {
			break
		}
		name, behind, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			rest = after[1:]
		case strings.HasPrefix(after, "{") && closed && isName(name):
			b.WriteString(e.variables[name])
			rest = behind
		default:
			b.WriteByte('$')
			rest = after
		}
	}
	return []string{b.String()}, nil
}

// isName reports whether s is the name of a variable.
func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
