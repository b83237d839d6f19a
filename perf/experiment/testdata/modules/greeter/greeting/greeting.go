// Package greeting words greetings.
package greeting

import "strings"

// Of greets everybody in names.
func Of(names []string) string { return "Hello, " + strings.Join(names, " and ") + "!" }
