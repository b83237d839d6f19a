//go:build unix

package measure

import (
	"os"

	"golang.org/x/sys/unix"
)

// TerminalWidth is how many columns the terminal f has; 0 if f is none, or does not tell.
func TerminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
