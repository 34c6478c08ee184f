package plan

import (
	"cmp"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
)

// project builds columns from expressions.
func (b *builder) project(r rel, items []*expr, outs []*column) (rel, error) {
	es, err := b.compileAll(r.lay, items)
	if err != nil {
		return r, err
	}
	return rel{op: b.measured(exec.NewProject(r.op, &b.fnctx, es, false, projectText(items, outs))), lay: newLayout(outs)}, nil
}

func projectText(items []*expr, outs []*column) string {
	all := make([]string, len(items))
	for i, e := range items {
		all[i] = cmp.Or(e.text, outs[i].name)
		if e.text != "" && e.text != outs[i].name && outs[i].name != "" && !strings.HasSuffix(e.text, "."+outs[i].name) {
			if !strings.HasPrefix(e.text, outs[i].name+"(") {
				all[i] += " AS " + outs[i].name
			}
		}
	}
	return strings.Join(all, ", ")
}

func (b *builder) projection(n *projectNode, want []*expr) (rel, error) {
	used := columnsOf(want...)
	var items []*expr
	var outs []*column
	for i, c := range n.outs {
		if used[c] || n.skip != nil {
			items, outs = append(items, n.items[i]), append(outs, c)
		}
	}
	for _, e := range items {
		if e.op == opImage && e.varies() {
			return b.pictures(n, items, outs)
		}
	}
	r, err := b.build(n.in, items)
	if err != nil {
		return r, err
	}
	return b.project(r, items, outs)
}

// pictures builds a projection that encodes pictures: those that can't be read
// are reported and their rows left out.
func (b *builder) pictures(n *projectNode, items []*expr, outs []*column) (rel, error) {
	plain := append([]*expr(nil), items...)
	var jobs []exec.ImageJob
	for i, e := range items {
		if e.op == opImage && e.varies() {
			plain[i] = e.args[0]
			jobs = append(jobs, exec.ImageJob{Column: i, Open: b.opener(e.enc), Dim: e.enc.dim, Fast: fastPictures(n.in, e.args[0]), Pos: at(e.pos)})
		}
	}
	r, err := b.build(n.in, plain)
	if err != nil {
		return r, err
	}
	if r, err = b.project(r, plain, outs); err != nil {
		return r, err
	}
	if n.skip != nil {
		r.op = b.measured(exec.NewSkipExisting(r.op, &b.env, b.table(n.skip.table), n.skip.key).Changed(n.skip.same, n.skip.report))
	}
	r.op = b.measured(exec.NewEncodeImages(r.op, &b.env, jobs, b.in.readFile, b.in.Images))
	return r, nil
}
