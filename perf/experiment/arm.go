package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// padVariable is the environment variable whose length varies from pair to pair.
const padVariable = "CLNRM_PERF_PAD"

// padded is env with n bytes more.
func padded(env []string, n int) []string {
	if n == 0 {
		return env
	}
	return environment(env, []string{padVariable + "=" + strings.Repeat("x", n)})
}

// Arm returns the arm called ref that runs the command of a step. aliases are other
// paths of the folder Work, one of which takes its place in each pair; there may be
// none. builds are folders as Work is, each with a build of its own.
func (p Processes) Arm(ref string, step suite.Step, side int, aliases []string, builds ...string) Arm {
	if len(builds) == 0 {
		builds = []string{p.Work}
	}
	var jobs [][]*job // by build and alias
	for _, work := range builds {
		jobs = append(jobs, p.jobs(step, work, aliases))
	}
	if step.Watch != nil {
		return watchArm(ref, side, jobs)
	}
	programs := make([]*copies, len(jobs)) // of each build, from the setup on
	return Arm{
		Ref: ref,
		Setup: func(ctx context.Context) error {
			for i, of := range jobs {
				if err := of[0].setup(ctx); err != nil {
					return err
				}
				var err error
				if programs[i], err = of[0].copies(); err != nil {
					return err
				}
			}
			return nil
		},
		Run: func(ctx context.Context, v Variation) (Observation, error) {
			build := v.build(side, len(jobs))
			if err := programs[build].take(v.Copies[v.Side]); err != nil {
				return Observation{}, err
			}
			of := jobs[build]
			j := *of[v.Path%uint(len(of))]
			j.w.CPUs, j.pad = v.CPUs, v.Pad
			if len(step.CPUs) > 0 {
				j.w.CPUs = step.CPUs // the user's own choice
			}
			return j.around(ctx, j.timed)
		},
		Cleanup: func(ctx context.Context) error {
			for i, of := range jobs {
				if err := errors.Join(programs[i].drop(), of[0].all(ctx, "cleanup", of[0].w.Cleanup)); err != nil {
					return err
				}
			}
			return nil
		},
		Record: jobs[0][0].record,
	}
}

// copies are those of the program that the job runs, if it is one that was built here.
func (j *job) copies() (*copies, error) {
	if program := j.w.Command.Args[0]; built(program, j.Work) {
		return newCopies(program, copiesRoom)
	}
	return &copies{}, nil
}

// watchArm is the arm of a command that watches. Of two of them only one can be measured
// at a time, so each run starts the command, makes one save, and ends it again; what is
// compared is the reload alone.
func watchArm(ref string, side int, jobs [][]*job) Arm {
	return Arm{Ref: ref, Run: func(ctx context.Context, v Variation) (o Observation, err error) {
		of := jobs[v.build(side, len(jobs))]
		j := *of[v.Path%uint(len(of))]
		j.w.CPUs, j.pad = v.CPUs, v.Pad
		r := newReloads(j)
		defer func() { err = errors.Join(err, r.runner().Clean(ctx)) }()
		if err := r.start(ctx); err != nil {
			return Observation{}, err
		}
		return r.reload(ctx)
	}}
}

// jobs are the step in the folder work, by that name first and then by its aliases.
func (p Processes) jobs(step suite.Step, work string, aliases []string) []*job {
	names := []string{work}
	for _, alias := range aliases {
		names = append(names, underAlias(work, cmp.Or(p.Root, p.Work), alias))
	}
	var out []*job
	for _, name := range names {
		own := p
		own.Work = name
		out = append(out, &job{Processes: own, w: step.Expand(name), clean: step.Wanted})
	}
	return out
}

// aliasCount is how many paths of different length a folder gets.
const aliasCount = 16

// Aliases gives the folder work, in it, other paths of rising length. A program that is
// called by one of them finds it in its arguments, and its working directory in PWD. It
// returns none where the system makes no symbolic links.
func Aliases(work string) []string {
	dir := filepath.Join(work, "p")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil
	}
	var out []string
	for i := range aliasCount {
		// Lengths that are no multiple of what anything is aligned to.
		alias := filepath.Join(dir, fmt.Sprintf("%02d%s", i, strings.Repeat("x", 13*i)))
		if err := os.Symlink(work, alias); err != nil {
			return nil
		}
		out = append(out, alias)
	}
	return out
}
