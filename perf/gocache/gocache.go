// Package gocache serves the go command a build cache that lies in a folder of its own
// and takes over what other caches hold.
//
// An empty cache makes the go command compile the standard library and all dependencies
// anew, for minutes; a shared one is changed by each build. Here each build has its own:
// what it makes goes there, and what it does not find there is copied from the other
// caches, which are only read. Keys are hashes of what goes into an action, so that what
// is found is what would be made (but for C libraries of the system, which the go command
// does not hash: go help cache). Results of tests are such entries, too, for who runs them
// without -count=1.
//
// The folder may be kept from one build to the next. Like the go command's own it loses
// what was not used for days.
//
// The go command speaks the protocol of GOCACHEPROG since Go 1.24 (go doc
// cmd/go/internal/cacheprog), and an older one ignores that variable, unless it was built
// with it as an experiment. The folder is in
// the go command's own format (cmd/go/internal/cache), so that GOCACHE may name it for
// what comes later and is to start no program.
package gocache

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// request and response are a line each, see go doc cmd/go/internal/cacheprog. IDs of
// actions and outputs are SHA-256 sums.
type request struct {
	ID                 int64
	Command            string
	ActionID, OutputID []byte
	BodySize           int64 // of the base64 string on a line of its own that comes next, unless it is 0
}

type response struct {
	ID            int64
	Err           string     `json:",omitempty"`
	KnownCommands []string   `json:",omitempty"`
	Miss          bool       `json:",omitempty"`
	OutputID      []byte     `json:",omitempty"`
	Size          int64      `json:",omitempty"`
	Time          *time.Time `json:",omitempty"`
	DiskPath      string     `json:",omitempty"`
}

// Serve answers the go command's requests, read from r, on w, until it closes the cache
// or r ends. own is the folder of the cache, which is made. The folders others are those
// of the caches to take over from: the first that has an entry serves it. What cannot be
// stored is an answer to the go command; an error means that no more requests could be
// read or answered.
//
// Requests are answered one after another: but for the outputs that are stored or copied,
// which must be written first, an answer takes microseconds.
func Serve(own string, others []string, r io.Reader, w io.Writer) error {
	cache := overlay{own: dir(own)}
	for _, other := range others {
		cache.others = append(cache.others, dir(other))
	}
	in, out := json.NewDecoder(bufio.NewReaderSize(r, 1<<16)), json.NewEncoder(w)
	if err := out.Encode(response{KnownCommands: []string{"get", "put", "close"}}); err != nil {
		return fmt.Errorf("telling the go command what its cache can do: %w", err)
	}
	cache.own.trim(time.Now())
	for {
		var req request
		if err := in.Decode(&req); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading what the go command asks its cache: %w", err)
		}
		var body []byte
		if req.BodySize > 0 {
			if err := in.Decode(&body); err != nil {
				return fmt.Errorf("reading what the go command stores in its cache: %w", err)
			}
		}
		if err := out.Encode(cache.answer(req, body)); err != nil {
			return fmt.Errorf("answering the go command: %w", err)
		}
		if req.Command == "close" {
			return nil
		}
	}
}

// CheckOutput checks what a program printed that was to serve a cache and was asked
// nothing. Anything before the first answer makes the go command give up its build.
func CheckOutput(printed []byte) error {
	var first response
	if err := json.NewDecoder(bytes.NewReader(printed)).Decode(&first); err != nil {
		return fmt.Errorf("it prints something else first, maybe in the init of a package: %w", err)
	}
	if len(first.KnownCommands) == 0 {
		return errors.New("it does not say what its cache can do")
	}
	return nil
}

// answer is what the go command gets for a request.
func (o overlay) answer(req request, body []byte) response {
	res := response{ID: req.ID}
	var e entry
	var err error
	switch req.Command {
	case "close":
		return res
	case "get":
		if e, err = o.get(req.ActionID); err != nil {
			res.Miss = true // whatever is wrong with an entry, it can be made anew
			return res
		}
	case "put":
		e, err = o.put(req.ActionID, req.OutputID, body, req.BodySize)
	default:
		err = fmt.Errorf("the build cache knows no command %q", req.Command)
	}
	if err != nil {
		res.Err = err.Error()
		return res
	}
	res.OutputID, res.Size, res.Time, res.DiskPath = e.output, e.size, &e.time, e.path
	return res
}
