package container

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCauseOf(t *testing.T) {
	for stack, want := range map[string]int{
		"futex_do_wait __futex_wait futex_wait":                             -1,
		"do_epoll_wait do_compat_epoll_pwait":                               -1,
		"fuse_dev_do_read fuse_dev_read vfs_read":                           -1,
		"request_wait_answer __fuse_simple_request fuse_lookup_name":        seenDisk,
		"io_schedule folio_wait_bit_common ext4_read_bh":                    seenDisk,
		"__wait_rcu_gp synchronize_rcu_normal cleanup_net process_one_work": seenNetwork,
		"__mutex_lock rtnl_newlink rtnetlink_rcv_msg":                       seenNetwork,
		"cgroup_lock_and_drain_offline cgroup_subtree_control_write":        seenKernel,
	} {
		got, ok := causeOf(strings.Fields(stack))
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%s: %v, %v", stack, got, ok)
		}
	}
}

// TestBetween sees that the parts make the whole, however the moments lie.
func TestBetween(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	const ms = time.Millisecond
	w := EngineWork{ticks: []tick{
		{at(0), at(10), perCause{seenCPU: 20 * ms, seenRunDelay: 20 * ms}}, // four threads share 10 ms
		{at(10), at(20), perCause{seenDisk: 4 * ms}},                       // the rest is nobody's
		{at(20), at(30), perCause{}},
	}}
	for _, tt := range []struct {
		from, to int
		want     map[Cause]time.Duration
	}{
		{0, 10, map[Cause]time.Duration{CauseCPU: 5 * ms, CauseRunDelay: 5 * ms}},
		{5, 15, map[Cause]time.Duration{CauseCPU: 2500 * time.Microsecond, CauseRunDelay: 2500 * time.Microsecond, CauseDisk: 2 * ms, CauseUndivided: 3 * ms}},
		{12, 17, map[Cause]time.Duration{CauseDisk: 2 * ms, CauseUndivided: 3 * ms}},
		{25, 60, map[Cause]time.Duration{CauseUndivided: 35 * ms}}, // it no longer looked
		{-20, -10, map[Cause]time.Duration{CauseUndivided: 10 * ms}},
	} {
		got := w.Between(at(tt.from), at(tt.to))
		var sum time.Duration
		for _, c := range Causes() {
			if got[c] != tt.want[c] {
				t.Errorf("%d to %d: %s is %v, want %v", tt.from, tt.to, c, got[c], tt.want[c])
			}
			sum += got[c]
		}
		if sum != time.Duration(tt.to-tt.from)*ms {
			t.Errorf("%d to %d: the parts are %v", tt.from, tt.to, sum)
		}
	}
}

func TestWhere(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(1e6 + ms)) }
	const ms = time.Millisecond
	p := Phases{Began: at(0), Create: 8 * ms, Attach: 1 * ms, Started: at(10), Start: 200 * ms, Ready: 230 * ms, HasProgram: true, BeforeMain: 195 * ms, Program: 35 * ms,
		Stopped: at(300), Stop: 60 * ms, Removed: at(370), Remove: 7 * ms}
	line := Timeline{Connect: at(40), Kill: at(302), Die: at(330)}
	for _, tt := range []struct {
		name  string
		line  Timeline
		steps map[string]time.Duration
	}{
		{"divided by events", line, map[string]time.Duration{"create whole": 8 * ms, "attach whole": ms, "start mount and connect": 30 * ms, "start runtime": 165 * ms,
			"start program": 35 * ms, "stop whole": 2 * ms, "stop program": 28 * ms, "stop tear down": 30 * ms, "remove whole": 7 * ms}},
		{"without events", Timeline{}, map[string]time.Duration{"create whole": 8 * ms, "attach whole": ms, "start whole": 195 * ms, "start program": 35 * ms,
			"stop whole": 60 * ms, "remove whole": 7 * ms}},
		{"by another clock", Timeline{Connect: at(-9000), Die: at(9000)}, map[string]time.Duration{"create whole": 8 * ms, "attach whole": ms, "start whole": 195 * ms,
			"start program": 35 * ms, "stop whole": 60 * ms, "remove whole": 7 * ms}},
	} {
		for _, s := range Where(p, tt.line, EngineWork{}) {
			key := s.Phase + " " + s.Step
			if want := CauseUndivided; s.Step != StepProgram || s.Phase == "stop" {
				if s.Cause != want {
					t.Errorf("%s: %s is %s without a watch", tt.name, key, s.Cause)
				}
			} else if s.Cause != CauseProgram {
				t.Errorf("%s: %s is %s", tt.name, key, s.Cause)
			}
			if tt.steps[key] != s.Time {
				t.Errorf("%s: %s takes %v, want %v", tt.name, key, s.Time, tt.steps[key])
			}
			delete(tt.steps, key)
		}
		if len(tt.steps) > 0 {
			t.Errorf("%s: missing %v", tt.name, tt.steps)
		}
	}
}

func TestMeanShares(t *testing.T) {
	const ms = time.Millisecond
	got := MeanShares(
		[]Share{{"create", StepWhole, CauseCPU, 4 * ms}, {"stop", StepTearDown, CauseNetwork, 30 * ms}},
		[]Share{{"create", StepWhole, CauseDisk, 2 * ms}, {"start", StepRuntime, CauseCPU, 100 * ms}, {"stop", StepTearDown, CauseNetwork, 10 * ms}})
	want := []Share{{"create", StepWhole, CauseCPU, 2 * ms}, {"create", StepWhole, CauseDisk, ms}, {"start", StepRuntime, CauseCPU, 50 * ms}, {"stop", StepTearDown, CauseNetwork, 20 * ms}}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := MeanShares(); len(got) > 0 {
		t.Errorf("of nothing: %v", got)
	}
}
