package hub

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// EndpointEnv names the environment variable with the base URL of the hub, which
// other programs know as well.
const EndpointEnv = "HF_ENDPOINT"

const publicHub = "https://huggingface.co"

// Pull downloads the model of a name, unless it is there, and returns its
// directory. "hf:owner/name" is any model of the hub (see Lookup). The directory appears when the model is complete and checked. After an
// error or a cancelled ctx, another Pull goes on where this one stopped.
func Pull(ctx context.Context, name string, o *Options) (dir string, err error) {
	if strings.HasPrefix(name, Prefix) {
		return PullVariant(ctx, name, "", o)
	}
	m, err := Find(name)
	if err != nil {
		return "", err
	}
	if m.Pinned() {
		return PullModel(ctx, m, o)
	}
	return m.pullListed(ctx, "", o)
}

// pullListed pulls a model of which the hub has the list of files.
func (m Model) pullListed(ctx context.Context, variant string, o *Options) (dir string, err error) {
	// The revision that was fetched first stays.
	where, known, err := m.place(o)
	if err != nil {
		return "", err
	}
	if known.Repo == m.Repo && known.Revision != "" {
		m.Revision = known.Revision
	}
	listed, err := m.lookup(ctx, variant, &where)
	if err != nil {
		return "", err
	}
	return pullRecorded(ctx, listed, &where)
}

// place returns options with the model's directory, and what was recorded there.
func (m Model) place(o *Options) (with Options, known Model, err error) {
	if o != nil {
		with = *o
	}
	if with.Dir == "" {
		if with.Dir, err = defaultDir(m.Name); err != nil {
			return with, known, err
		}
	}
	known, err = recorded(with.Dir)
	return with, known, err
}

// PullVariant is Pull of the graphs of a variant of a model.
func PullVariant(ctx context.Context, name, variant string, o *Options) (dir string, err error) {
	if !strings.HasPrefix(name, Prefix) && variant != "" {
		m, err := Find(name)
		if err == nil && m.Pinned() {
			err = fmt.Errorf("the files of %s are fp32; %s-%s is a model of its own, if there is one, and hf:%s has all variants", name, name, variant, m.Repo)
		}
		if err != nil {
			return "", err
		}
		return m.pullListed(ctx, variant, o)
	}
	if !strings.HasPrefix(name, Prefix) {
		return Pull(ctx, name, o)
	}
	m, err := Lookup(ctx, name, variant, o)
	if err != nil {
		return "", err
	}
	return pullRecorded(ctx, m, o)
}

func pullRecorded(ctx context.Context, m Model, o *Options) (dir string, err error) {
	with, known, err := m.place(o)
	if err != nil {
		return "", err
	}
	with.stale = known.Revision != "" && known.Revision != m.Revision
	if dir, err = PullModel(ctx, m, &with); err != nil {
		return "", err
	}
	return dir, Record(m, dir)
}

// endpoint is where the hub is.
func (o *Options) endpoint() string { return cmp.Or(o.Endpoint, os.Getenv(EndpointEnv), publicHub) }

// PullModel is Pull for a model that is not in Models.
func PullModel(ctx context.Context, m Model, o *Options) (dir string, err error) {
	if o == nil {
		o = &Options{}
	}
	if dir = o.Dir; dir == "" {
		if dir, err = defaultDir(m.Name); err != nil {
			return "", err
		}
	}
	base := o.endpoint()
	// Files gather beside the directory: one that had only a text tower as yet would
	// pass for another model.
	staging := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".partial")
	p := Progress{Total: m.Size()}
	report := func(file string) func(int64) {
		return func(n int64) {
			p.File, p.Done = file, p.Done+n
			if o.Progress != nil {
				o.Progress(p)
			}
		}
	}
	var fetched []string
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return "", fmt.Errorf("model %s has a file outside of its directory: %s", m.Name, f.Path)
		}
		if ok, err := matches(filepath.Join(dir, filepath.FromSlash(f.Path)), f); err != nil {
			return "", err
		} else if ok && (f.SHA256 != "" || !o.stale) {
			report(f.Path)(f.Size)
			continue
		}
		d := newDownload(o, resolveURL(base, m, f), f, filepath.Join(staging, filepath.FromSlash(f.Path)), report(f.Path))
		if err := d.run(ctx); err != nil {
			return "", fmt.Errorf("pull %s: %w", m.Name, err)
		}
		fetched = append(fetched, f.Path)
	}
	if len(fetched) > 0 {
		if err := publish(staging, dir, fetched); err != nil {
			return "", fmt.Errorf("pull %s: %w", m.Name, err)
		}
	}
	return dir, nil
}

func newDownload(o *Options, url string, f File, path string, advance func(int64)) *download {
	d := &download{url: url, file: f, path: path, client: o.client(), retries: o.Retries, pause: o.pause, advance: advance}
	if d.retries == 0 {
		d.retries = defaultRetries
	}
	if d.pause == 0 {
		d.pause = defaultPause
	}
	d.retries = max(0, d.retries)
	return d
}

// resolveURL is where the hub keeps a file of a revision.
func resolveURL(base string, m Model, f File) string {
	parts := append(strings.Split(m.Repo, "/"), "resolve", m.Revision)
	parts = append(parts, strings.Split(f.Path, "/")...)
	for i, s := range parts {
		parts[i] = url.PathEscape(s)
	}
	return strings.TrimRight(base, "/") + "/" + strings.Join(parts, "/")
}

// publish moves the files to where they belong: all at once if the directory is
// new, else one by one in place of wrong or missing ones.
func publish(staging, dir string, files []string) error {
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return os.Rename(staging, dir)
	}
	for _, f := range files {
		to := filepath.Join(dir, filepath.FromSlash(f))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(staging, filepath.FromSlash(f)), to); err != nil {
			return err
		}
	}
	return os.RemoveAll(staging)
}
