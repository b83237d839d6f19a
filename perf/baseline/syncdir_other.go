//go:build !unix

package baseline

// syncDir does nothing: Windows has no flush for a folder, and NTFS keeps a journal of
// renames.
func syncDir(string) error { return nil }
