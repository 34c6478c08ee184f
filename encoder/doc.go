// Package encoder defines what Lupa asks of a model that turns text and
// pictures into vectors. It imports only the standard library, so that a
// program may bring an encoder of its own without pulling in any other.
package encoder
