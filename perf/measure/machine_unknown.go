//go:build !linux && !darwin && !windows

package measure

import "errors"

func (factHost) virtualisation() (string, error) {
	return "", errors.New("not offered by this system")
}
