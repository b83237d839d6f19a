package measure

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A tree is a job object (Win32 "Job Objects"), which no descendant of the
// command can leave and which ends all of them when it is closed.
type tree struct {
	job windows.Handle
	pid uint32
}

// treeAttr starts the command suspended, so that it is in the job before it
// can start anything, and as the root of a group that takes CTRL_BREAK.
func treeAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP}
}

// plant makes p, which is suspended, the root of a tree and lets it run.
func plant(p *os.Process) (*tree, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("create job object: %w", err)
	}
	t := &tree{job: job, pid: uint32(p.Pid)}
	if err := t.adopt(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// adopt puts the process into the job. The limit makes the kernel end the job
// when its last handle is closed, and so also when this process dies.
func (t *tree) adopt() error {
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err := windows.SetInformationJobObject(t.job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		return fmt.Errorf("limit job object: %w", err)
	}
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, t.pid)
	if err != nil {
		return fmt.Errorf("open process %d: %w", t.pid, err)
	}
	defer windows.CloseHandle(process)
	if err := windows.AssignProcessToJobObject(t.job, process); err != nil {
		return fmt.Errorf("assign process %d to job object: %w", t.pid, err)
	}
	return t.resume()
}

// resume lets the only thread of the suspended command go. os.StartProcess has
// closed its handle, so it is looked up.
func (t *tree) resume() error {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	defer windows.CloseHandle(snapshot)
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(snapshot, &entry); err == nil; err = windows.Thread32Next(snapshot, &entry) {
		if entry.OwnerProcessID != t.pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return fmt.Errorf("open thread %d: %w", entry.ThreadID, err)
		}
		defer windows.CloseHandle(thread)
		_, err = windows.ResumeThread(thread)
		return err
	}
	return fmt.Errorf("find thread of process %d: %w", t.pid, err)
}

// interrupt is all that a process without a console can be asked by, and terminate
// asks once more.
func (t *tree) interrupt() { t.terminate() }
func (t *tree) terminate() { _ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, t.pid) }
func (t *tree) kill()      { _ = windows.TerminateJobObject(t.job, 1) }
func (t *tree) close()     { _ = windows.CloseHandle(t.job) }

// jobAccounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.
type jobAccounting struct {
	totalUser, totalKernel, periodUser, periodKernel int64 // units of 100 ns
	faults, processes, active, terminated            uint32
}

// active is the number of processes in the job that have not ended.
func (t *tree) active() uint32 {
	const basicAccounting = 1 // JobObjectBasicAccountingInformation
	var info jobAccounting
	err := windows.QueryInformationJobObject(t.job, basicAccounting, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil)
	if err != nil {
		return 0
	}
	return info.active
}

// sweep ends what is left of the job, once it may have ended by itself.
func (t *tree) sweep() []string {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for begin := time.Now(); time.Since(begin) < patience; <-ticker.C {
		if t.active() == 0 {
			return nil
		}
	}
	left := []string{fmt.Sprintf("[%d processes of the job]", t.active())}
	t.kill()
	return left
}

// underlying is the system's own error in that of os.StartProcess.
func underlying(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// setSystemUsage has nothing to add: Windows counts neither faults nor switches
// of an ended process.
func (r *Run) setSystemUsage(*os.ProcessState) {}
