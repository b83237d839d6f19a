//go:build mage

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// golangci is the linter's module and version. It is kept out of go.mod, because it
// would bring a thousand lines of go.sum that no user of this module needs.
const golangci = "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0"

// Lint checks format, go vet and golangci-lint, which it asks for if it is not there.
func Lint(ctx context.Context) error {
	return errors.Join(gofmt(ctx), vet(ctx), golangciLint(ctx))
}

func gofmt(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "gofmt", "-l", "perf", "magefiles").Output()
	if err != nil {
		return fmt.Errorf("gofmt -l: %w", err)
	}
	if files := strings.Fields(string(out)); len(files) > 0 {
		return fmt.Errorf("not in gofmt's format (run gofmt -w): %s", strings.Join(files, " "))
	}
	return nil
}

func vet(ctx context.Context) error {
	return errors.Join(verbose(ctx, "go", "vet", "./..."), verbose(ctx, "go", "vet", "-tags=mage", "./..."))
}

func golangciLint(ctx context.Context) error {
	program, err := exec.LookPath("golangci-lint")
	if err != nil {
		program = filepath.Join(goBin(ctx), "golangci-lint")
		if _, err := os.Stat(program); err != nil {
			return fmt.Errorf("golangci-lint is not installed: go install %s", golangci)
		}
	}
	return verbose(ctx, program, "run")
}

// goBin is where go install puts programs.
func goBin(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "go", "env", "GOBIN", "GOPATH").Output()
	if err != nil {
		return ""
	}
	lines := bytes.Split(out, []byte("\n"))
	if bin := string(lines[0]); bin != "" {
		return bin
	}
	return filepath.Join(string(lines[1]), "bin")
}

// verbose runs a command whose output goes to the terminal.
func verbose(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// minimize is how many inputs are spent on making one smaller that covers something new.
// Go's own choice, of a minute, is the whole of a search: in 20 s a reader of sections saw
// 4 inputs, and with this 63,000 in 10 s.
const minimize = "10x"

// Fuzz fuzzes every fuzz test for a while, one after another.
//
// Examples:
//
//	go tool mage fuzz -seconds=60
//	go tool mage fuzz -times=1
//
//mage:multiline
func Fuzz(ctx context.Context,
	seconds *int, /* for each fuzz test; default 20 */
	times *int, /* inputs for each fuzz test, in place of a time */
) error {
	duration := "20s"
	switch {
	case times != nil:
		duration = fmt.Sprintf("%dx", *times)
	case seconds != nil:
		duration = fmt.Sprintf("%ds", *seconds)
	}
	tests, err := fuzzTests(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, folder := range slices.Sorted(maps.Keys(tests)) {
		if err := fuzz(ctx, folder, tests[folder], filepath.Join(dir, "fuzz.test"), "-test.fuzztime="+duration, "-test.fuzzminimizetime="+minimize); err != nil {
			return err
		}
	}
	return nil
}

// fuzzTests are the names of the fuzz tests in each folder.
func fuzzTests(ctx context.Context) (map[string][]string, error) {
	out, err := exec.CommandContext(ctx, "git", "grep", "-oE", "^func Fuzz[A-Za-z0-9_]+", "--", "*_test.go").Output()
	if err != nil {
		return nil, fmt.Errorf("looking for fuzz tests: %w", err)
	}
	tests := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		file, function, _ := strings.Cut(strings.TrimSpace(line), ":")
		folder := path.Dir(file)
		tests[folder] = append(tests[folder], strings.TrimPrefix(function, "func "))
	}
	return tests, nil
}

// fuzz compiles the tests of a folder once, as the go command instruments them for
// fuzzing, and fuzzes each: go test would link them anew for every one. Inputs that are
// interesting are kept where go test keeps them.
func fuzz(ctx context.Context, folder string, tests []string, binary string, flags ...string) error {
	if err := verbose(ctx, "go", "test", "-c", "-fuzz=.", "-o", binary, "./"+folder); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-f={{.ImportPath}}", "./"+folder).Output()
	if err != nil {
		return fmt.Errorf("go list ./%s: %w", folder, err)
	}
	cache, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		return fmt.Errorf("go env GOCACHE: %w", err)
	}
	kept := filepath.Join(strings.TrimSpace(string(cache)), "fuzz", filepath.FromSlash(strings.TrimSpace(string(out))))
	for _, name := range tests {
		fmt.Printf("%s in %s\n", name, folder)
		args := append([]string{"-test.run=^$", "-test.fuzz=^" + name + "$", "-test.fuzzcachedir=" + kept}, flags...)
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = folder, os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("fuzzing %s in %s: %w", name, folder, err)
		}
	}
	return nil
}

// Cross builds for Linux, macOS and Windows, and vets but for what this runs on: that is
// lint's.
func Cross(ctx context.Context) error {
	for _, target := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"} {
		system, arch, _ := strings.Cut(target, "/")
		commands := [][]string{{"build", "./..."}, {"vet", "-tags=mage", "./..."}}
		if system == runtime.GOOS && arch == runtime.GOARCH {
			commands = commands[:1]
		}
		for _, args := range commands {
			cmd := exec.CommandContext(ctx, "go", args...)
			cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("go %s for %s: %w\n%s", strings.Join(args, " "), target, err, out)
			}
		}
		fmt.Println("builds for", target)
	}
	return nil
}
