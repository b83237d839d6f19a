package perfdata

import "errors"

// Marks in a call chain say what the addresses behind them are of (linux/perf_event.h,
// perf_callchain_context).
const (
	contextHV           = ^uint64(32) + 1
	contextKernel       = ^uint64(128) + 1
	contextUser         = ^uint64(512) + 1
	contextUserDeferred = ^uint64(640) + 1
	contextGuest        = ^uint64(2048) + 1
	contextMax          = ^uint64(4095) + 1 // every mark is at least that
)

// What a record's misc says the processor was doing.
const (
	miscCPUMode = 7
	miscKernel  = 1
	miscUser    = 2
)

// collector adds the samples of one event up.
type collector struct {
	options Options
	world   *world
	stacks  *stacks
	walker  *unwinder
	events  map[string]bool // all that were met, by name: whether their samples are wanted
	result  *Recording

	chosen *event // the one that samples are taken of
	sample sample
	sites  []int32
	ips    []uint64
	caller map[callKey]int32 // what callerSite found
	space  *space            // of the sample's process
	waits  map[uint32]wait   // threads that are off the CPU; nil: not asked for
	unread int64             // samples of switches whose payload has another form

	counters map[counterKey]uint64 // what each event of a group had counted at its last sample

	chained       bool   // the sample's call chain has addresses
	cookie        uint64 // what the rest of the sample's call chain comes with; 0: it is whole
	deferred      map[deferredKey][]deferredSample
	deferredCount int
	incomplete    int64 // samples whose rest never came
}

// take is given each record in order of time.
func (c *collector) take(s *session, r record) {
	b := r.body()
	ok := true
	switch r.kind {
	case recMmap:
		ok = c.world.mmap(r.misc, b)
	case recMmap2:
		ok = c.world.mmap2(r.misc, b)
	case recComm:
		ok = c.world.comm(r.misc, b)
	case recFork:
		ok = c.world.fork(b)
	case recExit:
		ok = c.world.exit(b)
	case recCallchainDeferred:
		ok = c.takeDeferred(s, r)
	case recKsymbol:
		ok = c.world.kernel.symbol(b)
	case recSwitch, recSwitchCPUWide:
		if c.waits != nil {
			c.switched(s, r)
		}
	case recSample:
		c.takeSample(s, r)
	}
	if !ok {
		s.faults.add(r.offset, "a record of type %d has %d bytes, which is too short for it", r.kind, len(r.data))
	}
}

// takeSample adds one sample.
func (c *collector) takeSample(s *session, r record) {
	e := s.eventOf(r.body())
	if e == nil {
		s.faults.add(r.offset, "a sample is of no event that the recording has")
		return
	}
	if !c.wanted(e) && !e.group() {
		return
	}
	x := &c.sample
	if err := x.parse(e, r.body()); err != nil {
		s.faults.add(r.offset, "%v", err)
		return
	}
	if e.group() && !c.grouped(s, x) {
		return
	}
	t := c.world.thread(x.pid, x.tid)
	c.space = t.proc.space
	if r.misc&miscCPUMode == miscUser {
		c.space.before = nil // the program that was begun runs
	}
	c.stack(s, r.misc)
	owner := c.stacks.ownerOf(c.owner(t, x))
	if c.deferSample(x, owner) {
		return
	}
	if c.cookie != 0 {
		c.incomplete++
	}
	at := c.stacks.at(owner, c.sites)
	if c.waits != nil {
		c.sleeps(x, at)
		return
	}
	c.result.Samples++
	c.stacks.add(at, int64(x.period))
}

// owner is who the sample counts for.
func (c *collector) owner(t *thread, x *sample) owner {
	o := owner{comm: t.comm}
	if c.options.Threads {
		o.pid, o.tid = x.pid, x.tid
	}
	if c.options.CPUs {
		o.cpu = x.cpu
	}
	return o
}

// wanted reports whether samples of an event are. Without a choice it is the first one
// that has any.
func (c *collector) wanted(e *event) bool {
	if wanted, met := c.events[e.name]; met {
		return wanted
	}
	wanted := e.name == plainName(c.options.Event)
	if c.options.Event == "" {
		wanted = len(c.events) == 0
	}
	c.events[e.name] = wanted
	if wanted {
		c.result.Event, c.chosen = e.name, e
	} else {
		c.result.Others = append(c.result.Others, e.name)
	}
	return wanted
}

