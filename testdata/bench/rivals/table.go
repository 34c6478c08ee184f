package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A contender does one job in its own way.
type contender struct {
	name string
	run  func(round int) error
}

// A report is a table of jobs by contenders: medians of times a unit of work.
type report struct {
	names   []string       // columns; the first is Lupa
	only    *regexp.Regexp // jobs to do; nil: all
	pids    []int          // of the processes that work, 0 for this one; nil: all work in this one
	cpu     bool           // processor time of the processes instead of what a clock shows
	profile string         // where CPU profiles of Lupa's jobs go; "" for none
	rows    []reportRow
}

type reportRow struct {
	job   string
	times []float64 // seconds a unit, 0 where the contender has no such job
}

// measure runs a job by all contenders in turn, rounds times over, and adds the
// medians of seconds / units to the report. Which contender begins changes from
// round to round. A first round is not counted if warm is set.
func (r *report) measure(job string, rounds, units int, warm bool, all []contender) error {
	if r.only != nil && !r.only.MatchString(job) {
		return nil
	}
	times := make([][]float64, len(all))
	first := 0
	if warm {
		first = -1
	}
	for round := first; round < rounds; round++ {
		for i := range all {
			i = (i + round + len(all)) % len(all)
			if all[i].run == nil {
				continue
			}
			runtime.GC()
			if r.profile != "" && i == 0 && round == rounds-1 {
				f, err := os.Create(fmt.Sprintf("%s.%d", r.profile, len(r.rows)))
				if err != nil {
					return err
				}
				defer f.Close()
				if err := pprof.StartCPUProfile(f); err != nil {
					return err
				}
			}
			start := r.now(i)
			err := all[i].run(round + 1)
			took := r.now(i) - start
			pprof.StopCPUProfile()
			if err != nil {
				return fmt.Errorf("%s, %s: %w", job, all[i].name, err)
			}
			if round >= 0 {
				times[i] = append(times[i], took/float64(units))
			}
		}
	}
	row := reportRow{job: job}
	for _, t := range times {
		row.times = append(row.times, median(t))
	}
	r.rows = append(r.rows, row)
	fmt.Printf("%-44s", job)
	for i, t := range row.times {
		if t > 0 {
			fmt.Printf("  %s %s", all[i].name, duration(t))
		}
	}
	fmt.Println()
	return nil
}

// now returns seconds since some moment, by the clock of a contender.
func (r *report) now(i int) float64 {
	if !r.cpu {
		return time.Since(begun).Seconds()
	}
	if r.pids != nil && r.pids[i] != 0 {
		return processorTime(r.pids[i])
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// processorTime is that of another process, as Linux tells: in hundredths of a second, fields 14 and 15
// of its state, of which the second is a name in parentheses.
func processorTime(pid int) float64 {
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		panic(err)
	}
	fields := strings.Fields(string(state[bytes.LastIndexByte(state, ')')+1:]))
	sum := 0.0
	for _, f := range fields[11:13] {
		ticks, err := strconv.ParseFloat(f, 64)
		if err != nil {
			panic(err)
		}
		sum += ticks / 100
	}
	return sum
}

var begun = time.Now()

// write prints the report as Markdown: Lupa's times, and those of the others as
// multiples of them.
func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "\n| | %s |\n|%s\n", strings.Join(r.names, " | "), strings.Repeat("---|", len(r.names)+1))
	for _, row := range r.rows {
		fmt.Fprintf(w, "| %s | %s |", row.job, duration(row.times[0]))
		for _, t := range row.times[1:] {
			if t == 0 {
				fmt.Fprint(w, " |")
				continue
			}
			fmt.Fprintf(w, " %.2g |", t/row.times[0])
		}
		fmt.Fprintln(w)
	}
}

func duration(seconds float64) string {
	switch {
	case seconds < 1e-3:
		return fmt.Sprintf("%.3g µs", seconds*1e6)
	case seconds < 1:
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	}
	return fmt.Sprintf("%.3g s", seconds)
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
