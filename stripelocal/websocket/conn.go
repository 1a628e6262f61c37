package websocket

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// MaxMessageBytes limits an incoming message.
	MaxMessageBytes = 1 << 20
	maxControlBytes = 125 // RFC 6455, 5.5
	writeTimeout    = 10 * time.Second
	closeTimeout    = time.Second
)

// opcode is the type of a frame (RFC 6455, 5.2).
type opcode byte

const (
	opContinuation opcode = 0x0
	opText         opcode = 0x1
	opBinary       opcode = 0x2
	opClose        opcode = 0x8
	opPing         opcode = 0x9
	opPong         opcode = 0xA
)

func (op opcode) isControl() bool { return op >= opClose }

// The reasons of a close (RFC 6455, 7.4.1).
const (
	CloseNormal         = 1000
	CloseGoingAway      = 1001
	closeProtocolError  = 1002
	closeUnsupported    = 1003
	closeInvalidText    = 1007
	ClosePolicy         = 1008
	closeMessageTooBig  = 1009
	CloseServiceRestart = 1012
)

// Conn is a connection. One goroutine reads; any may write and close.
type Conn struct {
	conn net.Conn
	in   *bufio.Reader

	writing sync.Mutex
	closed  bool // a close frame was sent
}

// frame is one frame of a client, unmasked.
type frame struct {
	final   bool
	op      opcode
	payload []byte
}

// protocolError is a violation that closes the connection with a code.
type protocolError struct {
	code    uint16
	problem string
}

func (e *protocolError) Error() string { return e.problem }

// Read returns the next text message. It answers pings, and closes the connection after idle
// without any frame, after a violation of the protocol, and when the client closes it (io.EOF).
func (c *Conn) Read(idle time.Duration) ([]byte, error) {
	message, err := c.readMessage(idle)
	if err == nil {
		return message, nil
	}
	var violation *protocolError
	if errors.As(err, &violation) {
		c.Close(violation.code, violation.problem)
		return nil, fmt.Errorf("read message: %w", err)
	}
	c.conn.Close()
	return nil, err
}

func (c *Conn) readMessage(idle time.Duration) ([]byte, error) {
	var message []byte
	started := false
	for {
		f, err := c.readDataFrame(idle, len(message))
		if err != nil {
			return nil, err
		}
		if started == (f.op != opContinuation) {
			return nil, &protocolError{closeProtocolError, "a fragment is out of order"}
		}
		started, message = true, append(message, f.payload...)
		if f.final {
			return message, checkText(message)
		}
	}
}

func checkText(message []byte) error {
	if !utf8.Valid(message) {
		return &protocolError{closeInvalidText, "a text message is not UTF-8"}
	}
	return nil
}

// readDataFrame handles control frames until one with data arrives.
func (c *Conn) readDataFrame(idle time.Duration, so int) (frame, error) {
	for {
		if err := c.conn.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return frame{}, err
		}
		f, err := c.readFrame(so)
		if err != nil {
			return frame{}, err
		}
		switch f.op {
		case opText, opContinuation:
			return f, nil
		case opBinary:
			return frame{}, &protocolError{closeUnsupported, "only text messages are supported"}
		case opPing:
			err = c.write(opPong, f.payload)
		case opClose:
			c.writeClose(f.payload)
			return frame{}, io.EOF
		case opPong:
		default:
			err = &protocolError{closeProtocolError, "the opcode is unknown"}
		}
		if err != nil {
			return frame{}, err
		}
	}
}

// readFrame reads a frame of a message of which so many bytes were read before.
func (c *Conn) readFrame(so int) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{final: head[0]&0x80 != 0, op: opcode(head[0] & 0x0F)}
	length, err := c.readLength(head[1] & 0x7F)
	switch {
	case err != nil:
		return frame{}, err
	case head[0]&0x70 != 0:
		return frame{}, &protocolError{closeProtocolError, "an extension was used that was not agreed on"}
	case head[1]&0x80 == 0:
		return frame{}, &protocolError{closeProtocolError, "a client's frame is not masked"}
	case f.op.isControl() && (length > maxControlBytes || !f.final):
		return frame{}, &protocolError{closeProtocolError, "a control frame is too long or fragmented"}
	case !f.op.isControl() && length > uint64(MaxMessageBytes-so):
		return frame{}, &protocolError{closeMessageTooBig, "a message is longer than 1 MiB"}
	}
	f.payload, err = c.readPayload(int(length))
	return f, err
}

func (c *Conn) readLength(short byte) (uint64, error) {
	var long [8]byte
	switch short {
	case 126:
		_, err := io.ReadFull(c.in, long[6:])
		return binary.BigEndian.Uint64(long[:]), err
	case 127:
		_, err := io.ReadFull(c.in, long[:])
		return binary.BigEndian.Uint64(long[:]), err
	}
	return uint64(short), nil
}

// readPayload reads the masking key and the payload, unmasked (RFC 6455, 5.3).
func (c *Conn) readPayload(length int) ([]byte, error) {
	var key [4]byte
	if _, err := io.ReadFull(c.in, key[:]); err != nil {
		return nil, err
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return nil, err
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return payload, nil
}

// Write sends a text message. An error means that the connection is of no more use: the peer is
// gone, or took longer than ten seconds to receive.
func (c *Conn) Write(message []byte) error { return c.write(opText, message) }

func (c *Conn) write(op opcode, payload []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return c.writeFrame(op, payload, writeTimeout)
}

// writeFrame sends a frame. A server's frames are not masked.
func (c *Conn) writeFrame(op opcode, payload []byte, timeout time.Duration) error {
	out := append(make([]byte, 0, len(payload)+10), 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		out = append(out, byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 127), uint64(n))
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := c.conn.Write(append(out, payload...))
	return err
}

// Close sends a code with a reason, unless a close frame was sent before, and closes the
// connection. It takes two seconds at most: a write in progress gets one, and then the close frame.
func (c *Conn) Close(code uint16, reason string) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	reason = reason[:min(len(reason), maxControlBytes-2)]
	c.writeClose(append(binary.BigEndian.AppendUint16(nil, code), reason...))
	c.conn.Close()
}

func (c *Conn) writeClose(payload []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.closed {
		c.closed = true
		_ = c.writeFrame(opClose, payload, closeTimeout)
	}
}
