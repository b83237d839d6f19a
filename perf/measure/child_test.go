package measure_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/clnrmtest"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// childEnv makes the test binary play the measured command: its value is the
// role, its arguments are the role's.
const childEnv = "MEASURE_TEST_ROLE"

func TestMain(m *testing.M) {
	if status, ok := measure.WardenMain(os.Getenv(measure.WardenEnv)); ok {
		os.Exit(status)
	}
	if options, ok := os.LookupEnv(clnrmtest.Env); ok {
		os.Exit(clnrmtest.Main(options, os.Args[1:], os.Stdout))
	}
	role := os.Getenv(childEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	play, ok := roles[role]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such role:", role)
		os.Exit(99)
	}
	os.Unsetenv(childEnv)
	play(os.Args[1:])
}

// roles are the commands that tests measure; each platform's file adds its own.
var roles = map[string]func(args []string){
	"exit": func(args []string) {
		for _, line := range args[1:] {
			fmt.Println(line)
		}
		os.Exit(number(args[0]))
	},
	"wait": func(args []string) { // MILLISECONDS
		<-time.After(time.Duration(number(args[0])) * time.Millisecond)
	},
	"hang": func([]string) {
		fmt.Println("ready")
		<-time.After(time.Hour)
	},
	"deaf": func([]string) { // does not end on SIGINT
		signal.Ignore(os.Interrupt)
		fmt.Println("ready")
		<-time.After(time.Hour)
	},
	"stubborn": func([]string) { // does not end on SIGTERM
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		<-time.After(time.Hour)
	},
	"polite": func([]string) { // ends on SIGTERM with status 5
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		fmt.Println("ready")
		<-term
		fmt.Println("terminated")
		os.Exit(5)
	},
	"flood": func(args []string) { // BYTES, which end in their number
		rest := number(args[0])
		last := fmt.Sprintf("%015d\n", rest)
		for block := bytes.Repeat([]byte("flood\n\n\n"), 1<<13); rest > len(last); {
			n, err := os.Stdout.Write(block[:min(len(block), rest-len(last))])
			must(err)
			rest -= n
		}
		fmt.Print(last)
	},
	"streams": func([]string) {
		fmt.Fprint(os.Stdout, "out")
		fmt.Fprint(os.Stderr, "err")
	},
	"stdin": func([]string) {
		data, err := io.ReadAll(os.Stdin)
		fmt.Printf("%d bytes, %v", len(data), err)
	},
	"where": func([]string) {
		dir, _ := os.Getwd()
		fmt.Printf("%s\n%s\n%s\n", dir, os.Getenv("PWD"), os.Getenv("MEASURE_TEST_WORD"))
	},
	"burn": func(args []string) { // MILLISECONDS of CPU time, and of wall time at least
		least := time.Duration(number(args[0])) * time.Millisecond
		for began := time.Now(); cpuSpent() < least || time.Since(began) < least; {
		}
	},
}

// role is a command that the test binary plays.
func role(name string, args ...string) measure.Command {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	// The race detector would sleep for a second before each exit.
	env := append(os.Environ(), childEnv+"="+name, "GORACE=atexit_sleep_ms=0")
	return measure.Command{Args: append([]string{exe}, args...), Env: env}
}

// self is the same for a role that starts another.
func self(name string, args ...string) *exec.Cmd {
	c := role(name, args...)
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env = c.Env
	return cmd
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(98)
	}
	return n
}

// must ends a role that could not do its part.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(97)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// ctxNever is the context of a role, which ends by being killed.
var ctxNever = context.Background()