// stack finds the sites of the sample, the innermost first.
func (c *collector) stack(s *session, misc uint16) {
	x := &c.sample
	c.sites, c.cookie = c.sites[:0], 0
	mode := contextUser
	if misc&miscCPUMode == miscKernel {
		mode = contextKernel
	}
	dumped := x.regsABI != 0 && len(x.stack) > 0
	c.chained = c.chain(x.callchain, mode, !dumped)
	switch {
	case dumped:
		c.unwind(s, x)
	case !c.chained:
		c.single(x.ip, mode)
	}
}

// single is the stack of a sample that has only its own address.
func (c *collector) single(ip, mode uint64) {
	if mode == contextKernel {
		c.push(c.world.kernel.site(ip))
		return
	}
	c.push(c.site(ip))
}

func (c *collector) push(f site) { c.sites = append(c.sites, c.stacks.siteOf(f)) }

// chain takes the addresses of a call chain, those of the program only if user says so, and
// reports whether there were any.
func (c *collector) chain(b []byte, mode uint64, user bool) bool {
	any, first := false, true // first: of its context, where it is no caller
	for ; len(b) >= 8; b = b[8:] {
		ip := order.Uint64(b)
		if ip >= contextMax {
			mode, first = ip, true
			continue
		}
		switch mode {
		case contextKernel:
			c.push(c.world.kernel.site(ip))
			any = true
		case contextUser:
			switch {
			case !user:
				continue
			case ip == 0: // what a thread's first function has in place of a return address
				continue
			case first:
				c.push(c.site(ip))
			default:
				c.sites = append(c.sites, c.callerSite(ip))
			}
			any = true
		case contextUserDeferred:
			c.cookie = ip
		}
		first = false
	}
	return any
}

// site is where an address of the process lies.
func (c *collector) site(ip uint64) site {
	m := c.find(ip)
	if m == nil {
		return site{nil, ip}
	}
	return site{m.image, c.world.images.addressIn(m, ip)}
}

// find returns the mapping at an address of the process; nil if there is none.
func (c *collector) find(ip uint64) *mapping {
	m := c.space.find(ip)
	if m == nil && c.space.before != nil {
		m = c.space.before.find(ip)
	}
	return m
}

// callKey is an address that a call returns to, in what is mapped.
type callKey struct {
	image  *image
	offset uint64
}

// callerSite is the site of a caller, from where its callee returns to: the call is before
// that. Where nothing was called, as a signal handler returns into the code that ends it,
// the address is meant itself.
func (c *collector) callerSite(ip uint64) int32 {
	m := c.find(ip - 1)
	if m == nil {
		return c.stacks.siteOf(site{nil, ip - 1})
	}
	key := callKey{m.image, ip - m.start + m.offset}
	id, ok := c.caller[key]
	if !ok {
		at := ip - 1
		if c.world.images.signalReturn(m, ip) {
			at = ip
		}
		id = c.stacks.siteOf(site{m.image, c.world.images.addressIn(m, at)})
		c.caller[key] = id
	}
	return id
}

// unwind walks the dump of the sample's stack.
func (c *collector) unwind(s *session, x *sample) {
	regs, ok := userRegisters(x.event.regsUser, x.regs)
	if x.regsABI != abi64 || !ok || !unwinds(s.facts.arch) {
		c.result.Walks[errNotUnwound.Error()]++
		c.push(c.site(x.ip))
		return
	}
	ips, end := c.walker.walk(c.ips[:0], &regs, memory{regs[regRSP], x.stack}, c.locate)
	c.ips = ips
	c.push(c.site(ips[0]))
	for _, ip := range ips[1:] {
		// The walk has taken one off where a call returns to. What Go's handlers of signals
		// return to looks to it like any other code.
		c.sites = append(c.sites, c.callerSite(ip+1))
	}
	c.result.Walks[end.String()]++
}

// errNotUnwound is why a dump was not.
var errNotUnwound = errors.New("not a 64-bit process of x86-64")

// locate finds the unwind table for an address, and what to take from it for the table's
// addresses.
func (c *collector) locate(ip uint64) (*unwindTable, uint64) {
	m := c.find(ip)
	if m == nil || !m.code {
		return nil, 0
	}
	return c.world.images.unwindTable(m.image), ip - c.world.images.addressIn(m, ip)
}
