package perf

import (
	"regexp"
	"strings"
)

// MaxFileName is the longest name, in bytes, that the module gives to a file or folder.
// With an extension, and below a few folders of such names, it stays under the limits of
// every file system and under Windows' 260 characters a path.
const MaxFileName = 100

// device matches the names that Windows gives to devices, with any extension and in
// any case (Microsoft, "Naming Files, Paths, and Namespaces").
var device = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$`)

// IsDeviceName reports whether Windows keeps the name for a device, so that no file can
// have it there.
func IsDeviceName(name string) bool { return device.MatchString(name) }

// FileName keeps what every file system takes and turns the rest into dashes.
func FileName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
			return r
		}
		return '-'
	}, s)
}
