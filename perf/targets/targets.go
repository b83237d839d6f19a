// Package targets is the Mage targets of clnrm-perf, for any repository to import.
//
// A magefile imports it with a comment directly above the import:
//
//	//go:build mage
//
//	package main
//
//	//mage:import
//	import _ "github.com/seanchatmangpt/clnrm-perf/perf/targets"
//
// and go tool mage -l lists them. What they measure is what [Use] was given, or else
// what the root of the repository shows. Each target parses, calls and renders; what
// it calls lies in the packages below, which a program may use without Mage.
package targets

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Benchmarks measures the subject and prints one table against target and critical.
//
// It builds the subject and measures build, CLI startup, test suite, memory, CPU,
// throughput, hot reload and container lifecycle, each until its objective is decided
// and its interval is narrow, or its share of the time is used up. The result is kept
// in .perf/runs/ID/result.json.
// Objectives are reported; they change the exit status only in cleanroomSloCheck.
//
// Example:
//
//	go tool mage benchmarks -only='cli startup,self-test' -set='cli startup=50ms/100ms'
//
// Exit status: 0, or 1 if a workload failed or the run was interrupted.
//
//mage:multiline
func Benchmarks(ctx context.Context,
	mode *string, /* quick (about two minutes) or full (up to 15 minutes); default quick */
	only *string, /* comma list of workloads, by unique prefix */
	set *string, /* NAME=TARGET[/CRITICAL],... changes objectives */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	return measured(ctx, options{mode: str(mode), only: str(only), set: str(set), report: str(report), json: is(json)})
}

// BenchmarkAll measures like benchmarks, in full mode.
//
// Full mode takes as many runs as it needs for intervals of 2 %, up to 15 minutes.
//
// Example:
//
//	go tool mage benchmarkAll -json
//
//mage:multiline
func BenchmarkAll(ctx context.Context,
	only *string, /* comma list of workloads, by unique prefix */
	set *string, /* NAME=TARGET[/CRITICAL],... changes objectives */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	return measured(ctx, options{mode: suite.Full.Name, only: str(only), set: str(set), report: str(report), json: is(json)})
}

// CleanroomSloCheck is the gate: it measures, and fails if an objective is breached.
//
// Example:
//
//	go tool mage cleanroomSloCheck -strict -set='build time=60s/90s'
//
// Exit status: 0 all objectives hold; 3 one is BREACHED (with -strict also over its
// target); 1 a workload failed or nothing was compared; 4 one could not be measured
// (with -strict also: is UNDECIDED). When several apply: 2, 3, 1, 4.
//
//mage:multiline
func CleanroomSloCheck(ctx context.Context,
	mode *string, /* quick or full; default quick */
	only *string, /* comma list of workloads, by unique prefix */
	set *string, /* NAME=TARGET[/CRITICAL],... changes objectives */
	strict *bool, /* over target fails (3), and so does UNDECIDED (4) */
	allowUnmeasured *string, /* comma list of objectives that may be NOT MEASURED */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	policy := experiment.Policy{Gate: true, Strict: is(strict)}
	return measured(ctx, options{mode: str(mode), only: str(only), set: str(set), report: str(report), json: is(json), policy: policy, allow: str(allowUnmeasured)})
}

// BenchHotReload measures hot reload: from the save of a test file to its result.
//
// The watching command is started in a folder of its own, and each sample is a new
// content that is renamed in, which passes and fails in turn. Three files, of 1, 3 and
// 5 services with 1, 5 and 10 scenarios, show how the cost grows; the objectives are
// on the first. Quick mode takes the 59 reloads that bound p95, full mode the 299 that
// bound p99, where one takes less than half a second.
//
// Example:
//
//	go tool mage benchHotReload -set='hot reload p95=1s/2s'
//
// Exit status: 0, or 1 if a watcher failed or the run was interrupted.
//
//mage:multiline
func BenchHotReload(ctx context.Context,
	mode *string, /* quick or full; default quick */
	set *string, /* NAME=TARGET[/CRITICAL],... changes objectives */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	return measured(ctx, options{mode: str(mode), set: str(set), report: str(report), json: is(json), reloads: true})
}

