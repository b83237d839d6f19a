package main

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// applet is a command of the clean room. It does what POSIX says of the command
// of its name, as far as the options go that it knows; it returns its status.
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

// flags are the one-letter options that were given.
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

func (p *process) input(name string, f func(name string, r io.Reader) error) error {
	if name == "-" {
		return f(name, p.in)
	}
	file, err := p.dir.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
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

// maxLine bounds a line that an applet looks at as a whole, in bytes.
const maxLine = 64 << 20

// eachLine calls f with each line of r, without its end, until f says stop.
func eachLine(r io.Reader, f func(line []byte) (more bool)) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		if !f(s.Bytes()) {
			return nil
		}
	}
	return s.Err()
}

func appletCat(p *process, args []string) int {
	return p.eachInput("cat", args, func(_ string, r io.Reader) error {
		_, err := io.Copy(p.out, r)
		return err
	})
}

func appletEcho(p *process, args []string) int {
	end := "\n"
	if len(args) > 0 && args[0] == "-n" {
		args, end = args[1:], ""
	}
	_, _ = p.out.WriteString(strings.Join(args, " ") + end) // call reports a lost write
	return 0
}

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
	var line []byte
	for i := first; step > 0 && i <= last || step < 0 && i >= last; i += step {
		line = append(strconv.AppendInt(line[:0], int64(i), 10), '\n')
		if _, err := p.out.Write(line); err != nil {
			return 1
		}
	}
	return 0
}

// appletWc prints the counts of lines (-l), words (-w) and bytes (-c), all three
// without an option, separated by one blank.
func appletWc(p *process, args []string) int {
	opt, files, err := splitFlags(args, "lwc")
	if err != nil {
		return p.complain(2, "wc", err)
	}
	return p.eachInput("wc", files, func(name string, r io.Reader) error {
		lines, words, bytes, err := count(r)
		if err != nil {
			return err
		}
		var fields []string
		for _, f := range []struct {
			letter byte
			n      int
		}{{'l', lines}, {'w', words}, {'c', bytes}} {
			if opt == "" || opt.has(f.letter) {
				fields = append(fields, strconv.Itoa(f.n))
			}
		}
		if name != "-" {
			fields = append(fields, name)
		}
		_, err = fmt.Fprintln(p.out, strings.Join(fields, " "))
		return err
	})
}

// count returns the newlines, words and bytes of r.
func count(r io.Reader) (lines, words, bytes int, err error) {
	buf := make([]byte, pipeBuffer)
	inWord := false
	for {
		n, err := r.Read(buf)
		bytes += n
		for _, c := range buf[:n] {
			if c == '\n' {
				lines++
			}
			blank := c == ' ' || c >= '\t' && c <= '\r'
			if !blank && !inWord {
				words++
			}
			inWord = !blank
		}
		if err == io.EOF {
			return lines, words, bytes, nil
		}
		if err != nil {
			return 0, 0, 0, err
		}
	}
}

// appletSort sorts all lines of its inputs by bytes, or by the number that they
// start with (-n); -r turns the order round and -u drops equal lines.
func appletSort(p *process, args []string) int {
	opt, files, err := splitFlags(args, "nru")
	if err != nil {
		return p.complain(2, "sort", err)
	}
	var lines []string
	status := p.eachInput("sort", files, func(_ string, r io.Reader) error {
		return eachLine(r, func(l []byte) bool { lines = append(lines, string(l)); return true })
	})
	order := strings.Compare
	if opt.has('n') {
		order = func(a, b string) int { return cmp.Or(cmp.Compare(number(a), number(b)), strings.Compare(a, b)) }
	}
	slices.SortFunc(lines, order)
	if opt.has('u') {
		lines = slices.Compact(lines)
	}
	if opt.has('r') {
		slices.Reverse(lines)
	}
	return max(status, p.printLines(lines))
}

// number returns the whole number that s starts with, 0 without one.
func number(s string) int {
	s = strings.TrimLeft(s, " \t")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && s[end] == '-') {
		end++
	}
	n, _ := strconv.Atoi(s[:end]) // no number counts as 0, as POSIX has it
	return n
}

// appletGrep prints the lines that match the expression, in Go's syntax, which
// has POSIX's extended one (-E says so and changes nothing). -v turns the
// choice round, -i ignores case, -c counts, -q only answers by its status:
// 0 something was found, 1 nothing, 2 an error.
func appletGrep(p *process, args []string) int {
	opt, args, err := splitFlags(args, "vicqE")
	if err == nil && len(args) == 0 {
		err = errors.New("an expression is missing")
	}
	if err != nil {
		return p.complain(2, "grep", err)
	}
	expr := args[0]
	if opt.has('i') {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return p.complain(2, "grep", err)
	}
	found := 0
	status := p.eachInput("grep", args[1:], func(_ string, r io.Reader) error {
		return eachLine(r, func(l []byte) bool {
			if re.Match(l) == opt.has('v') {
				return true
			}
			found++
			if opt.has('c') || opt.has('q') {
				return !opt.has('q')
			}
			_, _ = p.out.Write(l)
			return p.out.WriteByte('\n') == nil // bufio keeps the first error
		})
	})
	if opt.has('c') {
		p.printLines([]string{strconv.Itoa(found)})
	}
	if status == 0 && found == 0 {
		return 1
	}
	return status
}

// appletSha256sum prints the sum and the name of each input.
func appletSha256sum(p *process, args []string) int {
	return p.eachInput("sha256sum", args, func(name string, r io.Reader) error {
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.out, "%x  %s\n", h.Sum(nil), name)
		return err
	})
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
