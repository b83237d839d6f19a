// Command greeter greets whoever is named. It imports little, because its tests build
// it with an empty cache.
package main

import (
	"os"

	"example.com/greeter/greeting"
)

func main() {
	if len(os.Args) < 2 || os.Args[1] == "--help" {
		println("usage: greeter [--help] NAME...")
		return
	}
	println(greeting.Of(os.Args[1:]))
}
