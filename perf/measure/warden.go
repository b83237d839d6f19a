package measure

// WardenEnv is the environment variable whose value a program hands to [WardenMain].
const WardenEnv = "CLNRM_PERF_WARDEN"

// wardenMark is the environment variable by which a warden knows the processes of its
// run. Its value is a number that no other run has.
const wardenMark = "CLNRM_PERF_RUN"
