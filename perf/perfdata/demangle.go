package perfdata

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/ianlancetaylor/demangle"
)

// maxMangled bounds what is demangled, and the text that may come of it: names grow
// exponentially where they refer to themselves.
const (
	maxMangled   = 64 << 10
	maxDemangled = 16 // a power of two
)

// demangleName turns the name of the linker into that of the source: functions of C++ with
// their arguments, those of Rust with generics and without the hash. Any other name stays
// as it is.
func demangleName(name string) (out string) {
	if len(name) > maxMangled {
		return name
	}
	// A fault of the library shall cost one name and not the profile.
	defer func() {
		if recover() != nil {
			out = name
		}
	}()
	if stub, ok := strings.CutSuffix(name, pltSuffix); ok {
		return demangleName(stub) + pltSuffix
	}
	if s, ok := legacyRust(name); ok {
		return s
	}
	if !strings.HasPrefix(name, "_Z") && !strings.HasPrefix(name, "_R") && !strings.HasPrefix(name, "___Z") && !strings.HasPrefix(name, "_GLOBAL_") {
		return name
	}
	return demangle.Filter(name, demangle.NoRust, demangle.MaxLength(maxDemangled))
}

// legacyRust demangles what rustc made before its v0: a name of C++ form whose last part
// is an h and a hash of 16 digits. The library can do that too, but takes the first of two
// underscores at the begin of a part away.
func legacyRust(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "_ZN")
	if !ok {
		return "", false
	}
	if i := strings.LastIndex(rest, "E."); i >= 0 {
		rest = rest[:i+1] // the number that LLVM gives a copy
	}
	const hash = "17h0123456789abcdefE"
	at := len(rest) - len(hash)
	if at <= 0 || !isRustHash(rest[at:]) {
		return "", false
	}
	var b strings.Builder
	for rest = rest[:at]; rest != ""; {
		n, digits := 0, 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' && n < maxMangled {
			n = n*10 + int(rest[digits]-'0')
			digits++
		}
		if n == 0 || n > len(rest)-digits {
			return "", false
		}
		part := rest[digits : digits+n]
		rest = rest[digits+n:]
		if b.Len() > 0 {
			b.WriteString("::")
		}
		unescapeRust(&b, part)
	}
	return b.String(), true
}

// isRustHash takes 17h, 16 hexadecimal digits and E. At least five digits must differ, as
// in what else demangles Rust: then it is no name of C++ by chance.
func isRustHash(s string) bool {
	digits, ok := strings.CutPrefix(s, "17h")
	digits, end := strings.CutSuffix(digits, "E")
	if !ok || !end {
		return false
	}
	seen := map[rune]bool{}
	for _, c := range digits {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return false
		}
		seen[c] = true
	}
	return len(seen) >= 5
}

// rustEscapes are the signs that a legacy name of Rust cannot hold.
var rustEscapes = map[string]string{
	"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ",",
}

// unescapeRust writes a part of a name. An escape that is not known ends it: the rest
// stands there as it is.
func unescapeRust(b *strings.Builder, part string) {
	if strings.HasPrefix(part, "_$") {
		part = part[1:] // it stands there since a name cannot begin with a sign
	}
	for part != "" {
		switch {
		case strings.HasPrefix(part, ".."):
			b.WriteString("::")
			part = part[2:]
		case part[0] == '$':
			code, rest, ok := strings.Cut(part[1:], "$")
			text, known := rustEscapes[code]
			if !known {
				text, known = rustCodePoint(code)
			}
			if !ok || !known {
				b.WriteString(part)
				return
			}
			b.WriteString(text)
			part = rest
		default:
			n := strings.IndexAny(part[1:], ".$") + 1
			if n == 0 {
				n = len(part)
			}
			b.WriteString(part[:n])
			part = part[n:]
		}
	}
}

// rustCodePoint reads u and the number of a character, as u20 for a blank.
func rustCodePoint(code string) (string, bool) {
	digits, ok := strings.CutPrefix(code, "u")
	if !ok {
		return "", false
	}
	n, err := strconv.ParseUint(digits, 16, 21)
	if err != nil || !unicode.IsPrint(rune(n)) {
		return "", false
	}
	return string(rune(n)), true
}
