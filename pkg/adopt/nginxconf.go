// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// directive is one of nginx's, with the file that has it.
type directive struct {
	file  string
	args  []string // the name first
	block []directive
}

func (d directive) is(name string) bool { return d.args[0] == name }

// arg returns its first argument, or "".
func (d directive) arg() string {
	if len(d.args) < 2 {
		return ""
	}
	return d.args[1]
}

// nginxConf is where nginx's configuration begins.
const nginxConf = "/etc/nginx/nginx.conf"

// readNginx reads a file of nginx's configuration, below a root, and all that it
// includes.
func readNginx(root, path string, depth int) ([]directive, error) {
	const deepest = 10
	if depth > deepest {
		return nil, fmt.Errorf("%s: files include each other", path)
	}
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return nil, err
	}
	tokens, err := nginxTokens(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	all, rest, err := directives(path, tokens)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("a } without a {")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return withIncludes(root, all, depth)
}

// withIncludes puts what is included in the place of each include.
func withIncludes(root string, all []directive, depth int) (out []directive, err error) {
	for _, d := range all {
		if d.block, err = withIncludes(root, d.block, depth); err != nil {
			return nil, err
		}
		if !d.is("include") {
			out = append(out, d)
			continue
		}
		pattern := d.arg()
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(nginxConf), pattern)
		}
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, fmt.Errorf("%s: include %s: %w", d.file, pattern, err)
		}
		for _, path := range found {
			if root != "" {
				path = strings.TrimPrefix(path, filepath.Clean(root))
			}
			more, err := readNginx(root, path, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
	}
	return out, nil
}

// nginxTokens splits nginx's configuration; { } and ; are tokens of their own, and
// quoted text begins with its quote.
func nginxTokens(text string) ([]string, error) {
	var all []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			all = append(all, word.String())
			word.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			word.WriteString(text[i : i+2])
			i++
		case c == '#' && word.Len() == 0:
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(text)
			}
		case (c == '"' || c == '\'') && word.Len() == 0:
			n := closingQuote(text[i:])
			if n < 0 {
				return nil, fmt.Errorf("the quote %c is not closed", c)
			}
			all = append(all, text[i:i+n])
			i += n
		case c == '$' && strings.HasPrefix(text[i:], "${"):
			n := strings.IndexByte(text[i:], '}')
			if n < 0 {
				return nil, fmt.Errorf("${ is not closed")
			}
			word.WriteString(text[i : i+n+1])
			i += n
		case strings.IndexByte("{};", c) >= 0:
			end()
			all = append(all, string(c))
		case strings.IndexByte(" \t\r\n", c) >= 0:
			end()
		default:
			word.WriteByte(c)
		}
	}
	end()
	return all, nil
}

// closingQuote is where the quote that s begins with is closed; below 0 for nowhere.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i
		}
	}
	return -1
}

// directives reads tokens up to the end of a block, and returns those behind it.
func directives(file string, tokens []string) (all []directive, rest []string, err error) {
	d := directive{file: file}
	for len(tokens) > 0 {
		token := tokens[0]
		tokens = tokens[1:]
		switch {
		case token == "}" && len(d.args) == 0:
			return all, append([]string{"}"}, tokens...), nil
		case token == "{" && len(d.args) > 0:
			if d.block, tokens, err = directives(file, tokens); err != nil {
				return nil, nil, err
			}
			if len(tokens) == 0 {
				return nil, nil, fmt.Errorf("the block %s is not closed", d.args[0])
			}
			tokens = tokens[1:]
			all, d = append(all, d), directive{file: file}
		case token == ";" && len(d.args) > 0:
			all, d = append(all, d), directive{file: file}
		case slices.Contains([]string{"{", "}", ";"}, token):
			return nil, nil, fmt.Errorf("%s stands where none belongs", token)
		default:
			d.args = append(d.args, strings.TrimLeft(token, `"'`))
		}
	}
	if len(d.args) > 0 {
		return nil, nil, fmt.Errorf("%s is not ended", d.args[0])
	}
	return all, nil, nil
}
