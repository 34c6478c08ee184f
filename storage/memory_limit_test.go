package storage

import (
	"math"
	"testing"
	"testing/fstest"
)

func TestCgroupLimit(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for _, c := range []struct {
		name string
		fs   fstest.MapFS
		want int64
	}{
		{"nothing is there", fstest.MapFS{}, math.MaxInt64},
		{"version 2", fstest.MapFS{
			"proc/self/cgroup":                 file("0::/app/web\n"),
			"sys/fs/cgroup/app/web/memory.max": file("419430400\n"),
		}, 400 << 20},
		{"a group around it has less", fstest.MapFS{
			"proc/self/cgroup":                 file("0::/app/web\n"),
			"sys/fs/cgroup/app/web/memory.max": file("max\n"),
			"sys/fs/cgroup/app/memory.max":     file("104857600\n"),
		}, 100 << 20},
		{"a container's own name space", fstest.MapFS{
			"proc/self/cgroup":         file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("268435456\n"),
		}, 256 << 20},
		{"a name of the host's", fstest.MapFS{
			"proc/self/cgroup":         file("0::/kubepods/pod1/c2\n"),
			"sys/fs/cgroup/memory.max": file("268435456\n"),
		}, 256 << 20},
		{"above the root", fstest.MapFS{
			"proc/self/cgroup":         file("0::/../../other\n"),
			"sys/fs/cgroup/memory.max": file("268435456\n"),
		}, 256 << 20},
		{"version 1", fstest.MapFS{
			"proc/self/cgroup": file("5:cpu,cpuacct:/a\n4:memory:/a/b\n1:name=systemd:/a\n"),
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": file("9223372036854771712\n"),
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes":   file("419430400\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":     file("9223372036854771712\n"),
		}, 400 << 20},
		{"both versions", fstest.MapFS{
			"proc/self/cgroup": file("4:memory:/a\n0::/b\n"),
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": file("419430400\n"),
			"sys/fs/cgroup/unified/b/memory.max":           file("209715200\n"),
		}, 200 << 20},
		{"what can't be read", fstest.MapFS{
			"proc/self/cgroup":           file("garbage\n0::/a\n"),
			"sys/fs/cgroup/a/memory.max": file("many"),
			"sys/fs/cgroup/memory.max":   file("-5"),
		}, math.MaxInt64},
	} {
		if got := cgroupLimit(c.fs); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
