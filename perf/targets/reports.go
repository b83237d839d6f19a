package targets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/benchio"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
)

// A reportKind is a format of a report.
type reportKind struct {
	name  string
	write func(io.Writer, report.Document) error
}

// reportKinds are what -report can write, in the order in which they are explained.
var reportKinds = []reportKind{
	{"md", func(w io.Writer, d report.Document) error { return d.Markdown(w) }},
	{"junit", func(w io.Writer, d report.Document) error { return d.JUnit(w) }},
	{"json", writeResult},
	{"bench", func(w io.Writer, d report.Document) error { return benchio.WriteGo(w, d.Result) }},
	{"hyperfine", func(w io.Writer, d report.Document) error { return benchio.WriteHyperfine(w, d.Result) }},
	{"bencher", func(w io.Writer, d report.Document) error { return benchio.WriteBencher(w, d.Result) }},
	{"smaller", func(w io.Writer, d report.Document) error { return benchio.WriteCustom(w, d.Result, perf.Lower) }},
	{"bigger", func(w io.Writer, d report.Document) error { return benchio.WriteCustom(w, d.Result, perf.Higher) }},
}

func writeResult(w io.Writer, d report.Document) error {
	data, err := d.Result.Encode()
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// A reportFile is one report that was asked for.
type reportFile struct {
	kind, path string
	write      func(io.Writer, report.Document) error
}

// parseReports reads the flag -report: KIND=FILE,... It looks at everything that can be
// known to be wrong before anything is measured.
func parseReports(flag string) ([]reportFile, error) {
	var out []reportFile
	for item := range strings.SplitSeq(flag, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		kind, path, ok := strings.Cut(item, "=")
		at := slices.IndexFunc(reportKinds, func(k reportKind) bool { return k.name == kind })
		switch {
		case !ok || path == "" || at < 0:
			return nil, perf.Usagef("-report: %q is not KIND=FILE, of the kinds %s", item, kindNames())
		case slices.ContainsFunc(out, func(f reportFile) bool { return f.path == path }):
			return nil, perf.Usagef("-report: two reports cannot both be %s", path)
		}
		if err := canBeReport(path); err != nil {
			return nil, err
		}
		out = append(out, reportFile{kind, path, reportKinds[at].write})
	}
	return out, nil
}

// canBeReport refuses what a report must not take the place of.
func canBeReport(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return perf.Usagef("-report: %s is there already and is no regular file: name another one", path)
	}
	return nil
}

func kindNames() string {
	names := make([]string, len(reportKinds))
	for i, k := range reportKinds {
		names[i] = k.name
	}
	return strings.Join(names, ", ")
}

// publish writes the reports that were asked for and, under GitHub Actions, marks the run
// and adds to the summary of the step. The error is about the reports alone: whoever
// reads one must not believe an old file. What GitHub does not take is a warning, because
// a job of a fork may lack the right.
func (c console) publish(d report.Document, files []reportFile) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.save(d))
	}
	if os.Getenv("GITHUB_ACTIONS") == "true" {
		if err := c.toGitHub(d); err != nil {
			errs = append(errs, report.Note(c.err, fmt.Sprintf("GitHub was not told, and the exit status is what it was: %v", err)))
		}
	}
	return errors.Join(errs...)
}

// save writes one report, by a temporary file.
func (f reportFile) save(d report.Document) error {
	var buf bytes.Buffer
	err := f.write(&buf, d)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(f.path), 0o755)
	}
	if err == nil {
		err = baseline.WriteFile(f.path, buf.Bytes(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("-report=%s=%s: %w", f.kind, f.path, err)
	}
	return nil
}

// toGitHub writes annotations to stderr, where the runner reads them as it does on
// stdout, which may hold JSON, and appends to the summary of the step.
func (c console) toGitHub(d report.Document) error {
	err := d.Annotations(c.err)
	path := os.Getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return err
	}
	return errors.Join(err, appendSummary(path, d))
}

// appendSummary adds the document to what earlier commands of the step have written. The
// runner drops a file over its limit whole.
func appendSummary(path string, d report.Document) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("adding to the summary of the step: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("adding to the summary of the step: %w", err)
	}
	text, err := d.Summary(report.SummaryLimit - int(min(info.Size(), report.SummaryLimit)) - len("\n"))
	if err != nil {
		return err
	}
	if text == "" {
		return fmt.Errorf("the summary of the step has no room: %s holds %d bytes of %d", path, info.Size(), report.SummaryLimit)
	}
	if _, err := io.WriteString(f, text+"\n"); err != nil {
		return fmt.Errorf("adding to the summary of the step: %w", err)
	}
	return nil
}
