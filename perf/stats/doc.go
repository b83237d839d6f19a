// Package stats says what samples mean: summaries with intervals, bounds on
// quantiles, how a sample stands against a target and a critical limit, and whether
// two programs differ. Values come in and values go out; nothing here prints, sleeps
// or knows how the values were measured.
//
// # Which function
//
//   - [Summarize] describes one sample for a reader: the median, its interval,
//     outliers and drift. Which of these deserve a warning is for perf/experiment.
//   - [FixedBounds] bounds a quantile when the number of runs was chosen before
//     the first of them. [SequentialBounds] bounds it when somebody looks after
//     every run and stops as soon as the answer is known; looking at fixed bounds
//     that way makes them wrong far more often than they say.
//   - [Judge] holds such bounds against [Limits]. [JudgeOneShot] is for what is
//     too costly to repeat, [JudgeMemory] for peaks that are only known to lie
//     between a reading and an upper bound.
//   - [Paired] compares two arms run by run while they are measured, may be looked at
//     after every pair, and says SLOWER, FASTER, NO CHANGE or what is missing.
//     [ComparePaired] does the same with pairs that are already there. [JoinVerdicts]
//     makes one verdict of two metrics, [EBH] controls the false discoveries of a
//     suite, and a [Control] watches over the harness.
//   - [CompareExact] compares what has no noise, such as allocations.
//   - [ChangePoints] finds where the level of a history changes.
//   - [FitScaling] fits the Universal Scalability Law to throughput against parallelism.
//   - [CompareUnpaired] compares two sessions, and says UNDECIDED where an
//     interleaved comparison would be needed.
//
// # What is assumed
//
// Nothing about the shape of the values: every interval rests on order
// statistics or ranks, so skew, heavy tails and ties are all right, ties making
// the intervals wider than asked for and never narrower ([FitScaling] alone, a law of
// three parameters, is least squares). The runs are taken to be
// independent and alike; where they are not, [Drift] tells. Only [Paired] needs none of
// that: it rests on the coins that chose the order of each pair. Decisions are made on
// the bounds and never on the point estimate.
//
// Samples keep their run order and no value is ever dropped: every function works
// on a copy. A sample with a NaN or an infinity in it gets no bounds and no
// verdict.
//
// # Sources
//
// Order-statistic intervals: Thompson, "On confidence ranges for the median",
// 1936; David and Nagaraja, "Order Statistics", section 7.1. Anytime-valid bounds:
// Ville 1939; Robbins, "Statistical methods related to the law of the iterated
// logarithm", 1970; Howard and Ramdas, "Sequential estimation of quantiles with
// applications to A/B testing and best-arm identification", 2022. Pairs: see [Paired].
// Several comparisons: Wang and Ramdas, "False discovery rate control with e-values",
// 2022. Two sessions: Mann and Whitney 1947; Hodges and Lehmann 1963; Lehmann,
// "Nonparametrics". Change points: Matteson and James 2014, see [ChangePoints].
// Outliers: Iglewicz and Hoaglin, "How to detect and handle outliers", 1993. Trend:
// Mann 1945; Kendall, "Rank correlation methods"; Knight 1966. Scaling: Gunther 2007, see
// [FitScaling].
package stats
