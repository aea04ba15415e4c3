package datanet

import (
	"slices"
	"unicode/utf8"
)

// Canonical JSON is that of RFC 8785 for what occurs here: objects with sorted
// names, strings with the shortest escapes, integers, no white space. Names are
// ASCII or sorted by UTF-16 code units as the RFC says.

const hexDigits = "0123456789abcdef"

// appendString appends s, valid UTF-8, as a JSON string.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20:
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(dst, '"')
}

// appendFields appends an object of strings.
func appendFields(dst []byte, fields map[string]string) []byte {
	dst = append(dst, '{')
	for i, name := range sortedNames(fields) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		dst = appendString(dst, fields[name])
	}
	return append(dst, '}')
}

func sortedNames(fields map[string]string) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.SortFunc(names, compareUTF16)
	return names
}

// compareUTF16 orders strings by UTF-16 code units: as bytes, except that what
// needs a surrogate pair sorts before U+E000 to U+FFFF.
func compareUTF16(a, b string) int {
	for len(a) > 0 && len(b) > 0 {
		ra, na := utf8.DecodeRuneInString(a)
		rb, nb := utf8.DecodeRuneInString(b)
		if ra != rb {
			sa, sb := ra >= 0x10000, rb >= 0x10000
			switch {
			case sa && !sb && rb >= 0xe000:
				return -1
			case sb && !sa && ra >= 0xe000:
				return 1
			case ra < rb && (sa == sb || !sa):
				return -1
			}
			return 1
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}
