package driver

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lupadb/lupa/db"
)

var dsnOptions = []string{"allow_urls", "cache_size", "memory_budget", "mode", "nofiles", "nosync", "workers", "writer_timeout"}

// ParseDSN takes a data source name apart: see the package comment.
func ParseDSN(dsn string) (dir string, opts *db.Options, err error) {
	opts = &db.Options{}
	dir, query, _ := strings.Cut(strings.TrimPrefix(dsn, "file:"), "?")
	if dir == "" {
		return "", nil, fmt.Errorf("data source name %q names no directory", dsn)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", nil, fmt.Errorf("data source name %q: %w", dsn, err)
	}
	for name, vs := range values {
		v := vs[len(vs)-1]
		switch name {
		case "mode":
			switch v {
			case "rwc":
			case "rw":
				opts.MustExist = true
			case "ro":
				opts.ReadOnly = true
			case "memory":
				opts.InMemory = true
			default:
				err = fmt.Errorf("it is %q, not one of rwc, rw, ro, memory", v)
			}
		case "cache_size":
			opts.CacheSize, err = parseSize(v)
		case "memory_budget":
			opts.MemoryBudget, err = parseSize(v)
		case "writer_timeout":
			if opts.WriterTimeout, err = time.ParseDuration(v); err != nil || opts.WriterTimeout < 0 {
				err = fmt.Errorf("it is %q, not a time such as 5s", v)
			}
		case "nosync":
			opts.NoSync, err = parseBool(v)
		case "nofiles":
			opts.NoFiles, err = parseBool(v)
		case "allow_urls":
			opts.AllowURLs, err = parseBool(v)
		case "workers":
			if opts.Workers, err = strconv.Atoi(v); err != nil || opts.Workers < 0 {
				err = fmt.Errorf("it is %q, not a number of goroutines", v)
			}
		default:
			if !slices.Contains(dsnOptions, name) {
				return "", nil, fmt.Errorf("data source name has no option %q; there are %s", name, strings.Join(dsnOptions, ", "))
			}
		}
		if err != nil {
			return "", nil, fmt.Errorf("data source name, option %s: %w", name, err)
		}
	}
	return dir, opts, nil
}

func parseBool(s string) (bool, error) {
	if s == "" { // ?nosync
		return true, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("it is %q, not true or false", s)
	}
	return b, nil
}

// parseSize reads bytes: 65536, 64kB, 64MB, 1GB (powers of 1,000), 64KiB,
// 64MiB, 1GiB (powers of 1,024).
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGTiBkb")
	n, err := strconv.ParseFloat(digits, 64)
	unit, ok := map[string]float64{"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}[strings.ToLower(s[len(digits):])]
	if err != nil || !ok || n != n || n < 0 || n*unit > 1<<62 {
		return 0, fmt.Errorf("it is %q, not a size such as 65536, 64MB or 1GiB", s)
	}
	return int64(n * unit), nil
}