// BenchContainers tells how many containers a second the engine starts and removes, and why no more.
//
// Lifecycles of containers (create, start, ready, stop, remove) run at rising parallelism
// and in several networks, interleaved, each level often enough for an interval. It prints
// lifecycles a second and every phase at each level, the Universal Scalability Law fitted
// to them, and in words what a start waits for and what would help; a picture lies in the
// folder of the run. Without -image it is a small probe, of which an image is made here.
//
// Runs are kept, saved as baselines and compared as any other, with -suite=containers (of
// an image: -suite=containers-IMAGE).
//
// Examples:
//
//	go tool mage benchContainers -parallel=1,2,4
//	go tool mage benchContainers -image=postgres:16 -network=bridge -parallel=1,8,100 -budget=5m
//	go tool mage benchContainers -cmd='-delay=200ms' -exec='/probe -exit=0'
//
// Exit status: 0; 1 if a lifecycle failed, or no level was measured; 2 if the call makes
// no sense.
//
//mage:multiline
func BenchContainers(ctx context.Context,
	image *string, /* an image that the engine has; default a probe that is made here */
	parallel *string, /* levels of parallelism; default 1,2,4,8,16,32,64,100 */
	network *string, /* networks; default none,bridge,host */
	ready *string, /* tcp:PORT, exec:COMMAND, log:REGEX or health; default a line that begins with READY, or what postgres and redis need */
	cmd *string, /* arguments in place of the image's own, split as by a shell */
	env *string, /* KEY=VALUE,... for each container */
	exec *string, /* run this in each container once it is ready: the phase exec; default /probe -exit=0 for the probe, -exec= for none */
	pull *bool, /* pull the image if the engine does not have it */
	budget *string, /* time for all of it; default 10m */
	rounds *int, /* visits to each level; default 6, which bound the median */
	seed *int, /* replay the order of an earlier run */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	return containersBenched(ctx, containerOptions{
		image: str(image), parallel: str(parallel), network: str(network), ready: str(ready), cmd: str(cmd), env: str(env), exec: exec,
		pull: is(pull), budget: str(budget), rounds: rounds, seed: seed, report: str(report), json: is(json),
	})
}

// Plan prints every command that benchmarks would run, with its cost, and runs none.
//
// Example:
//
//	go tool mage plan -only=build
//
//mage:multiline
func Plan(ctx context.Context,
	mode *string, /* quick or full; default quick */
	only *string, /* comma list of workloads, by unique prefix */
	set *string, /* NAME=TARGET[/CRITICAL],... changes objectives */
) error {
	return planned(ctx, options{mode: str(mode), only: str(only), set: str(set)})
}

// Doctor says which tools are here, what each enables, and what this machine does to results.
//
// With -noise it measures, for about a minute, how far runs of one command differ here,
// and says which slowdown a comparison can find in a minute, and what would improve it.
//
// Examples:
//
//	go tool mage doctor
//	go tool mage doctor -noise
//
//mage:multiline
func Doctor(ctx context.Context,
	noise *bool, /* measure the noise of this machine */
	budget *string, /* with -noise: time for the runs; default 40s */
) error {
	if is(noise) {
		return noisy(ctx, str(budget))
	}
	if str(budget) != "" {
		return bare(perf.Usagef("-budget is for -noise: without it nothing is measured"))
	}
	return examined(ctx)
}

// Time measures any command, as people use hyperfine: mage time "COMMAND".
//
// The command is split into words without a shell; -shell runs it by one and shows
// what the shell itself costs. Warm-up and memory runs come on top of the runs.
//
// Examples:
//
//	go tool mage time "grep -c func main.go" -runs=50
//	go tool mage time "sort -S {n}M big.txt" -scan='n=1..8' -prepare='cp big.txt.orig big.txt'
//
// Exit status: 0; 1 if a run failed; 2 if the command line makes no sense.
//
//mage:multiline
func Time(ctx context.Context, command string,
	runs *int, /* exact number of timed runs (default: 10 or more, until the interval is narrow) */
	warmup *int, /* runs that do not count, before the others; default 1 */
	budget *string, /* time for the runs, as 30s; default 5s, but at least 10 runs */
	setup *string, /* command run once before everything */
	prepare *string, /* command run before each run */
	conclude *string, /* command run after each run */
	cleanup *string, /* command run once at the end */
	scan *string, /* NAME=FROM..TO[..STEP] or NAME=A,B,C; {NAME} stands for the value in all commands */
	cpu *string, /* pin to these processors, as 1 or 0,1 */
	shell *bool, /* run the command by the system's shell */
	memory *int, /* runs that measure memory; default 1, 0 leaves them out */
	timeout *string, /* end a run, and each command around it, after this time, as 10s */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	return timed(ctx, timeOptions{
		command: command, runs: runs, warmup: warmup, budget: str(budget), setup: str(setup), prepare: str(prepare), conclude: str(conclude),
		cleanup: str(cleanup), scan: str(scan), cpu: str(cpu), shell: is(shell), memory: memory, timeout: str(timeout), json: is(json),
	})
}

