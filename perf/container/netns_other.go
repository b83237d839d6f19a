//go:build !linux

package container

import (
	"context"
	"errors"
	"net"
)

// A netns is the network namespace of a container; no other system has them.
type netns struct{}

func enterNetns(int, string) (*netns, error) {
	return nil, errors.New("network namespaces are of Linux")
}

func (*netns) dial(context.Context, string) (net.Conn, error) { return nil, errors.ErrUnsupported }

func (*netns) close() {}
