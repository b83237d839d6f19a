package profileio

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/perfdata"
)

// readPerfData reads a recording of perf itself.
func readPerfData(in io.Reader, file string, o Options) (*profile.Profile, Report, error) {
	rec, err := perfdata.Read(in, perfdata.Options{
		Event: o.Event, Threads: o.Threads, CPUs: o.CPUs, OffCPU: o.OffCPU, NoInlined: o.NoInlined, Open: o.Open,
	})
	if err != nil {
		return nil, Report{}, fmt.Errorf("reading %s: %w", file, err)
	}
	report := Report{
		Format: PerfData, Event: rec.Event, Others: rec.Others, Samples: rec.Samples, Lost: rec.Lost,
		Waits: Waits(rec.Waits), Faulty: rec.Faulty, Notes: rec.Notes,
		Whole: rec.Walks[perfdata.WalkedToRoot],
	}
	for _, n := range rec.Walks {
		report.Walked += n
	}
	for _, f := range rec.Faults {
		report.Faults = append(report.Faults, &perf.SyntaxError{File: file, Msg: f.String()})
	}
	return rec.Profile, report, nil
}

// foldPerfData folds what perf has recorded as if its text had been read.
func foldPerfData(p *profile.Profile, value int, o FoldOptions) map[string]int64 {
	out := map[string]int64{}
	names, namesJava := map[*profile.Location]string{}, map[*profile.Location]string{}
	var line []byte
	for _, s := range p.Sample {
		comm := first(s, "comm")
		line = appendRoot(line[:0], thread{comm: comm, pid: first(s, "pid"), tid: first(s, "tid")}, o)
		java, known := strings.HasPrefix(comm, "java"), names
		if java {
			known = namesJava
		}
		for _, l := range slices.Backward(s.Location) {
			name, ok := known[l]
			if !ok {
				name = foldedLocation(l, o, java)
				known[l] = name
			}
			line = append(line, name...)
		}
		out[string(line)] += s.Value[value]
	}
	return out
}

func first(s *profile.Sample, key string) string {
	if v := s.Label[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// foldedLocation is what the functions at a place contribute to a line.
func foldedLocation(l *profile.Location, o FoldOptions, java bool) string {
	var b strings.Builder
	for _, line := range slices.Backward(l.Line) {
		f := frame{symbol: line.Function.Name, module: unknown, addr: l.Address}
		if l.Mapping != nil {
			f.module = l.Mapping.File
		}
		if f.symbol == f.unknownName(FoldOptions{}) {
			f.symbol = unknown
		}
		b.WriteString(foldedFrame(f, o, java))
	}
	return b.String()
}