// Compare tells which of two commands is slower: mage compare "COMMAND A" "COMMAND B".
//
// Both run in pairs, in an order that a coin decides, until the answer is certain or
// the budget is spent. SLOWER and FASTER are about B as against A and wrong in at most
// 1 % of comparisons; NO CHANGE proves a difference of less than 2 %. CPU time decides
// for what computes on one thread, wall time for what waits, both for what is parallel.
//
// Examples:
//
//	go tool mage compare "gzip -6 -c data" "gzip -9 -c data"
//	go tool mage compare "sort a.txt" "sort --parallel=1 a.txt" -budget=30s -json
//
// Exit status: 0; 3 if B is SLOWER; 1 if a command failed, or the harness itself made a
// difference (INVALID); 2 if the call makes no sense.
//
//mage:multiline
func Compare(ctx context.Context, old, new string,
	budget *string, /* time for the pairs; default 2m */
	minEffect *string, /* the change that counts; default 2% */
	metric *string, /* decide by wall, cpu, user or system (default: what the warm-up shows) */
	seed *int, /* replay the order of an earlier comparison */
	setup *string, /* command run once before everything */
	prepare *string, /* command run before each run */
	conclude *string, /* command run after each run */
	cleanup *string, /* command run once at the end */
	cpu *string, /* pin to these processors, as 1 or 0,1 (default: a quiet one for what computes on one thread) */
	shell *bool, /* run the commands by the system's shell */
	timeout *string, /* end a run, and each command around it, after this time, as 10s */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	return compared(ctx, compareTwo{
		pairOptions: pairOptions{budget: str(budget), minEffect: str(minEffect), metric: str(metric), seed: seed, report: str(report), json: is(json)},
		old:         old, new: new, setup: str(setup), prepare: str(prepare), conclude: str(conclude), cleanup: str(cleanup),
		cpu: str(cpu), shell: is(shell), timeout: str(timeout),
	})
}

// CompareRefs tells whether a git ref is slower than another: mage compareRefs OLD NEW.
//
// Each ref is checked out into a worktree of its own, built once with a build cache of
// its own, and removed afterwards; the checkout and the index are only read. WORKTREE
// names the changes that are not committed. The workloads of the suite are compared (a
// clean build only with -workload=build), and in a Go module every benchmark of
// go test -bench, in rounds of random order.
//
// Examples:
//
//	go tool mage compareRefs main HEAD
//	go tool mage compareRefs HEAD WORKTREE -workload='cli startup,BenchmarkParse'
//
// Exit status: 0; 3 if NEW is SLOWER; 1 if a ref is not there or does not build, a
// workload failed, or nothing was compared; 2 if the call makes no sense.
//
//mage:multiline
func CompareRefs(ctx context.Context, old, new string,
	workload *string, /* comma list of workloads, by unique prefix, and of benchmarks, by what begins their name */
	rebuilds *int, /* builds of each ref, with a layout of their own; default 1 */
	budget *string, /* time for the pairs of each workload; default 2m */
	benchBudget *string, /* time for the pairs of each Go benchmark; default 10s */
	minEffect *string, /* the change that counts; default 2% */
	metric *string, /* decide by wall, cpu, user or system (default: what the warm-up shows) */
	seed *int, /* replay the order of an earlier comparison */
	profile *bool, /* of what is SLOWER, record profiles of both sides and show the difference */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	pairs := pairOptions{budget: str(budget), minEffect: str(minEffect), metric: str(metric), seed: seed, report: str(report), json: is(json)}
	return comparedRefs(ctx, refOptions{
		profile:     is(profile),
		pairOptions: pairs, workloads: str(workload), rebuilds: number(rebuilds, 0), benchBudget: str(benchBudget), policy: experiment.Policy{Gate: true},
	}, old, new)
}

