package container

// RunEnv is the environment variable by which a run tells a command that it starts
// whose the containers are which the command makes: its value is [Owner.String]. A
// command that knows the variable marks them with [Owner.Labels] of that owner, and
// not with a mark of its own, because the janitor of the run, which outlives them
// both, goes by the owner. It is a variable and no flag so that the commands which a
// run measures are those that a person would type.
const RunEnv = "CLNRM_PERF_RUN"
