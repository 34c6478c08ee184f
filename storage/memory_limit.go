package storage

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// memoryLimit returns how much memory the process may use: what the machine has, or less
// where a control group of Linux, or Go's own limit (GOMEMLIMIT), says so.
func memoryLimit() int64 {
	limit := min(physicalMemory(), debug.SetMemoryLimit(-1))
	return min(limit, cgroupLimit(os.DirFS("/")))
}

// cgroupLimit returns the lowest limit of the control groups that the process is in, of
// version 1 or 2, and of those around them; without one, math.MaxInt64. In a container the
// groups may have other names inside than the process is told: then the limits of
// what is there count.
func cgroupLimit(root fs.FS) int64 {
	limit := int64(math.MaxInt64)
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		var mounts []string
		file := "memory.max"
		switch controllers := strings.Split(parts[1], ","); {
		case parts[1] == "":
			mounts = []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}
		case slices.Contains(controllers, "memory"):
			mounts, file = []string{"sys/fs/cgroup/memory", "sys/fs/cgroup"}, "memory.limit_in_bytes"
		default:
			continue
		}
		for _, mount := range mounts {
			for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
				limit = min(limit, readLimit(root, path.Join(mount, group, file)))
				if group == "/" {
					break
				}
			}
		}
	}
	return limit
}

// readLimit reads a number of bytes; "max", and what can't be read, is no limit.
func readLimit(root fs.FS, name string) int64 {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n <= 0 {
		return math.MaxInt64
	}
	return n
}
