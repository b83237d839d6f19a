package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
)

// profilesEnv names a folder in which a command leaves profiles of its own runtime, as
// cpu-PID.pprof and so on. It is how this program is profiled where there is no profiler.
const profilesEnv = "CLEANROOM_PROFILES"

// profiled runs a command with all profiles on, if the environment asks for them.
func profiled(command func() error) error {
	dir := os.Getenv(profilesEnv)
	if dir == "" {
		return command()
	}
	runtime.MemProfileRate = 1
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	cpu, err := createProfile(dir, "cpu")
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return errors.Join(fmt.Errorf("profile this command: %w", err), cpu.Close())
	}
	err = command()
	pprof.StopCPUProfile()
	return errors.Join(err, cpu.Close(), writeProfile(dir, "heap", "allocs"), writeProfile(dir, "block", "block"), writeProfile(dir, "mutex", "mutex"))
}

func createProfile(dir, name string) (*os.File, error) {
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", name, os.Getpid())))
	if err != nil {
		return nil, fmt.Errorf("profile this command: %w", err)
	}
	return f, nil
}

// writeProfile writes one of the profiles that the runtime has kept.
func writeProfile(dir, name, of string) error {
	f, err := createProfile(dir, name)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup(of).WriteTo(f, 0), f.Close())
}
