package storage

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
)

// maxPrompts bounds the vectors of texts that a store keeps: at 512 dimensions
// some 16 MB.
const maxPrompts = 8192

// Prompt returns the vector of dim components that KeepPrompts kept for a text
// and the model of that hash, or nil. The vector belongs to the caller.
func (s *Store) Prompt(model, text string, dim int) []float32 {
	if s.enter() != nil {
		return nil
	}
	defer s.leave()
	g := s.enterGeneration()
	defer g.leave()
	b, err := get(g.db, promptKey(model, text))
	if err != nil || dim == 0 || len(b) != 4*dim {
		return nil
	}
	v := make([]float32, dim)
	block.Floats(v, b)
	return v
}

// KeepPrompts keeps the vectors of texts, so that a phrase asked again after the
// store was closed need not be encoded again. It is a cache: when a write is
// under way, the store is read-only, or the disk fails, nothing is kept, and when
// there are too many, half of them go. Nothing waits for the disk.
func (s *Store) KeepPrompts(model string, texts []string, vectors [][]float32) {
	if s.enter() != nil {
		return
	}
	defer s.leave()
	if !s.tryLockWriter() {
		return
	}
	defer s.unlockWriter()
	b := s.db.NewBatch()
	var buf []byte
	for i, t := range texts {
		buf = block.AppendFloats(buf[:0], vectors[i])
		if b.Set(promptKey(model, t), buf, nil) != nil {
			return
		}
	}
	if s.prompts < 0 {
		s.prompts = s.countPrompts()
	}
	if s.prompts += len(texts); s.prompts > maxPrompts {
		// Keys are hashes: those below the middle are half of them, whichever.
		prefix := key.Prompts()
		if s.dropUpper = !s.dropUpper; s.dropUpper {
			_ = b.DeleteRange(append(prefix[:5:5], 0x80), key.End(prefix), nil)
		} else {
			_ = b.DeleteRange(prefix, append(prefix[:5:5], 0x80), nil)
		}
		s.prompts = -1 // counted anew
	}
	if s.makeRoom(b.Len(), false) != nil {
		_ = b.Close()
		return
	}
	defer s.room.done()
	// After an error Pebble may still hold the batch: it is left to the collector.
	if s.guard("keep a prompt's vector", func() error { return s.db.Apply(b, pebble.NoSync) }) == nil {
		_ = b.Close()
	}
}

// promptKey does not let a text's length or a model's name show.
func promptKey(model, text string) []byte {
	h := sha256.New()
	h.Write(binary.AppendUvarint(nil, uint64(len(model))))
	h.Write([]byte(model))
	h.Write([]byte(text))
	return h.Sum(key.Prompts())
}

// countPrompts counts what an earlier use of the store has left.
func (s *Store) countPrompts() (n int) {
	prefix := key.Prompts()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: key.End(prefix)})
	if err != nil {
		return 0
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	_ = it.Close()
	return n
}

// tryLockWriter takes the writer lock if it is free.
func (s *Store) tryLockWriter() bool {
	if s.readOnly {
		return false
	}
	select {
	case s.writer <- struct{}{}:
	default:
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gen.failure != nil || s.gen.stuck != nil {
		<-s.writer
		return false
	}
	return true
}
