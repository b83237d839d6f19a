package perf

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// A jsonCursor walks over JSON that is known to be well-formed. The decoder of
// encoding/json, which would do as well, looks at each byte several times: with it, the
// walk took longer than the decoding.
type jsonCursor struct {
	data []byte
	at   int // behind what was read last
}

// next moves to the beginning of what comes next.
func (c *jsonCursor) next() byte {
	for {
		switch b := c.data[c.at]; b {
		case ' ', '\t', '\r', '\n', ',', ':':
			c.at++
		default:
			return b
		}
	}
}

// open enters the object or the list that comes next, and reports false for a null in
// its place, which it reads.
func (c *jsonCursor) open() bool {
	if b := c.next(); b != '{' && b != '[' {
		c.skip()
		return false
	}
	c.at++
	return true
}

// more reports whether there is more in the object or the list, and leaves it if not.
func (c *jsonCursor) more() bool {
	if b := c.next(); b == '}' || b == ']' {
		c.at++
		return false
	}
	return true
}

// key reads a key as encoding/json does.
func (c *jsonCursor) key() string {
	raw := c.skip()
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw[1 : len(raw)-1])
	}
	var key string
	_ = json.Unmarshal(raw, &key) // a string of well-formed JSON is one
	return key
}

// numbers reads a list of numbers, or a null, whole: no bracket stands inside.
func (c *jsonCursor) numbers() []byte {
	if c.next() != '[' {
		return c.skip()
	}
	start := c.at
	c.at += 1 + bytes.IndexByte(c.data[start:], ']')
	return c.data[start:c.at]
}

// skip reads a value whole and returns it.
func (c *jsonCursor) skip() []byte {
	first := c.next()
	start, depth := c.at, 0
	switch first {
	case '"':
		c.text()
	case '{', '[':
		for {
			switch c.data[c.at] {
			case '"':
				c.text()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if c.at++; depth == 0 {
				return c.data[start:c.at]
			}
		}
	default: // a number or a word
		for c.at < len(c.data) && bytes.IndexByte([]byte(",:]} \t\r\n"), c.data[c.at]) < 0 {
			c.at++
		}
	}
	return c.data[start:c.at]
}

// text reads a string.
func (c *jsonCursor) text() {
	for c.at++; c.data[c.at] != '"'; c.at++ {
		if c.data[c.at] == '\\' {
			c.at++
		}
	}
	c.at++
}
