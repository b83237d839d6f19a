// Command greeter greets whoever is named.
package main

import (
	"fmt"
	"os"
	"slices"

	"example.com/greeter/greeting"
)

func main() {
	names := os.Args[1:]
	if len(names) == 0 || slices.Contains(names, "--help") {
		fmt.Println("usage: greeter [--help] NAME...")
		return
	}
	fmt.Println(greeting.Of(names))
}
