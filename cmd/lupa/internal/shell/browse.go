package shell

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/lupadb/lupa/cmd/lupa/internal/mcp"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/postgres"
	"github.com/lupadb/lupa/db/web"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/onnx"
	"github.com/spf13/pflag"
)

// serveOptions are those of lupa browse and lupa mcp.
type serveOptions struct {
	options
	listen, image, link, credit, marks string
	roots                              []string
	write                              bool
}

func serveFlags(name string, o *serveOptions) *pflag.FlagSet {
	f := pflag.NewFlagSet("lupa "+name, pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	if name == "browse" {
		f.StringVar(&o.listen, "listen", "localhost:0", "`ADDRESS` to listen at; port 0 is any that is free")
		f.StringVar(&o.link, "link", "", "where a picture leads, a `TEMPLATE` such as\nhttps://unsplash.com/photos/{id}")
		f.StringVar(&o.credit, "credit", "", "who made a picture, a `TEMPLATE`")
		f.BoolVar(&o.write, "write", false, "let the page import pictures, and statements write")
		f.StringVar(&o.marks, "marks", "", "keep what is said of hits in `FILE` (STORE.prompts.csv)")
	}
	f.StringVar(&o.image, "image", "", "where a row's picture is, a `TEMPLATE`\nsuch as pictures/{id}.jpg")
	f.StringArrayVar(&o.roots, "folder", nil, "show only picture files below `DIR`; may be repeated")
	f.StringArrayVar(&o.models, "models", nil, "look for encoders in `DIR` first; may be repeated")
	f.BoolVar(&o.asFound, "as-found", false, "read what can be read of a damaged store")
	f.BoolVarP(&o.help, "help", "h", false, "this text")
	return f
}

// servedMemory bounds what a statement that somebody sends may hold in memory: there may be many at a time.
const servedMemory = 128 << 20

// serve parses the flags of a subcommand that answers others, opens the store, for reading
// only unless --write says otherwise, and runs it until Ctrl-C.
func serve(ctx context.Context, std stdio, name string, args []string, run func(ctx context.Context, s *Shell, o *serveOptions, store *db.DB, h *web.Handler) error) (err error) {
	o := &serveOptions{options: options{images: "off", color: "auto"}}
	f := serveFlags(name, o)
	if err := f.Parse(args); err != nil {
		return usageError{err}
	}
	if o.help {
		return runHelp(std, []string{name})
	}
	switch f.NArg() {
	case 0:
		if o.store, err = onlyStore("."); err != nil {
			return err
		}
	case 1:
		o.store = f.Arg(0)
	default:
		return usagef("lupa %s needs one store", name)
	}
	s, err := newShell(std, &o.options)
	if err != nil {
		return err
	}
	s.stop = catchInterrupts()
	defer s.stop.release()
	ctx, stop := s.cancellable(ctx)
	defer stop()
	store, err := db.OpenContext(ctx, o.store, &db.Options{
		ReadOnly:    !o.write,
		AsFound:     o.asFound,
		NoFiles:     !o.write, // statements come from a page, or from an assistant; its handler keeps them from files
		OpenEncoder: onnx.Opener(&onnx.Options{Models: o.models}),
		Attach:      []db.Attachable{postgres.Opener(nil)},
		Warn:        func(msg string) { s.message("%s", "warning: "+msg) },

		MemoryBudget: servedMemory,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	w := &web.Options{Statements: true, Image: o.image, Link: o.link, Credit: o.credit, Roots: o.roots, Cache: cacheFolder("thumbnails")}
	if name == "browse" {
		w.Token = web.NewToken()
		w.Hosts = hostsOf(o.listen)
		w.Marks = cmp.Or(o.marks, marksOf(o.store))
		w.Write = o.write
		w.Models = func() []string {
			var names []string
			for _, m := range encoder.SearchPath(o.models...).List() {
				names = append(names, m.Name)
			}
			return names
		}
		if o.write {
			w.ImportFile = importFile(o.store)
		}
		if loopback(o.listen) {
			w.Reveal = func(path string) error { return reveal(s, path) }
		}
	}
	h, err := web.New(store, w)
	if err != nil {
		return err
	}
	defer h.Close()
	err = run(ctx, s, o, store, h)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// hostsOf are the names by which a server that listens at an address is asked for. Of all
// addresses of the machine they are its name and each of them.
func hostsOf(listen string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return hosts // listening will fail
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return append([]string{host}, hosts...)
	}
	var all []string
	if name, err := os.Hostname(); err == nil {
		all = append(all, name)
	}
	if addresses, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
				all = append(all, n.IP.String())
			}
		}
	}
	return append(all, hosts...)
}

// loopback reports whether only this machine reaches what listens at an address.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback())
}

// marksOf is the file beside a store in which its page keeps what is said of hits; "" for one in memory.
func marksOf(store string) string {
	if store == ":memory:" {
		return ""
	}
	return strings.TrimSuffix(filepath.Clean(store), ".lupa") + ".prompts.csv"
}

// importFile is where the import of a store is kept that is to be gone on with; "" keeps none.
func importFile(store string) string {
	dir := cacheFolder("imports")
	abs, err := filepath.Abs(store)
	if dir == "" || err != nil || store == ":memory:" {
		return ""
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(dir, hex.EncodeToString(sum[:12])+".json")
}

// reveal shows a file in the file manager.
func reveal(s *Shell, path string) error {
	c := exec.Command("xdg-open", filepath.Dir(path))
	switch runtime.GOOS {
	case "darwin":
		c = exec.Command("open", "-R", path)
	case "windows":
		c = exec.Command("explorer", "/select,", path)
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("no file manager opens %s: %w", filepath.Dir(path), err)
	}
	go func() {
		if err := c.Wait(); err != nil && runtime.GOOS != "windows" { // explorer says 1 when all went well
			s.message("%s: %v", c.Path, err)
		}
	}()
	return nil
}

// cacheFolder is a directory in the user's cache; "" where there is none.
func cacheFolder(name string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir = filepath.Join(dir, "lupa", name)
	if os.MkdirAll(dir, 0o700) != nil {
		return ""
	}
	return dir
}

// runBrowse is lupa browse: a page to search the store with, until Ctrl-C.
func runBrowse(ctx context.Context, std stdio, args []string) error {
	return serve(ctx, std, "browse", args, func(ctx context.Context, s *Shell, o *serveOptions, store *db.DB, h *web.Handler) error {
		ln, err := net.Listen("tcp", o.listen)
		if err != nil {
			return fmt.Errorf("--listen: %w", err)
		}
		server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
		done := make(chan error, 1)
		go func() { done <- server.Serve(ln) }()
		_, port, err := net.SplitHostPort(ln.Addr().String())
		if err != nil {
			return err
		}
		fmt.Fprintf(std.out, "http://%s/?token=%s\n", net.JoinHostPort(hostsOf(o.listen)[0], port), h.Token())
		can := "read the store"
		if o.write {
			can = "read and change the store"
		}
		fmt.Fprintf(std.err, "Open this address in a browser; whoever has it can %s. Ctrl-C ends it.\n", can)
		select {
		case <-ctx.Done():
		case err := <-done:
			return err
		}
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close()
		}
		return nil
	})
}

// runMCP is lupa mcp: the store for assistants, over the standard streams, until they end.
func runMCP(ctx context.Context, std stdio, args []string) error {
	return serve(ctx, std, "mcp", args, func(ctx context.Context, s *Shell, o *serveOptions, store *db.DB, h *web.Handler) error {
		return mcp.Serve(ctx, h, std.version, std.in, std.out)
	})
}
