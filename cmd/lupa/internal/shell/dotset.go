package shell

// Dot commands that change a setting.

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
)

func (s *Shell) cmdMode(_ context.Context, args []string) error {
	if len(args) == 0 {
		var b strings.Builder
		for _, m := range render.Modes() {
			mark := "  "
			if m.Name == s.mode(s.out) {
				mark = "* "
			}
			fmt.Fprintf(&b, "%s%-9s %s\n", mark, m.Name, m.Doc)
		}
		return s.print(b.String())
	}
	m, err := render.Lookup(args[0])
	if err != nil {
		return err
	}
	s.set.mode = m.Name
	if m.Name != "gallery" {
		return nil
	}
	g := render.Gallery{}
	for _, a := range args[1:] { // .mode gallery image='...' link='...' credit='...'
		name, text, _ := strings.Cut(a, "=")
		switch strings.ToLower(name) {
		case "title":
			g.Title = text
		case "image":
			g.Image = text
		case "link":
			g.Link = text
		case "credit":
			g.Credit = text
		default:
			return fmt.Errorf("gallery has title=, image=, link= and credit=, not %s", name)
		}
	}
	s.set.gallery = g
	return nil
}

// flag reads on or off.
func (s *Shell) flag(name string, to *bool, args []string) error {
	if len(args) == 1 {
		switch strings.ToLower(args[0]) {
		case "on", "yes", "true", "1":
			*to = true
			return nil
		case "off", "no", "false", "0":
			*to = false
			return nil
		}
	}
	return usage(name)
}

func (s *Shell) cmdHeaders(_ context.Context, args []string) error {
	on := !s.set.noHead
	err := s.flag(".headers", &on, args)
	s.set.noHead = !on
	return err
}

func (s *Shell) cmdTimer(_ context.Context, args []string) error {
	return s.flag(".timer", &s.set.timer, args)
}
func (s *Shell) cmdBail(_ context.Context, args []string) error {
	return s.flag(".bail", &s.set.bail, args)
}
func (s *Shell) cmdEcho(_ context.Context, args []string) error {
	return s.flag(".echo", &s.set.echo, args)
}

func (s *Shell) cmdTiming(context.Context, []string) error {
	s.set.timer = !s.set.timer
	s.message("timer is %s", map[bool]string{true: "on", false: "off"}[s.set.timer])
	return nil
}

func (s *Shell) cmdExpanded(context.Context, []string) error {
	if s.set.mode == "line" {
		s.set.mode = ""
	} else {
		s.set.mode = "line"
	}
	s.message("mode is %s", s.mode(s.out))
	return nil
}

func (s *Shell) cmdNull(_ context.Context, args []string) error {
	if len(args) != 1 {
		return usage(".nullvalue")
	}
	s.set.null = args[0]
	return nil
}

func (s *Shell) cmdMaxRows(_ context.Context, args []string) error {
	return s.number(".maxrows", &s.set.maxRows, args)
}

func (s *Shell) cmdMaxWidth(_ context.Context, args []string) error {
	return s.number(".maxwidth", &s.set.width, args)
}

// cmdWidth sets the widths of columns as sqlite3 does; without any, all are as
// wide as needed again.
func (s *Shell) cmdWidth(_ context.Context, args []string) error {
	widths := make([]int, len(args))
	for i, a := range args {
		n, err := strconv.Atoi(a)
		if err != nil || n < -maxColumnWidth || n > maxColumnWidth {
			return usage(".width")
		}
		widths[i] = n
	}
	s.set.columns = widths
	return nil
}

// maxColumnWidth bounds what .width takes.
const maxColumnWidth = 10_000

func (s *Shell) number(name string, to *int, args []string) error {
	if len(args) == 0 {
		return s.print(fmt.Sprintln(*to))
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 || len(args) > 1 {
		return usage(name)
	}
	*to = n
	return nil
}

func (s *Shell) cmdPager(_ context.Context, args []string) error {
	if len(args) == 0 {
		return s.print(s.set.pager + "\n")
	}
	s.set.pager = strings.Join(args, " ")
	if s.set.pager == "on" {
		s.set.pager = "auto"
	}
	return nil
}

func (s *Shell) cmdImages(_ context.Context, args []string) error {
	if len(args) == 0 {
		return s.print(strings.TrimSpace(s.set.images+" "+s.set.imageAt) + "\n")
	}
	if err := render.CheckProtocol(args[0]); err != nil {
		return err
	}
	if len(args) > 2 {
		return usage(".images")
	}
	s.set.images, s.set.imageAt = strings.ToLower(args[0]), ""
	if len(args) == 2 {
		s.set.imageAt = args[1]
	}
	return nil
}

func (s *Shell) cmdParameter(_ context.Context, args []string) error {
	word := ""
	if len(args) > 0 {
		word = strings.ToLower(args[0])
	}
	key := func(name string) string { return strings.TrimLeft(name, ":$@") }
	switch {
	case word == "set" && len(args) >= 3:
		v, err := parseParam(strings.Join(args[2:], " "))
		if err != nil {
			return err
		}
		s.params[key(args[1])] = v
		return nil
	case word == "unset" && len(args) == 2:
		delete(s.params, key(args[1]))
		return nil
	case word == "clear" && len(args) == 1:
		clear(s.params)
		return nil
	case word == "list" || word == "":
		var names []string
		for n := range s.params {
			names = append(names, n)
		}
		sort.Strings(names)
		var rows [][]string
		for _, n := range names {
			v := s.params[n]
			mark := ":"
			if isDigit(n[0]) {
				mark = "$"
			}
			rows = append(rows, []string{mark + n, v.Kind().String(), v.String()})
		}
		return s.texts([]string{"parameter", "type", "value"}, rows)
	}
	return usage(".parameter")
}
