package build

import (
	"cmp"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// project builds columns from expressions.
func (b *Builder) project(r rel, items []*logical.Expr, outs []*logical.Column) (rel, error) {
	es, err := b.CompileAll(r.lay, items)
	if err != nil {
		return r, err
	}
	return rel{op: b.Analyzed(exec.NewProject(r.op, &b.Fnctx, es, false, projectText(items, outs))), lay: compile.NewLayout(outs)}, nil
}

func projectText(items []*logical.Expr, outs []*logical.Column) string {
	all := make([]string, len(items))
	for i, e := range items {
		all[i] = cmp.Or(e.Text, outs[i].Name)
		if e.Text != "" && e.Text != outs[i].Name && outs[i].Name != "" && !strings.HasSuffix(e.Text, "."+outs[i].Name) {
			if !strings.HasPrefix(e.Text, outs[i].Name+"(") {
				all[i] += " AS " + outs[i].Name
			}
		}
	}
	return strings.Join(all, ", ")
}

func (b *Builder) projection(n *logical.Project, want []*logical.Expr) (rel, error) {
	used := logical.ColumnsOf(want...)
	var items []*logical.Expr
	var outs []*logical.Column
	for i, c := range n.Outs {
		if used[c] || n.Skip != nil {
			items, outs = append(items, n.Items[i]), append(outs, c)
		}
	}
	for _, e := range items {
		if e.Op == logical.OpImage && e.Varies() {
			return b.pictures(n, items, outs)
		}
	}
	r, err := b.build(n.In, items)
	if err != nil {
		return r, err
	}
	return b.project(r, items, outs)
}

// pictures builds a projection that encodes pictures: those that can't be read
// are reported and their rows left out.
func (b *Builder) pictures(n *logical.Project, items []*logical.Expr, outs []*logical.Column) (rel, error) {
	plain := append([]*logical.Expr(nil), items...)
	var jobs []exec.ImageJob
	for i, e := range items {
		if e.Op == logical.OpImage && e.Varies() {
			plain[i] = e.Args[0]
			job := exec.ImageJob{Column: i, Open: b.opener(e.Encoding), Dim: e.Encoding.Dim, Pos: logical.At(e.Pos)}
			if s := logical.PicturesOf(n.In, e.Args[0]); s != nil {
				job.Fast, job.Pixels = s.Fast, s.Pixels
			}
			jobs = append(jobs, job)
		}
	}
	r, err := b.build(n.In, plain)
	if err != nil {
		return r, err
	}
	if r, err = b.project(r, plain, outs); err != nil {
		return r, err
	}
	switch {
	case n.Skip != nil && n.Skip.Remote != nil:
		r.op = b.Analyzed(exec.NewSkipThere(r.op, &b.Env, n.Skip.Remote, n.Skip.There, n.Skip.Column, n.Skip.Key))
	case n.Skip != nil:
		r.op = b.Analyzed(exec.NewSkipExisting(r.op, &b.Env, b.Table(n.Skip.Table), n.Skip.Key).Changed(n.Skip.Same, n.Skip.Report))
	}
	r.op = b.Analyzed(exec.NewEncodeImages(r.op, &b.Env, jobs, b.In.ReadFile, b.In.Images))
	return r, nil
}
