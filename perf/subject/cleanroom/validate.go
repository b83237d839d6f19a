package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// cmdValidate checks every file as run would, without running a step, and
// prints a line for each that is invalid.
func cmdValidate(ctx context.Context, args []string, std streams) error {
	opt, paths, err := parseArgs(args, "var")
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("%w: validate takes at least one PATH", errUsage)
	}
	files, err := findFiles(paths)
	if err != nil {
		return err
	}
	// One after the other, on one core: the throughput that is measured here is
	// that of the work and not of the machine's cores.
	invalid := 0
	for _, path := range files {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err := validateFile(path, opt.vars); err != nil {
			invalid++
			if _, err := fmt.Fprintln(std.out, err); err != nil {
				return fmt.Errorf("print the result: %w", err)
			}
		}
	}
	if _, err := io.WriteString(std.out, fmt.Sprintf("Validated %d files, %d invalid\n", len(files), invalid)); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	if invalid > 0 {
		return errReported
	}
	return nil
}

// validateFile returns the first fault of a file.
func validateFile(path string, vars variables) error {
	text, err := readSource(path)
	if err != nil {
		return err
	}
	_, err = renderSource(path, text, vars).parse()
	return err
}
