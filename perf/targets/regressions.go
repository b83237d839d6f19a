package targets

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// regressed is the target regressions.
func regressed(ctx context.Context, o refOptions, base string) error {
	ctx, stop := guarded(ctx)
	defer stop()
	commit, label, err := mergeBase(ctx, base)
	if err != nil {
		return bare(err)
	}
	o.suite, o.missing = true, true
	p, err := planRefs(ctx, o, commit, "HEAD")
	if err != nil {
		return bare(err)
	}
	p.labels = [2]string{label, "HEAD " + short(p.commit[1])}
	return bare(runRefs(ctx, p))
}

// short is what is enough of a commit for a reader.
func short(commit string) string { return fmt.Sprintf("%.12s", commit) }

// mergeBase finds the commit that HEAD is judged against: where it left the base branch.
func mergeBase(ctx context.Context, base string) (commit, label string, err error) {
	root, err := refRoot()
	if err != nil {
		return "", "", err
	}
	repo, err := experiment.FindRepository(ctx, root)
	if err != nil {
		return "", "", err
	}
	shallow, err := repo.Shallow(ctx)
	if err != nil {
		return "", "", fmt.Errorf("asking whether the clone is whole: %w", err)
	}
	if shallow {
		return "", "", fmt.Errorf("the clone is shallow, so where HEAD left its base cannot be told: git fetch --unshallow origin (actions/checkout: fetch-depth: 0)")
	}
	branch, err := baseBranch(ctx, repo, base)
	if err != nil {
		return "", "", err
	}
	if commit, err = repo.MergeBase(ctx, branch); err != nil {
		return "", "", failure(err)
	}
	return commit, fmt.Sprintf("merge base with %s, %s", branch, short(commit)), nil
}

// baseBranch is the branch that HEAD is to be merged into: what the user names, what
// GitHub says, or what the clone's origin has.
func baseBranch(ctx context.Context, repo experiment.Repository, base string) (string, error) {
	candidates := []string{"origin/HEAD", "main"}
	for _, named := range []string{base, os.Getenv("GITHUB_BASE_REF")} {
		if named != "" {
			candidates = []string{named}
			if base == "" {
				candidates = []string{"origin/" + named, named} // GitHub fetches no local branch
			}
			break
		}
	}
	for _, c := range candidates {
		_, err := repo.Commit(ctx, c)
		if err == nil {
			return c, nil
		}
		if perf.ExitStatus(err) != perf.ExitUsage { // git failed, or was ended: nothing is known of the branch
			return "", err
		}
	}
	name := cmp.Or(base, os.Getenv("GITHUB_BASE_REF"), "main")
	return "", fmt.Errorf("there is no %s to compare HEAD with: git fetch origin %s, or name the branch with -base=", strings.Join(candidates, " and no "), strings.TrimPrefix(name, "origin/"))
}

// remeasured is the target baseline:compare -remeasure: the commit of the baseline is
// built again and compared with the checkout, pair by pair.
func remeasured(ctx context.Context, name string, o compareOptions) error {
	ctx, stop := guarded(ctx)
	defer stop()
	s, err := openShelf(ctx, o.suite)
	if err != nil {
		return bare(err)
	}
	old, err := s.load(name, true) // it is built and measured here, wherever it is from
	if err != nil {
		return bare(err)
	}
	switch {
	case o.run != "":
		return bare(perf.Usagef("-remeasure measures the checkout as it is, and -run=%s names a run: use one of them", o.run))
	case old.Subject.Commit == "":
		return bare(fmt.Errorf("the baseline %s names no commit, so it cannot be built again: compare without -remeasure, or save a new one", name))
	case old.Subject.Dirty:
		return bare(fmt.Errorf("the baseline %s was made with changes that were not committed, so its commit %s does not make it: compare without -remeasure, or save a new one", name, short(old.Subject.Commit)))
	}
	pairs := pairOptions{budget: o.budget, report: o.report, json: o.json}
	p, err := planRefs(ctx, refOptions{pairOptions: pairs, workloads: o.workloads, suiteOnly: true, policy: o.policy, missing: true}, old.Subject.Commit, experiment.WorktreeRef)
	if err != nil {
		return bare(err)
	}
	p.labels = [2]string{"baseline " + name + ", " + short(old.Subject.Commit), experiment.WorktreeRef}
	return bare(runRefs(ctx, p))
}
