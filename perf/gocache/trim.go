package gocache

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// How long the go command keeps what nobody uses, how often it looks, and how exactly it
// knows when something was used (cmd/go/internal/cache).
const (
	keep      = 5 * 24 * time.Hour
	lookEvery = 24 * time.Hour
	exactTo   = time.Hour
)

// used notes that an entry was used, as the time of its files. Where that fails it is
// dropped early and made again.
func (d dir) used(action []byte, e entry) {
	now := time.Now()
	note, err := d.file(action, "a")
	if err != nil {
		return
	}
	for _, name := range []string{note, e.path} {
		if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) > exactTo {
			_ = os.Chtimes(name, now, now)
		}
	}
}

// trim removes what was not used for days, at most once a day. What cannot be removed
// takes room, and nothing else.
func (d dir) trim(now time.Time) {
	stamp := filepath.Join(string(d), "trim.txt") // which the go command reads, too
	if last, err := os.ReadFile(stamp); err == nil {
		seconds, err := strconv.ParseInt(strings.TrimSpace(string(last)), 10, 64)
		if since := now.Sub(time.Unix(seconds, 0)); err == nil && since >= 0 && since < lookEvery {
			return
		}
	}
	if err := replace(stamp, func(w io.Writer) error { _, err := fmt.Fprintln(w, now.Unix()); return err }); err != nil {
		return
	}
	for key := range 256 {
		folder := filepath.Join(string(d), fmt.Sprintf("%02x", key))
		files, _ := os.ReadDir(folder) // most are not there at first
		for _, file := range files {
			if info, err := file.Info(); err == nil && now.Sub(info.ModTime()) > keep+exactTo {
				_ = os.RemoveAll(filepath.Join(folder, file.Name())) // a program that the go command ran is a folder
			}
		}
	}
}
