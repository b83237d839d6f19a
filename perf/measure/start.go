package measure

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A StartError is a command that could not be started at all.
type StartError struct {
	Args   []string
	Dir    string // working directory that was asked for
	Err    error  // errors.Is(err, fs.ErrNotExist) or exec.ErrNotFound: there is no such program
	Remedy string // what to do next
}

func (e *StartError) Error() string {
	line := commandLine(e.Args)
	if line == "" {
		line = "command"
	}
	s := fmt.Sprintf("cannot start %s: %v", line, e.Err)
	if e.Remedy != "" {
		s += " (" + e.Remedy + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// startError explains why execve or chdir of path failed. The system says
// ENOENT for a missing directory, a missing program and a missing interpreter
// alike, so each is looked for here, after the fact.
func (c Command) startError(path string, err error) error {
	e := &StartError{Args: c.Args, Dir: c.Dir, Err: err}
	if c.Dir != "" {
		if info, dirErr := os.Stat(c.Dir); dirErr != nil {
			e.Err = fmt.Errorf("working directory: %w", dirErr)
			e.Remedy = "create it, or name another"
			return e
		} else if !info.IsDir() {
			e.Err = fmt.Errorf("working directory %s: not a directory", c.Dir)
			e.Remedy = "name a directory"
			return e
		}
		// The child changes its directory before it calls execve.
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.Dir, path)
		}
	}
	e.Err = &fs.PathError{Op: "exec", Path: path, Err: err}
	e.Remedy = execRemedy(path, err)
	return e
}

// execRemedy says what to do about a program that execve refused with err.
func execRemedy(path string, err error) string {
	info, statErr := os.Stat(path)
	switch {
	case statErr != nil:
		return "check the path"
	case info.IsDir():
		return "it is a directory; name a program"
	case errors.Is(err, fs.ErrPermission):
		return "make it executable: chmod +x " + quote(path)
	case errors.Is(err, fs.ErrNotExist):
		return "the file is there, but not " + interpreter(path)
	}
	// ENOEXEC: not a format that the kernel knows, or of another architecture.
	return "is it a program for this system, or a script without a #! line?"
}

// interpreter names what the kernel looked for in order to run an existing file.
func interpreter(path string) string {
	head := make([]byte, 256)
	f, err := os.Open(path)
	if err != nil {
		return "its interpreter"
	}
	defer f.Close()
	n, _ := f.Read(head)
	line, script := bytes.CutPrefix(head[:n], []byte("#!"))
	if !script {
		return "the dynamic loader that it asks for"
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return "its interpreter"
	}
	return "its interpreter " + words[0]
}
