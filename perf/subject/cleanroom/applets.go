package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// applet is a command of the clean room. It does what POSIX says of the utility
// of its name (IEEE Std 1003.1, Shell and Utilities; seq and sha256sum are those
// of GNU coreutils), as far as the options go that it knows, and refuses other
// options: to ignore one would give another output than the host's command. It
// returns its status. A write that fails is reported by process.call, because
// the buffered output keeps its first error; an applet looks at the error only
// to stop early, when nobody reads any more.
type applet func(p *process, args []string) int

// appletNames lists the applets for messages.
const appletNames = "cat echo env exit false grep ls pwd seq sh sha256sum sort true wc"

// findApplet returns the applet of that name, or nil. It is a switch and not a
// map because a map would be made at each start of the program.
func findApplet(name string) applet {
	switch name {
	case "cat":
		return appletCat
	case "echo":
		return appletEcho
	case "env":
		return func(p *process, _ []string) int { return p.printLines(p.env) }
	case "false":
		return func(*process, []string) int { return 1 }
	case "grep":
		return appletGrep
	case "ls":
		return appletLs
	case "pwd":
		return appletPwd
	case "seq":
		return appletSeq
	case "sh":
		return appletSh
	case "sha256sum":
		return appletSha256sum
	case "sort":
		return appletSort
	case "true":
		return func(*process, []string) int { return 0 }
	case "wc":
		return appletWc
	}
	return nil
}

// flags are the letters of the one-letter options that were given.
type flags string

func (f flags) has(c byte) bool { return strings.IndexByte(string(f), c) >= 0 }

// splitFlags takes the options, all of known, off the front of args.
func splitFlags(args []string, known string) (flags, []string, error) {
	var given flags
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0][1:]
		args = args[1:]
		if word == "-" {
			break
		}
		if i := strings.IndexFunc(word, func(r rune) bool { return !strings.ContainsRune(known, r) }); i >= 0 {
			return "", nil, fmt.Errorf("unknown option -%s; this one knows the letters %q", word, known)
		}
		given += flags(word)
	}
	return given, args, nil
}

// eachInput calls f with each of the named files, or with the standard input
// when there is none. It returns 0, or 2 after a complaint.
func (p *process) eachInput(applet string, names []string, f func(name string, r io.Reader) error) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	status := 0
	for _, name := range names {
		if err := p.input(name, f); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			status = p.complain(2, applet, err)
		}
	}
	return status
}

// input opens one of the inputs, within the step's directory.
func (p *process) input(name string, f func(name string, r io.Reader) error) error {
	if name == "-" {
		return f(name, p.in)
	}
	file, err := p.dir.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	return f(name, file)
}

// printLines writes each line with its end, until nobody reads any more.
func (p *process) printLines(lines []string) int {
	for _, l := range lines {
		if _, err := fmt.Fprintln(p.out, l); err != nil {
			return 1
		}
	}
	return 0
}

// appletCat copies its inputs, each a file or - for the standard input.
func appletCat(p *process, args []string) int {
	return p.eachInput("cat", args, func(_ string, r io.Reader) error {
		_, err := io.Copy(p.out, r)
		return err
	})
}

// appletEcho prints its words; with -n first, without the newline. It knows no
// escapes: whether echo should is the one thing that shells do not agree on.
func appletEcho(p *process, args []string) int {
	end := "\n"
	if len(args) > 0 && args[0] == "-n" {
		args, end = args[1:], ""
	}
	_, _ = p.out.WriteString(strings.Join(args, " ") + end) // call reports a lost write
	return 0
}

// appletPwd prints where the step runs. It is the one applet whose output is not
// the same on every system and in every run.
func appletPwd(p *process, _ []string) int {
	dir, err := os.Getwd()
	if err != nil {
		return p.complain(1, "pwd", err)
	}
	return p.printLines([]string{dir})
}

// appletSeq prints LAST, FIRST LAST or FIRST STEP LAST, whole numbers.
func appletSeq(p *process, args []string) int {
	v := make([]int, len(args))
	for i, a := range args {
		n, err := strconv.Atoi(a)
		if err != nil {
			return p.complain(2, "seq", fmt.Errorf("%q is not a whole number", a))
		}
		v[i] = n
	}
	first, step, last := 1, 1, 0
	switch len(v) {
	case 1:
		last = v[0]
	case 2:
		first, last = v[0], v[1]
	case 3:
		first, step, last = v[0], v[1], v[2]
	default:
		return p.complain(2, "seq", errors.New("takes one to three numbers"))
	}
	if step == 0 {
		return p.complain(2, "seq", errors.New("the step must not be 0"))
	}
	// The numbers are formatted by hand because steps use seq as a source of
	// much data: through Fprintln it would be what the measurement sees.
	var line []byte
	for i := first; step > 0 && i <= last || step < 0 && i >= last; i += step {
		line = append(strconv.AppendInt(line[:0], int64(i), 10), '\n')
		if _, err := p.out.Write(line); err != nil {
			return 1
		}
	}
	return 0
}

// appletLs prints the names in a directory, sorted, without hidden ones.
func appletLs(p *process, args []string) int {
	if len(args) == 0 {
		args = []string{"."}
	}
	var names []string
	for _, dir := range args {
		entries, err := fs.ReadDir(p.dir.FS(), dir)
		if err != nil {
			return p.complain(2, "ls", err)
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				names = append(names, e.Name())
			}
		}
	}
	return p.printLines(names)
}
