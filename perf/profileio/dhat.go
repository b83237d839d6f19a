package profileio

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// dhatTypes are the sample types of a DHAT profile of the heap.
var dhatTypes = []profile.ValueType{
	{Type: "alloc_space", Unit: "bytes"},
	{Type: "alloc_objects", Unit: "count"},
	{Type: "peak_space", Unit: "bytes"},
	{Type: "leaked_space", Unit: "bytes"},
	{Type: "read_space", Unit: "bytes"},
	{Type: "write_space", Unit: "bytes"},
}

// dhatPoint is a program point: a stack that allocates (valgrind's dh_main.c). t is the
// total, g at the global peak, e at the end, r and w what was read and written; b are
// bytes, bk blocks. fs are the frames from the leaf to the root, indices into ftbl.
type dhatPoint struct {
	TB  int64 `json:"tb"`
	TBK int64 `json:"tbk"`
	GB  int64 `json:"gb"`
	EB  int64 `json:"eb"`
	RB  int64 `json:"rb"`
	WB  int64 `json:"wb"`
	FS  []int `json:"fs"`
}

// dhatReader reads the JSON of valgrind --tool=dhat, token by token: a document can be
// larger than what is kept of it.
type dhatReader struct {
	in      *json.Decoder
	version int
	mode    string
	points  []dhatPoint
	frames  []string
}

func readDHAT(in io.Reader, file string) (*profile.Profile, Report, error) {
	r := dhatReader{in: json.NewDecoder(in)}
	if err := r.document(); err != nil {
		return nil, Report{}, fmt.Errorf("reading %s as a profile of DHAT at byte %d: %w", file, r.in.InputOffset(), err)
	}
	p, err := r.profile(file)
	report := Report{Samples: int64(len(r.points))}
	report.Notes = append(report.Notes, "DHAT does not tell temporary allocations; heaptrack does")
	return p, report, err
}

func (r *dhatReader) document() error {
	if err := r.delim('{'); err != nil {
		return err
	}
	for r.in.More() {
		key, err := r.in.Token()
		if err != nil {
			return err
		}
		switch key {
		case "dhatFileVersion":
			err = r.in.Decode(&r.version)
		case "mode":
			err = r.in.Decode(&r.mode)
		case "pps":
			err = list(r.in, &r.points)
		case "ftbl":
			err = list(r.in, &r.frames)
		default:
			var skip json.RawMessage
			err = r.in.Decode(&skip)
		}
		if err != nil {
			return fmt.Errorf("its %v: %w", key, err)
		}
	}
	if _, err := r.in.Token(); err != nil {
		return fmt.Errorf("it is cut off: %w", err)
	}
	switch {
	case r.version != 2:
		return fmt.Errorf("its version is %d, and only 2 is known", r.version)
	case r.mode != "heap":
		return fmt.Errorf("its mode is %q, and only heap is a profile of memory", r.mode)
	}
	return nil
}

func (r *dhatReader) delim(want json.Delim) error { return wantDelim(r.in, want) }

func wantDelim(in *json.Decoder, want json.Delim) error {
	t, err := in.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v stands where %v is to be", t, want)
	}
	return nil
}

// list reads an array, element by element.
func list[T any](in *json.Decoder, into *[]T) error {
	if err := wantDelim(in, '['); err != nil {
		return err
	}
	for in.More() {
		var v T
		if err := in.Decode(&v); err != nil {
			return fmt.Errorf("element %d: %w", len(*into), err)
		}
		*into = append(*into, v)
	}
	_, err := in.Token()
	return err
}

func (r *dhatReader) profile(file string) (*profile.Profile, error) {
	types := make([]*profile.ValueType, len(dhatTypes))
	for i := range dhatTypes {
		types[i] = &profile.ValueType{Type: dhatTypes[i].Type, Unit: dhatTypes[i].Unit}
	}
	b := newBuilder(types...)
	locations := make([]*profile.Location, len(r.frames))
	for n, p := range r.points {
		s := &profile.Sample{Value: []int64{p.TB, p.TBK, p.GB, p.EB, p.RB, p.WB}}
		for _, f := range p.FS {
			if f < 0 || f >= len(r.frames) {
				return nil, fmt.Errorf("reading %s as a profile of DHAT: element %d of pps names the frame %d, and there are %d", file, n, f, len(r.frames))
			}
			if r.frames[f] == "[root]" {
				continue
			}
			if locations[f] == nil {
				locations[f] = dhatLocation(b, r.frames[f])
			}
			s.Location = append(s.Location, locations[f])
		}
		b.profile.Sample = append(b.profile.Sample, s)
	}
	return b.finish(file)
}

// dhatLocation reads "0xADDRESS: FUNCTION (FILE:LINE)" or "... (in MODULE)".
func dhatLocation(b *profileBuilder, text string) *profile.Location {
	hex, name, found := strings.Cut(text, ": ")
	address, err := strconv.ParseUint(strings.TrimPrefix(hex, "0x"), 16, 64)
	if !found || err != nil {
		address, name = 0, text
	}
	var file, module string
	var line int64
	if open := lastGroup([]byte(name)); open > 0 {
		place := name[open+1 : len(name)-1]
		name = strings.TrimSpace(name[:open])
		if m, ok := strings.CutPrefix(place, "in "); ok {
			module = m
		} else if at := strings.LastIndexByte(place, ':'); at >= 0 {
			file = place[:at]
			line, _ = strconv.ParseInt(place[at+1:], 10, 32) // without one it is 0, which means that
		}
	}
	if name == "???" || name == "" {
		name = unknownIn(module)
	}
	name = strings.ToValidUTF8(fixRust(name, true), "\ufffd")
	return b.addLocation(address, module, []profile.Line{{Function: b.function(functionKey{name, file}), Line: line}})
}
