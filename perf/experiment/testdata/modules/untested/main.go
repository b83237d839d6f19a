// Command untested is the only package of its module, and has no tests.
package main

import "fmt"

func main() { fmt.Println("usage: untested [--help]") }
