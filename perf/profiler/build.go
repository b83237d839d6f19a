package profiler

import (
	"debug/buildinfo"
	"debug/dwarf"
	"debug/elf"
	"path/filepath"
	"strings"
)

// The ways in which programs are built.
const (
	BuildRelease = "release"
	BuildDebug   = "debug"
	BuildUnknown = "not known"
)

// BuildOf says whether the program of a command is a debug or a release build, and what
// tells. Go notes the flags of the compiler in the program, Cargo builds into a folder of
// that name, and compilers of C note their flags in debug information, where there is any.
func BuildOf(c Command) (kind, why string) {
	program := programOf(c)
	if program == "" {
		return BuildUnknown, "there is no program"
	}
	if info, err := buildinfo.ReadFile(program); err == nil {
		return goBuild(info)
	}
	folder := filepath.ToSlash(filepath.Dir(program)) + "/"
	for _, kind := range []string{BuildDebug, BuildRelease} {
		if strings.Contains(folder, "/target/"+kind+"/") {
			return kind, "it lies in Cargo's folder target/" + kind
		}
	}
	return elfBuild(program)
}

func goBuild(info *buildinfo.BuildInfo) (kind, why string) {
	for _, s := range info.Settings {
		switch {
		case s.Key == "-race" && s.Value == "true", s.Key == "-msan" && s.Value == "true", s.Key == "-asan" && s.Value == "true":
			return BuildDebug, "it was built with " + s.Key + ", which makes it many times slower"
		case s.Key == "-gcflags" && strings.Contains(s.Value, "-N"):
			return BuildDebug, "it was built with -gcflags=" + s.Value + ", without optimisation"
		}
	}
	return BuildRelease, info.GoVersion + " optimises, and nothing in the program says that it was told not to"
}

// elfBuild asks the debug information of the program's own compilation units.
func elfBuild(program string) (kind, why string) {
	const silent = "the program does not say how it was compiled"
	f, err := elf.Open(program)
	if err != nil {
		return BuildUnknown, silent
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := f.DWARF()
	if err != nil {
		return BuildUnknown, silent
	}
	units := data.Reader()
	for range someUnits {
		unit, err := units.Next()
		if err != nil || unit == nil {
			break
		}
		producer, _ := unit.Val(dwarf.AttrProducer).(string)
		if kind := optimised(producer); kind != "" {
			return kind, "its compiler notes: " + producer
		}
		units.SkipChildren()
	}
	return BuildUnknown, silent
}

// optimised reads the flags that gcc notes. clang and rustc note none; and what a linker or
// an assembler adds has none.
func optimised(producer string) string {
	if !strings.HasPrefix(producer, "GNU C") && !strings.HasPrefix(producer, "GNU Fortran") {
		return ""
	}
	level := BuildDebug // as gcc does without a flag
	for _, flag := range strings.Fields(producer) {
		if rest, ok := strings.CutPrefix(flag, "-O"); ok {
			level = BuildRelease
			if rest == "0" || rest == "g" {
				level = BuildDebug
			}
		}
	}
	return level
}