// Regressions is the gate of a branch: it compares HEAD with where it left its base.
//
// It is compareRefs of the merge base and HEAD, over the workloads of the suite and all
// Go benchmarks, with the rate of false alarms controlled over all of them together
// (e-BH). The base is -base, or GITHUB_BASE_REF, or origin/HEAD, or main; where that is
// HEAD itself, its parent takes the place. Clean builds take -workload=build.
//
// Example:
//
//	go tool mage regressions -base=origin/main -budget=30s
//
// Exit status: 0; 3 something is SLOWER; 1 something failed, a ref does not build, the
// clone is shallow, or nothing was compared; 4 what the base has was not measured (with
// -strict also: is UNDECIDED). When several apply: 2, 3, 1, 4.
//
//mage:multiline
func Regressions(ctx context.Context,
	base *string, /* the branch that HEAD is to be merged into */
	workload *string, /* comma list of workloads, by unique prefix, and of benchmarks, by what begins their name */
	rebuilds *int, /* builds of each side, with a layout of their own; default 1 */
	budget *string, /* time for the pairs of each workload; default 2m */
	benchBudget *string, /* time for the pairs of each Go benchmark; default 10s */
	minEffect *string, /* the change that counts; default 2% */
	strict *bool, /* UNDECIDED fails, too (4) */
	allowUnmeasured *string, /* comma list of workloads and benchmarks that HEAD may lack */
	seed *int, /* replay the order of an earlier comparison */
	profile *bool, /* of what is SLOWER, record profiles of both sides and show the difference */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	pairs := pairOptions{budget: str(budget), minEffect: str(minEffect), seed: seed, report: str(report), json: is(json)}
	return regressed(ctx, refOptions{
		profile:     is(profile),
		pairOptions: pairs, workloads: str(workload), rebuilds: number(rebuilds, 0), benchBudget: str(benchBudget),
		policy: experiment.Policy{Gate: true, Strict: is(strict)}, allow: str(allowUnmeasured),
	}, str(base))
}

// SelfTest proves on this machine, now, that the gate works, and how well.
//
// Its work is this program itself. A command against itself must be NO CHANGE, one that is
// slower by 5 or 20 % must be SLOWER, and a harness that favours one side must be caught
// (INVALID). It prints the smallest slowdown that a comparison finds within the budget.
//
// Example:
//
//	go tool mage selfTest -budget=30s
//
// Exit status: 0 all of it came out; 1 something else did; 4 something did not come out
// within the budget.
//
//mage:multiline
func SelfTest(ctx context.Context,
	budget *string, /* time for the pairs of each part; default 30s */
	seed *int, /* replay the order of an earlier self-test */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	return selfTested(ctx, pairOptions{budget: str(budget), seed: seed, json: is(json)})
}

// Import reads results of other benchmark tools: mage import "FILE[,FILE...]".
//
// It takes the output of go test -bench, Criterion's target/criterion, hyperfine's
// --export-json, github-action-benchmark's JSON or data.js, and the Bencher Metric
// Format, and makes a run of them, which is saved, compared and gated as any other, with
// -suite=import on the targets of baselines. Several files are joined: samples of one
// benchmark go on.
//
// Examples:
//
//	go test -bench=. -count=10 ./... > new.txt; go tool mage import new.txt
//	go tool mage import target/criterion -suite=micro
//	go tool mage baseline:save main -suite=import
//	go tool mage baseline:compare main -suite=import -gate
//
// Exit status: 0; 1 if something in a file could not be read (the rest is); 2 if a file
// is not there.
//
//mage:multiline
func Import(ctx context.Context, files string,
	suite *string, /* the suite that the run belongs to; default import */
	better *string, /* UNIT=lower|higher,... for units that do not tell */
	commit *string, /* of a history: take the results of this commit */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the result as JSON to stdout, and nothing else there */
) error {
	return imported(ctx, importOptions{files: files, suite: str(suite), better: str(better), commit: str(commit), report: str(report), json: is(json)})
}

