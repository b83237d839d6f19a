package main

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The applets in this file read their inputs to the end and print what they
// found. They are where a step spends processor time and memory.

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

// count returns the newlines, words and bytes of r. It counts as it reads: a
// step may send more than fits in memory.
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
	// A string for each line: that is what a sort in memory costs, and the steps
	// that sort are there to use some.
	var lines []string
	status := p.eachInput("sort", files, func(_ string, r io.Reader) error {
		return eachLine(r, func(l []byte) bool { lines = append(lines, string(l)); return true })
	})
	order := strings.Compare
	if opt.has('n') {
		order = func(a, b string) int { return cmp.Or(cmp.Compare(number(a), number(b)), strings.Compare(a, b)) }
	}
	slices.SortFunc(lines, order) // not stable, which equal lines do not show
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
	// What POSIX calls a basic expression is taken for an extended one: they agree
	// on all that needs no backslash, and a wrong guess shows in the test.
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
	if opt.has('c') { // also when it is 0, which the status tells again
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
