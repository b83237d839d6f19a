// Package greeting words greetings.
package greeting

// Of greets everybody in names.
func Of(names []string) string {
	text := "Hello"
	for i, name := range names {
		if i > 0 {
			text += " and"
		}
		text += " " + name
	}
	return text + "!"
}
