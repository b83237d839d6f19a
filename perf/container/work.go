package container

import (
	"slices"
	"strings"
	"time"
)

// A Cause is what a moment of an engine's work was spent on.
type Cause string

// The causes, in the order in which they are shown.
const (
	// CauseCPU: a thread of the engine, or of a program that it runs for itself, had a
	// processor.
	CauseCPU Cause = "the engine's processor time"
	// CauseRunDelay: a thread could run, and every processor was taken.
	CauseRunDelay Cause = "waiting for a processor"
	// CauseDisk: a thread waited in a file system or for a block device; also for a file
	// system that is a process itself (FUSE).
	CauseDisk Cause = "disk and file systems"
	// CauseNetwork: a thread waited for the kernel to set up or take down a network.
	CauseNetwork Cause = "network set-up"
	// CauseKernel: a thread waited in the kernel for something else, such as a cgroup.
	CauseKernel Cause = "other waits in the kernel"
	// CauseProgram: the container's own program, which is not divided further.
	CauseProgram Cause = "the program itself"
	// CauseUndivided: no thread was seen to work, as when one waits for another by a lock
	// or a pipe, or nothing could be seen.
	CauseUndivided Cause = "engine, undivided"
)

// Causes are all of them, in the order in which they are shown.
func Causes() []Cause {
	return []Cause{CauseCPU, CauseRunDelay, CauseDisk, CauseNetwork, CauseKernel, CauseProgram, CauseUndivided}
}

// seen are the causes that looking at threads can tell, by index.
var seen = [...]Cause{CauseCPU, CauseRunDelay, CauseDisk, CauseNetwork, CauseKernel}

const (
	seenCPU = iota
	seenRunDelay
	seenDisk
	seenNetwork
	seenKernel
)

// perCause is a time for each of seen.
type perCause [len(seen)]time.Duration

// EngineWork is what an [EngineWatch] saw.
type EngineWork struct {
	Began, Ended time.Time
	Looks        int // how often it looked
	// Own is the processor time that looking took.
	Own time.Duration
	// Parts are the engine's programs, by name, most processor time first.
	Parts []EnginePart

	ticks []tick
}

// An EnginePart is one of the programs of an engine: dockerd, containerd,
// containerd-shim, runc, fuse-overlayfs. What ran between two looks only is missing.
type EnginePart struct {
	Program   string
	Processes int           // that were seen
	CPU       time.Duration // schedstat: on a processor
	RunDelay  time.Duration // schedstat: ready, and waiting for one
	// Waits are the times of all threads in the kernel, by cause: disk, network, others.
	// Threads that wait together count each.
	Disk, Network, Kernel time.Duration
	// Read and Written are bytes at the block layer (proc_pid_io(5)).
	Read, Written int64
}

// A tick is what was seen between one look and the next.
type tick struct {
	from, to time.Time
	work     perCause // of all threads, added up
}

// shares divides the wall time of a tick among what its threads did. Where they did
// less than the wall, as when each waits for another by a lock, the rest is undivided.
func (t tick) shares() (parts perCause, undivided time.Duration) {
	wall := t.to.Sub(t.from)
	var sum time.Duration
	for _, d := range t.work {
		sum += d
	}
	if sum <= 0 {
		return parts, wall
	}
	// Two threads that work at once share the time, so that the parts make the whole.
	scale := min(1, float64(wall)/float64(sum))
	undivided = wall
	for i, d := range t.work {
		parts[i] = time.Duration(float64(d) * scale)
		undivided -= parts[i]
	}
	return parts, max(0, undivided)
}

// Between divides the time between two moments by what the engine did meanwhile, for
// whomever: that is what was waited for. The parts make up the time.
func (w EngineWork) Between(from, to time.Time) map[Cause]time.Duration {
	parts := map[Cause]time.Duration{}
	covered := time.Duration(0)
	first, _ := slices.BinarySearchFunc(w.ticks, from, func(t tick, at time.Time) int {
		if t.to.After(at) {
			return 1
		}
		return -1
	})
	for _, t := range w.ticks[first:] {
		if !t.from.Before(to) {
			break
		}
		inside := earlier(t.to, to).Sub(later(t.from, from))
		if inside <= 0 {
			continue
		}
		part := float64(inside) / float64(t.to.Sub(t.from))
		work, _ := t.shares()
		for i, d := range work {
			if d > 0 {
				d = time.Duration(float64(d) * part)
				parts[seen[i]] += d
				covered += d
			}
		}
	}
	if rest := to.Sub(from) - covered; rest > 0 {
		parts[CauseUndivided] = rest
	}
	return parts
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// The words by which a kernel stack is told, from the innermost function outwards.
// Beginnings of names, as the compiler adds to them.
var (
	networkFunctions = []string{"rtnl_", "rtnetlink_", "copy_net_ns", "setup_net", "cleanup_net", "netlink_", "nf_", "nft_", "ipt_", "ip6t_", "xt_",
		"do_replace", "br_", "veth_", "register_netdev", "unregister_netdev", "synchronize_net", "dev_", "inet_", "inetdev_", "addrconf_", "ipv6_"}
	diskFunctions = []string{"io_schedule", "blk_", "submit_bio", "ext4_", "xfs_", "btrfs_", "jbd2_", "ovl_", "fuse_", "request_wait_answer", "vfs_fsync", "do_fsync",
		"sync_", "folio_wait", "wait_on_page", "writeback_", "wb_", "iomap_", "filemap_", "do_unlinkat", "do_rmdir", "do_mkdirat", "path_mount", "path_umount",
		"do_umount", "cleanup_mnt", "namespace_unlock", "iterate_dir", "lookup_slow"}
	// idleFunctions are those in which a thread waits to be given something to do.
	idleFunctions = []string{"futex_", "__futex_", "do_epoll_wait", "ep_poll", "do_wait", "pipe_", "anon_pipe_", "fifo_open", "wait_for_partner", "unix_", "hrtimer_nanosleep",
		"do_nanosleep", "fuse_dev_", "do_poll", "do_select", "do_sys_poll", "poll_schedule", "inet_csk_accept", "inet_accept", "sk_wait_data", "do_sigtimedwait", "sigsuspend",
		"ptrace_", "do_signal_stop", "do_exit", "__skb_wait_for_more_packets", "netlink_recvmsg", "fanotify_read", "inotify_read", "eventfd_read", "do_sys_pause", "__x64_sys_pause"}
)

// causeOf tells by the functions of a kernel stack, innermost first, what a thread
// waits for; ok is false if it waits to be given something to do.
func causeOf(stack []string) (cause int, ok bool) {
	for i, f := range stack {
		switch {
		case i == 0 && hasBeginning(f, idleFunctions):
			return 0, false
		case hasBeginning(f, networkFunctions):
			return seenNetwork, true
		case hasBeginning(f, diskFunctions):
			return seenDisk, true
		}
	}
	return seenKernel, len(stack) > 0
}

func hasBeginning(name string, beginnings []string) bool {
	return slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(name, b) })
}
