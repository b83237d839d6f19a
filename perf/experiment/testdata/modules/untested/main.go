// Command untested is the only package of its module, and has no tests.
package main

func main() { println("usage: untested [--help]") }
