// Package metrics offers the numbers of a store to Prometheus. It is a package
// of its own so that programs without Prometheus don't get it.
//
//	prometheus.MustRegister(metrics.NewCollector(store, nil))
package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lupadb/lupa/db"
)

// Collector collects DB.Stats of one store at every scrape.
type Collector struct {
	db      *db.DB
	metrics []metric

	seconds, rows, bytes *prometheus.Desc
}

type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *db.Stats) int64
}

// NewCollector returns a collector for a store. The labels, which may be nil,
// tell several stores apart.
func NewCollector(d *db.DB, labels prometheus.Labels) *Collector {
	c := &Collector{db: d}
	add := func(name, help string, kind prometheus.ValueType, value func(s *db.Stats) int64) {
		c.metrics = append(c.metrics, metric{prometheus.NewDesc("lupa_"+name, help, nil, labels), kind, value})
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	add("statements_total", "Statements begun.", counter, func(s *db.Stats) int64 { return s.Statements })
	add("statements_failed_total", "Statements that failed.", counter, func(s *db.Stats) int64 { return s.Failed })
	add("statements_running", "Statements whose rows have not been read to the end.", gauge, func(s *db.Stats) int64 { return s.Running })
	add("rows_returned_total", "Rows returned by statements.", counter, func(s *db.Stats) int64 { return s.RowsReturned })
	add("handles_open", "Rows, transactions, sessions and appenders not closed.", gauge, func(s *db.Stats) int64 { return s.Open })
	add("texts_encoded_total", "Texts given to encoders.", counter, func(s *db.Stats) int64 { return s.TextsEncoded })
	add("prompt_cache_hits_total", "Texts found in the prompt cache.", counter, func(s *db.Stats) int64 { return s.PromptHits })
	add("block_cache_hits_total", "Blocks found in the block cache.", counter, func(s *db.Stats) int64 { return s.CacheHits })
	add("block_cache_misses_total", "Blocks read from disk.", counter, func(s *db.Stats) int64 { return s.CacheMisses })
	add("block_cache_bytes", "Size of the block cache in use.", gauge, func(s *db.Stats) int64 { return s.CacheBytes })
	add("blocks_merged_total", "Blocks filled with the rows of blocks of which much is deleted.", counter, func(s *db.Stats) int64 { return s.MergedBlocks })
	add("blocks_freed_total", "Blocks that ran empty by merging.", counter, func(s *db.Stats) int64 { return s.FreedBlocks })
	add("codes_retrained_total", "How often codes were trained anew because rows had drifted.", counter, func(s *db.Stats) int64 { return s.Retrained })
	add("disk_bytes", "Size of the store on disk.", gauge, func(s *db.Stats) int64 { return s.DiskBytes })
	c.seconds = prometheus.NewDesc("lupa_statement_seconds", "How long statements took, to their last row.", nil, labels)
	c.rows = prometheus.NewDesc("lupa_table_rows", "Rows of a table.", []string{"table"}, labels)
	c.bytes = prometheus.NewDesc("lupa_table_bytes", "Bytes of a table in the store's files, about, with its indexes.", []string{"table"}, labels)
	return c
}

// Describe sends the descriptions of all metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		ch <- m.desc
	}
	ch <- c.seconds
	ch <- c.rows
	ch <- c.bytes
}

// Collect sends the current values.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.db.Stats()
	for _, m := range c.metrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, float64(m.value(&s)))
	}
	buckets, count := map[float64]uint64{}, uint64(0)
	for i, n := range s.Latency.Counts {
		count += uint64(n)
		if i < len(s.Latency.Bounds) {
			buckets[s.Latency.Bounds[i].Seconds()] = count
		}
	}
	ch <- prometheus.MustNewConstHistogram(c.seconds, count, s.Latency.Sum.Seconds(), buckets)
	sizes, err := c.db.TableSizes(context.Background())
	if err != nil {
		return // the store is closed: its counters remain
	}
	for _, t := range sizes {
		ch <- prometheus.MustNewConstMetric(c.rows, prometheus.GaugeValue, float64(t.Rows), t.Table)
		ch <- prometheus.MustNewConstMetric(c.bytes, prometheus.GaugeValue, float64(t.Bytes), t.Table)
	}
}
