package targets_test

import "syscall"

const exe = ".exe"

func ownSession() *syscall.SysProcAttr { return nil }

func ignoreTerm() {}
