package measure

import (
	"os"

	"golang.org/x/sys/windows"
)

// TerminalWidth is how many columns the terminal f has; 0 if f is none, or does not tell.
func TerminalWidth(f *os.File) int {
	var info windows.ConsoleScreenBufferInfo
	if err := windows.GetConsoleScreenBufferInfo(windows.Handle(f.Fd()), &info); err != nil {
		return 0
	}
	return int(info.Window.Right-info.Window.Left) + 1
}
