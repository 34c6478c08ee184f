package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// boltKeeper keeps a row under its id: three numbers of 8 bytes, the length of the
// place, the place, the caption.
type boltKeeper struct{ db *bbolt.DB }

var boltBucket = []byte("photos")

func openBolt(path string) (*boltKeeper, error) {
	b, err := bbolt.Open(path, 0o644, nil)
	if err != nil {
		return nil, err
	}
	return &boltKeeper{b}, b.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(boltBucket)
		return err
	})
}

func encodePhoto(p photo) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(p.width))
	b = binary.LittleEndian.AppendUint64(b, uint64(p.height))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p.rating))
	b = append(b, byte(len(p.place)))
	b = append(b, p.place...)
	return append(b, p.caption...)
}

func boltWidth(b []byte) int64    { return int64(binary.LittleEndian.Uint64(b)) }
func boltHeight(b []byte) int64   { return int64(binary.LittleEndian.Uint64(b[8:])) }
func boltRating(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b[16:])) }
func boltPlace(b []byte) []byte   { return b[25 : 25+b[24]] }
func boltCaption(b []byte) []byte { return b[25+b[24]:] }

func decodePhoto(id string, b []byte) photo {
	return photo{id, boltWidth(b), boltHeight(b), boltRating(b), string(boltPlace(b)), string(boltCaption(b))}
}

func (k *boltKeeper) insert(p photo, shared bool) error {
	update := k.db.Update
	if shared {
		update = k.db.Batch
	}
	return update(func(tx *bbolt.Tx) error { return tx.Bucket(boltBucket).Put([]byte(p.id), encodePhoto(p)) })
}

// load puts rows in the order of their keys, which bbolt wants.
func (k *boltKeeper) load(first, n uint64) error {
	all := make([]photo, n)
	for i := range all {
		all[i] = photoNumber(first + uint64(i))
	}
	slices.SortFunc(all, func(a, b photo) int { return strings.Compare(a.id, b.id) })
	return k.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(boltBucket)
		b.FillPercent = 0.9
		for _, p := range all {
			if err := b.Put([]byte(p.id), encodePhoto(p)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k *boltKeeper) get(id string) (p photo, err error) {
	err = k.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(boltBucket).Get([]byte(id))
		if b == nil {
			return fmt.Errorf("no %s", id)
		}
		p = decodePhoto(id, b)
		return nil
	})
	return p, err
}

func (k *boltKeeper) scan(q int) (answer string, err error) {
	err = k.db.View(func(tx *bbolt.Tx) error {
		rows := tx.Bucket(boltBucket)
		switch q {
		case 0:
			n := 0
			err = rows.ForEach(func(_, b []byte) error {
				if boltWidth(b) > 6000 {
					n++
				}
				return nil
			})
			answer = fmt.Sprint(n, " ")
		case 1:
			n, sum := 0, 0.0
			desert := []byte("desert")
			err = rows.ForEach(func(_, b []byte) error {
				if boltHeight(b) < 1000 && bytes.Equal(boltPlace(b), desert) {
					sum += boltRating(b)
					n++
				}
				return nil
			})
			answer = fmt.Sprint(math.Round(sum/float64(n)*1e6)/1e6, " ")
		case 2:
			n := 0
			wolf := []byte("grey wolf")
			err = rows.ForEach(func(_, b []byte) error {
				if bytes.Contains(boltCaption(b), wolf) {
					n++
				}
				return nil
			})
			answer = fmt.Sprint(n, " ")
		case 3:
			var found []photo
			best := ""
			err = rows.ForEach(func(id, b []byte) error {
				if boltWidth(b) == 5000 && boltHeight(b) > 2600 {
					found = append(found, decodePhoto(string(id), b))
					best = max(best, found[len(found)-1].id)
				}
				return nil
			})
			answer = fmt.Sprint(best, " ", len(found), " ")
		case 4:
			type group struct {
				n   int
				sum int64
			}
			groups := map[string]*group{}
			err = rows.ForEach(func(_, b []byte) error {
				g := groups[string(boltPlace(b))]
				if g == nil {
					g = &group{}
					groups[string(boltPlace(b))] = g
				}
				g.n++
				g.sum += boltWidth(b)
				return nil
			})
			least := &group{n: math.MaxInt}
			for _, g := range groups {
				if g.n < least.n {
					least = g
				}
			}
			answer = fmt.Sprint(least.n, " ", math.Round(float64(least.sum)/float64(least.n)*1e6)/1e6, " ")
		}
		return err
	})
	return answer, err
}

func (k *boltKeeper) close() error { return k.db.Close() }
