// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// words splits a value into words as systemd does: quotes group, wherever they
// stand, and backslashes escape as in C.
func words(s string) ([]string, error) {
	var all []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\\':
			text, n, err := unescape(s[i:])
			if err != nil {
				return nil, err
			}
			word.WriteString(text)
			inWord, size = true, n
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inWord = r, true
		case quote == 0 && strings.ContainsRune(" \t\n\r", r):
			if inWord {
				all = append(all, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteString(s[i : i+size])
			inWord = true
		}
		i += size
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	}
	if inWord {
		all = append(all, word.String())
	}
	return all, nil
}

// simpleEscapes are those of one letter (systemd.syntax(7)).
var simpleEscapes = map[byte]string{
	'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
	'\\': `\`, '"': `"`, '\'': `'`, 's': " ",
}

// codeEscapes are those with a code: how many digits of which base.
var codeEscapes = map[byte]struct{ digits, base int }{'x': {2, 16}, 'u': {4, 16}, 'U': {8, 16}}

// unescape reads the escape at the beginning of s, and returns what it stands for
// and how long it is.
func unescape(s string) (text string, size int, err error) {
	if len(s) < 2 {
		return "", 0, errors.New("a backslash stands at the end")
	}
	if text, ok := simpleEscapes[s[1]]; ok {
		return text, 2, nil
	}
	code, ok := codeEscapes[s[1]]
	from := 2
	if !ok {
		code.digits, code.base, from = 3, 8, 1 // \nnn
	}
	if len(s) < from+code.digits {
		return "", 0, fmt.Errorf("%q is not an escape of systemd's", s)
	}
	n, err := strconv.ParseUint(s[from:from+code.digits], code.base, 32)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q is not an escape of systemd's", s[:from+code.digits])
	}
	if s[1] == 'u' || s[1] == 'U' {
		return string(rune(n)), from + code.digits, nil
	}
	return string([]byte{byte(n)}), from + code.digits, nil
}
