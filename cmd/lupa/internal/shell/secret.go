package shell

import (
	"regexp"
	"strings"
)

// secrets finds passwords in statements: those of addresses, and those that a parameter gives
// whose name may be written with percent signs.
var secrets = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^'":@/]*:([^'"]*)@|(?:pass(?:word|wd)|pass?[^=&?'"\s]*%[0-9a-f]{2}[^=&?'"\s]*|%[0-9a-f]{2}[^=&?'"\s]*)\s*=\s*([^&'"\s]*)`)

// hasSecret reports whether a statement has a password in it. Such a statement is kept for the
// session only.
func hasSecret(s string) bool { return secrets.MatchString(s) }

// redacted is a text with stars instead of the passwords, of the same length.
func redacted(s string) string {
	for _, at := range secrets.FindAllStringSubmatchIndex(s, -1) {
		for k := 2; k < len(at); k += 2 {
			if at[k] >= 0 {
				s = s[:at[k]] + strings.Repeat("*", at[k+1]-at[k]) + s[at[k+1]:]
			}
		}
	}
	return s
}
