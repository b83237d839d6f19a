package perfdata

import "os"

// homeDir is where the user's files lie; empty if nobody knows.
func homeDir() string {
	dir, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return dir
}