// History prints how a workload came to where it is: mage history WORKLOAD.
//
// The series is drawn, and where its level changed is said. It is made of the runs that
// are kept in .perf/runs: of the ratios of paired comparisons, if there are ten or more
// for the workload, else of the medians of this machine's runs.
//
// Example:
//
//	go tool mage history 'cli startup'
//
//mage:multiline
func History(ctx context.Context, workload string,
	metric *string, /* name of a metric, as cpu; default wall, or the one that gates */
	suite *string, /* another suite than this repository's, as of an import */
) error {
	return history(ctx, workload, str(metric), str(suite))
}

// Baseline holds the targets that keep results and compare with them.
type Baseline mg.Namespace

// Save keeps the newest complete run of the suite as a baseline: mage baseline:save NAME.
//
// It is written to baselines/SUITE/FINGERPRINT/NAME.json, to be committed, and
// replaces a baseline of that name. A run of part of the suite (-only) or of the
// target time never becomes one.
//
// Example:
//
//	go tool mage baseline:save main
//
//mage:multiline
func (Baseline) Save(ctx context.Context, name string,
	suite *string, /* of this suite, as import, and not of the subject's */
	run *string, /* id of the run to keep, as baseline:list shows it; default the newest */
) error {
	return baselineSave(ctx, name, str(suite), str(run))
}

// List shows the baselines and the runs that are kept here.
//
// Example:
//
//	go tool mage baseline:list
//
//mage:multiline
func (Baseline) List(ctx context.Context,
	suite *string, /* show the runs of this suite, as import, and not of the subject's */
) error {
	return baselineList(ctx, str(suite))
}

// Show prints a baseline as benchmarks prints a run: mage baseline:show NAME.
//
// Example:
//
//	go tool mage baseline:show main -json
//
//mage:multiline
func (Baseline) Show(ctx context.Context, name string,
	suite *string, /* of this suite, as import, and not of the subject's */
	json *bool, /* print the baseline as JSON to stdout, and nothing else there */
) error {
	return baselineShow(ctx, name, str(suite), is(json))
}

// Compare sets the newest run against a baseline: mage baseline:compare NAME.
//
// The two are of different sessions, so the comparison is unpaired: it can see large
// changes, and calls everything that two sessions of one machine may differ by
// UNDECIDED or NO CHANGE. A baseline of another machine is refused, unless
// -acrossMachines, and then no time gates. With -remeasure the commit of the baseline is
// built again and compared with the checkout in pairs, which sees changes of 2 %.
//
// Examples:
//
//	go tool mage baseline:compare main -gate
//	go tool mage baseline:compare main -remeasure -workload='cli startup,self-test'
//
// Exit status: 0; 1 if nothing could be compared; with -gate 3 for SLOWER and 4 for
// what the run did not measure (with -strict also for UNDECIDED).
//
//mage:multiline
func (Baseline) Compare(ctx context.Context, name string,
	gate *bool, /* SLOWER fails */
	strict *bool, /* with -gate: UNDECIDED fails too */
	acrossMachines *bool, /* compare with a baseline of another machine */
	suite *string, /* of this suite, as import, and not of the subject's */
	run *string, /* id of the run to compare; default the newest */
	remeasure *bool, /* build the baseline's commit again and compare in pairs */
	workload *string, /* with -remeasure: only these workloads, a comma list of unique prefixes */
	budget *string, /* with -remeasure: time for the pairs of each workload; default 2m */
	report *string, /* KIND=FILE,... writes reports: md, junit, json, bench, hyperfine, bencher, smaller, bigger */
	json *bool, /* print the comparison as JSON to stdout, and nothing else there */
) error {
	policy := experiment.Policy{Gate: is(gate), Strict: is(strict)}
	return baselineCompare(ctx, name, compareOptions{
		policy: policy, acrossMachines: is(acrossMachines), suite: str(suite), run: str(run), remeasure: is(remeasure), workloads: str(workload), budget: str(budget), report: str(report), json: is(json),
	})
}

// str and is read optional flags, which Mage passes as pointers.
func str(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func is(p *bool) bool { return p != nil && *p }
