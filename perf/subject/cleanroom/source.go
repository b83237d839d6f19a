package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxSource bounds a test file: what is larger was named by mistake.
const maxSource = 1 << 20

// suffix marks a test file; with a directory that is named, .toml is enough.
const suffix = ".clnrm.toml"

// readSource returns the text of a test file.
func readSource(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	// Reading one byte more than is allowed tells too large from just enough; the
	// size that Stat gives would not hold for a pipe.
	data, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxSource:
		return "", fmt.Errorf("%s: larger than %d bytes, so it is not taken for a test file", path, maxSource)
	case !utf8.Valid(data):
		return "", fmt.Errorf("%s: not UTF-8 text, so it is not taken for a test file", path)
	}
	return string(data), nil
}

// findFiles returns the test files that paths stand for, in the order of paths
// and of names below each. None at all is an error, because a run of nothing
// would pass.
func findFiles(paths []string) ([]string, error) {
	ending := ".toml"
	if len(paths) == 0 {
		paths, ending = []string{"."}, suffix
	}
	var files []string
	for _, path := range paths {
		found, err := filesBelow(path, ending)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: no test file (*%s) here or below", path, ending)
		}
		files = append(files, found...)
	}
	return files, nil
}

// filesBelow returns path itself when it is a file, and the files with ending
// of the tree below it otherwise. Hidden directories are left out.
func filesBelow(path, ending string) ([]string, error) {
	var files []string
	err := walkVisible(path, func(p string, isDir bool) {
		if !isDir && (p == path || strings.HasSuffix(p, ending)) {
			files = append(files, p)
		}
	})
	return files, err
}

// walkVisible calls visit with path and all below it, except hidden
// directories. An entry that vanishes meanwhile is no error: a watched tree
// changes while it is walked.
func walkVisible(path string, visit func(p string, isDir bool)) error {
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && p != path && errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && p != path && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		}
		visit(p, d.IsDir())
		return nil
	})
}
